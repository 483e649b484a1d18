//! Operations that came, went or stayed.

use std::collections::{HashMap, HashSet};

use super::{Class, Report, bodies, parameters, schemas::Pairs, security};
use crate::description::Description;
use crate::operation::Operation;

/// Compares all operations.
pub fn compare(old: &Description, new: &Description, report: &mut Report) {
    let known: HashMap<&str, &Operation> =
        new.operations.iter().map(|operation| (operation.key.as_str(), &**operation)).collect();
    let before: HashSet<&str> = old.operations.iter().map(|operation| operation.key.as_str()).collect();
    if old.base_path() != new.base_path() {
        let what = format!("the base path was `{}` and is `{}`", old.base_path(), new.base_path());
        report.add(Class::Unknown, "base-path-changed", what);
    }
    for operation in &old.operations {
        report.operation = Some(operation.key.clone());
        report.line = operation.line;
        match known.get(operation.key.as_str()) {
            Some(now) => {
                report.line = now.line;
                let mut pairs = Pairs::new(&operation.schemas, &now.schemas);
                same_operation(operation, now, &mut pairs, report);
            }
            None => report.add(Class::Breaking, "operation-removed", "was removed"),
        }
    }
    for operation in new.operations.iter().filter(|operation| !before.contains(operation.key.as_str())) {
        report.operation = Some(operation.key.clone());
        report.line = operation.line;
        report.add(Class::Compatible, "operation-added", "was added");
    }
}

fn same_operation(old: &Operation, new: &Operation, pairs: &mut Pairs<'_>, report: &mut Report) {
    if !old.deprecated && new.deprecated {
        report.add(Class::Compatible, "operation-deprecated", "is deprecated");
    }
    if old.id != new.id {
        report.add(
            Class::Compatible,
            "operation-id-changed",
            "has another `operationId`; generated clients rename it",
        );
    }
    parameters::compare(old, new, pairs, report);
    bodies::request(old, new, pairs, report);
    bodies::answers(old, new, pairs, report);
    security::compare(&old.security, &new.security, report);
}
