//! What others own of what somebody applies, told so that the owner can be asked.

use super::fields::Fields;
use super::managers::{Manager, Operation};
use crate::objects::status::{CAUSES_MAX, Cause, Status};
use model::units::Moment;

/// Fields that are another's.
pub struct Conflict<'a> {
    /// Whose.
    pub manager: &'a Manager,
    /// Since when.
    pub time: Option<Moment>,
    /// Which.
    pub fields: Fields,
}

/// The refusal of an apply.
pub fn refusal(conflicts: &[Conflict<'_>]) -> Status {
    let mut causes = Vec::new();
    let mut paragraphs = Vec::new();
    for conflict in conflicts {
        let owner = owner(conflict);
        let paths = conflict.fields.paths();
        causes.extend(paths.iter().map(|path| Cause {
            reason: "FieldManagerConflict",
            field: path.clone(),
            message: format!("conflict with {owner}"),
        }));
        let lines: Vec<String> = paths.iter().take(CAUSES_MAX).map(|path| format!("- {path}")).collect();
        paragraphs.push(format!("conflicts with {owner}:\n{}", lines.join("\n")));
    }
    let message = match causes.as_slice() {
        [only] => format!("Apply failed with 1 conflict: {}: {}", only.message, only.field),
        many => format!("Apply failed with {} conflicts: {}", many.len(), paragraphs.join("\n")),
    };
    Status::apply_conflict(message, &causes)
}

fn owner(conflict: &Conflict<'_>) -> String {
    let Manager { name, operation, api_version, subresource } = conflict.manager;
    let mut words = format!("{name:?}");
    if !subresource.is_empty() {
        words.push_str(&format!(" with subresource {subresource:?}"));
    }
    if *operation == Operation::Update {
        words.push_str(&format!(" using {api_version}"));
        if let Some(time) = conflict.time {
            words.push_str(&format!(" at {time}"));
        }
    }
    words
}
