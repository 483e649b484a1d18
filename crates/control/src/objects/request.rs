//! What a request asks of one object, as far as it is not in the body.

use model::kinds::{KindName, Scope};
use model::units::Moment;

use super::status::{About, Cause, Status};

/// Longest name of a field manager, in characters.
pub const MANAGER_CHARS_MAX: usize = 128;

/// A request about one object.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The kind in the path.
    pub kind: KindName,
    /// The version in the path; one of those of the kind.
    pub version: &'a str,
    /// The namespace in the path; `None` for kinds outside of namespaces.
    pub namespace: Option<&'a str>,
    /// The name in the path; `None` when an object is made, whose body names it.
    pub name: Option<&'a str>,
    /// Which part of the object is written.
    pub part: Part,
    /// Who writes; see [`manager_of`].
    pub manager: &'a str,
    /// What happens to fields that nobody knows.
    pub validation: FieldValidation,
    /// Now.
    pub now: Moment,
}

/// Which part of an object is written. Each leaves the other as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but the status.
    Whole,
    /// The status.
    Status,
}

/// What happens to fields that nobody knows and to keys that stand twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// The request is refused.
    Strict,
    /// They are dropped, and the answer warns of it.
    #[default]
    Warn,
    /// They are dropped.
    Ignore,
}

impl FieldValidation {
    /// The value of the query parameter `fieldValidation`.
    ///
    /// # Errors
    /// 422 for a word that is none.
    pub fn of(word: Option<&str>) -> Result<Self, Status> {
        match word {
            None | Some("" | "Warn") => Ok(FieldValidation::Warn),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some(other) => Err(Status::invalid_options(&Cause {
                reason: "FieldValueNotSupported",
                field: "fieldValidation".to_owned(),
                message: format!(
                    "Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
                ),
            })),
        }
    }
}

impl<'a> Request<'a> {
    /// What answers call the object.
    #[must_use]
    pub fn about(&self) -> About<'a> {
        About::new(self.kind, self.name.unwrap_or_default())
    }

    /// `apiVersion` of the version in the path.
    #[must_use]
    pub fn api_version(&self) -> String {
        match self.kind.group() {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The namespace the object is in.
    pub(super) fn place(&self) -> Option<&'a str> {
        match self.kind.scope() {
            Scope::Cluster => None,
            Scope::Namespaced => self.namespace,
        }
    }
}

/// Who writes: the parameter `fieldManager`, or else the program that the `User-Agent` names.
///
/// # Errors
/// 422 when the parameter is too long or cannot be printed.
pub fn manager_of(parameter: Option<&str>, user_agent: Option<&str>) -> Result<String, Status> {
    let refused = |message: String| {
        Status::invalid_options(&Cause {
            reason: "FieldValueInvalid",
            field: "fieldManager".to_owned(),
            message,
        })
    };
    match parameter.filter(|name| !name.is_empty()) {
        Some(name) if name.chars().count() > MANAGER_CHARS_MAX => {
            Err(refused(format!("Invalid value: {name:?}: may not be longer than {MANAGER_CHARS_MAX}")))
        }
        Some(name) if name.chars().any(char::is_control) => {
            Err(refused(format!("Invalid value: {name:?}: should only contain printable characters")))
        }
        Some(name) => Ok(name.to_owned()),
        None => {
            let program = user_agent.unwrap_or_default().split('/').next().unwrap_or_default();
            let printable = program.chars().filter(|c| !c.is_control()).take(MANAGER_CHARS_MAX);
            Ok(Some(printable.collect::<String>())
                .filter(|name| !name.is_empty())
                .unwrap_or("unknown".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_says_so_or_is_called_by_the_program() {
        assert_eq!(manager_of(Some("me"), Some("kubectl/v1.33")).as_deref(), Ok("me"));
        assert_eq!(manager_of(None, Some("kubectl/v1.33 (linux)")).as_deref(), Ok("kubectl"));
        assert_eq!(manager_of(Some(""), None).as_deref(), Ok("unknown"));
        assert_eq!(manager_of(Some(&"a".repeat(129)), None).map_err(|status| status.code()), Err(422));
        assert_eq!(manager_of(Some("a\nb"), None).map_err(|status| status.code()), Err(422));
    }

    #[test]
    fn unknown_fields_are_warned_of_unless_asked_otherwise() {
        assert_eq!(FieldValidation::of(None), Ok(FieldValidation::Warn));
        assert_eq!(FieldValidation::of(Some("Strict")), Ok(FieldValidation::Strict));
        assert_eq!(FieldValidation::of(Some("strict")).map_err(|status| status.code()), Err(422));
    }
}
