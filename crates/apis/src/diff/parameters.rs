//! Parameters that came, went or changed.

use super::schemas::Pairs;
use super::{Class, Report};
use crate::check::Direction;
use crate::operation::{Operation, Parameter, Place};

/// Compares the parameters of an operation.
pub fn compare(old: &Operation, new: &Operation, pairs: &mut Pairs<'_>, report: &mut Report) {
    for parameter in &old.parameters {
        let now = counterpart(old, parameter, new);
        report.within(&format!("{} parameter {}", parameter.place, parameter.name), |report| match now {
            None => report.add(Class::Breaking, "parameter-removed", "was removed"),
            Some(now) => same_parameter(parameter, now, pairs, report),
        });
    }
    for parameter in &new.parameters {
        if counterpart(new, parameter, old).is_some() {
            continue;
        }
        report.within(&format!("{} parameter {}", parameter.place, parameter.name), |report| {
            // A name in the path was always there; now more is said of it.
            if parameter.place == Place::Path {
                report.add(Class::Unknown, "parameter-described", "is described for the first time");
            } else if parameter.required {
                report.add(Class::Breaking, "parameter-added", "was added and must be sent");
            } else {
                report.add(Class::Compatible, "parameter-added", "was added and may be left out");
            }
        });
    }
}

/// The same parameter in another description: by name, that of a path by its position there, where it has one.
fn counterpart<'o>(of: &Operation, parameter: &Parameter, others: &'o Operation) -> Option<&'o Parameter> {
    let same_name = |other: &str| match parameter.place {
        Place::Header => other.eq_ignore_ascii_case(&parameter.name),
        Place::Path | Place::Query | Place::Cookie => other == &*parameter.name,
    };
    let position = of.template.parameters().position(|name| name == &*parameter.name);
    if let (Place::Path, Some(position)) = (parameter.place, position) {
        let name = others.template.parameters().nth(position)?;
        let of_path = |other: &&Parameter| other.place == Place::Path && &*other.name == name;
        return others.parameters.iter().find(of_path);
    }
    others.parameters.iter().find(|other| other.place == parameter.place && same_name(&other.name))
}

fn same_parameter(old: &Parameter, new: &Parameter, pairs: &mut Pairs<'_>, report: &mut Report) {
    match (old.required, new.required) {
        (false, true) => report.add(Class::Breaking, "parameter-required", "must be sent now"),
        (true, false) => report.add(Class::Compatible, "parameter-optional", "may be left out now"),
        (false, false) | (true, true) => {}
    }
    if old.shape != new.shape {
        report.add(Class::Breaking, "parameter-style-changed", "is written in another way");
    }
    if !old.deprecated && new.deprecated {
        report.add(Class::Compatible, "parameter-deprecated", "is deprecated");
    }
    pairs.maybe(old.schema, new.schema, Direction::Request, report);
}
