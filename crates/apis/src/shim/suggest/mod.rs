//! A shim out of two descriptions, as far as they say what has become of what.
//!
//! Names that were changed cannot be derived, only guessed; so every guess is told, everything that no step can do is
//! told, and the result is worth what its proof says ([`super::prove`]).

mod answers;
mod bodies;
mod fields;
mod names;
mod objects;
mod pairs;
mod values;

use std::fmt;
use std::sync::Arc;

use model::kinds::shim::{OperationShim, Shim};
use model::kinds::transform::{RequestTransform, Transform};

use crate::check::Direction;
use crate::op_key::OpKey;
use crate::operation::Operation;
use pairs::Pair;

/// A shim, and what somebody has to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// What is different, operation by operation.
    pub shim: Shim,
    /// What was guessed, and what no shim can do.
    pub doubts: Vec<Doubt>,
}

/// Something that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The operation of the old version.
    pub operation: OpKey,
    /// Where: `request /name`, `answer 200 /id`; empty for all of it.
    pub place: String,
    /// What, as the end of a sentence.
    pub what: String,
    /// Whether something was done that may be wrong; otherwise nothing could be done.
    pub is_guess: bool,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Doubt { operation, place, what, is_guess } = self;
        let word = if *is_guess { "guessed" } else { "not done" };
        write!(f, "{word}: {operation}")?;
        if !place.is_empty() {
            write!(f, ", {}", place.trim_end())?;
        }
        write!(f, ": {}", crate::problem::shown(what, WHAT_CHARS_MAX))
    }
}

/// Most characters of a doubt.
const WHAT_CHARS_MAX: usize = 200;

/// What clients of the old operations need on an upstream that speaks the new ones, which are of the APIVersion
/// `version`.
#[must_use]
pub fn suggest(version: &str, old: &[Arc<Operation>], new: &[Arc<Operation>]) -> Suggestion {
    let shim = Shim { version: version.into(), operations: Vec::new(), bodies: Default::default() };
    let mut suggestion = Suggestion { shim, doubts: Vec::new() };
    for (operation, pair) in pairs::pairs(old, new) {
        match pair {
            Some(pair) => suggestion.pair(&pair),
            None => {
                let what = "the new version has nothing like it; a shim cannot make it up";
                suggestion.doubt(operation, "", what, false);
            }
        }
    }
    suggestion
}

impl Suggestion {
    fn doubt(&mut self, operation: &Operation, place: &str, what: &str, is_guess: bool) {
        let doubt = Doubt {
            operation: operation.key.clone(),
            place: place.to_owned(),
            what: what.to_owned(),
            is_guess,
        };
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    fn pair(&mut self, pair: &Pair<'_>) {
        let (old, new) = (pair.old, pair.new);
        if pair.is_guessed {
            self.doubt(old, "", &format!("becomes {}", new.key), true);
        }
        let fields = fields::of(pair);
        for (at, what, is_guess) in &fields.told {
            self.doubt(old, at, what, *is_guess);
        }
        if fields.is_lost {
            return;
        }
        let body = self.body(old, new);
        let answers = answers::of(old, new);
        for (at, what, is_guess) in &answers.told {
            self.doubt(old, at, what, *is_guess);
        }
        let request = RequestTransform {
            path: None,
            moves: fields.moves,
            query: fields.query,
            headers: fields.headers,
            body,
        };
        let request = Some(request).filter(|request| *request != RequestTransform::default());
        if fields.to.is_none() && request.is_none() && answers.changed.is_empty() {
            return;
        }
        self.shim.operations.push(OperationShim {
            operations: vec![old.key.text()],
            to: fields.to,
            transform: Transform { request, responses: answers.changed },
        });
    }

    fn body(&mut self, old: &Operation, new: &Operation) -> Vec<model::kinds::transform::BodyStep> {
        let was = old.body.as_ref().and_then(|body| answers::json(&body.content));
        let now = new.body.as_ref().and_then(|body| answers::json(&body.content));
        let (was, now) = match (was, now) {
            (Some(was), Some(now)) => (was, now),
            (None, Some(_)) if new.body.as_ref().is_some_and(|body| body.required) => {
                self.doubt(old, "request", "has no body of JSON, and must have one", false);
                return Vec::new();
            }
            (Some(_), None) => {
                self.doubt(old, "request", "has a body of JSON, which the new version does not take", false);
                return Vec::new();
            }
            (None, _) => return Vec::new(),
        };
        let (Some(from), Some(to)) = (was.schema, now.schema) else { return Vec::new() };
        let (steps, told) = bodies::steps((&old.schemas, from), (&new.schemas, to), Direction::Request);
        for one in told {
            self.doubt(old, &format!("request {}", one.at), &one.what, one.is_guess);
        }
        steps
    }
}

/// A JSON Pointer with one step more.
fn below(at: &str, name: &str) -> String {
    let mut pointer = at.to_owned();
    crate::source::push_step(&mut pointer, name);
    pointer
}
