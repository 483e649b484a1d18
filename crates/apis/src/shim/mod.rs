//! Messages of one shape become messages of another: the engine of shims and of transform policies.
//!
//! It is pure and knows no proxy, so that the same code carries traffic and proves, with requests and answers that two
//! descriptions imply, that the clients of an old version are served by the upstream of a new one ([`prove`]).
//!
//! Everything is decided when a transform is compiled; what remains for a message is to take and to put. What cannot be
//! done with a message refuses it: half a change would be a message that nobody has asked for.

mod compiled;
mod fields;
mod pointer;
mod prove;
mod read;
mod steps;
mod suggest;

use std::fmt;
use std::sync::Arc;

use model::kinds::shim::Shim as Written;
use model::kinds::transform::{BodyRules, Transform as WrittenTransform};

pub use compiled::{ChangedHead, ChangedRequest, ChangedResponse, ResponsePart, Transform};
pub use prove::{Failed, Proof, Side, prove, prove_within};
pub use read::read;
pub use suggest::{Doubt, Suggestion, suggest};

use crate::limits::{SHIM_BODY_BYTES_DEFAULT, SHIM_BODY_BYTES_MAX};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::template::Template;

/// Why a message cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the body; empty when all of it is meant, or something beside it.
    pub pointer: String,
    /// What is wrong, as the end of a sentence.
    pub what: String,
}

impl Fault {
    fn new(what: String) -> Fault {
        Fault { pointer: String::new(), what }
    }

    /// The same, inside of this member.
    fn below(mut self, name: &str) -> Fault {
        let mut pointer = String::new();
        crate::source::push_step(&mut pointer, name);
        pointer.push_str(&self.pointer);
        self.pointer = pointer;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the message" } else { &self.pointer };
        write!(f, "{place} {}", self.what)
    }
}

/// Mistakes that were found so far.
struct Wrong {
    file: Arc<str>,
    found: Vec<Problem>,
}

impl Wrong {
    fn add(&mut self, pointer: String, what: String) {
        self.found.push(Problem { file: self.file.clone(), line: 0, pointer, what, fix: String::new() });
    }
}

impl Transform {
    /// Compiles the transform of a policy. `name` is what the object is called in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(
        name: &str,
        written: &WrittenTransform,
        bodies: BodyRules,
    ) -> Result<Transform, Vec<Problem>> {
        let mut wrong = Wrong { file: name.into(), found: Vec::new() };
        let transform = compiled::compile(written, None, "", &mut wrong);
        if wrong.found.is_empty() { Ok(transform.within(bodies)) } else { Err(wrong.found) }
    }

    fn within(self, bodies: BodyRules) -> Transform {
        let body_bytes_max = bodies.body_bytes_max.map_or(SHIM_BODY_BYTES_DEFAULT, |bytes| {
            usize::try_from(bytes.get()).unwrap_or(usize::MAX).min(SHIM_BODY_BYTES_MAX)
        });
        Transform { body_bytes_max, other_bodies: bodies.other_bodies.unwrap_or_default(), ..self }
    }
}

/// Compiles what a shim does to one operation of the old version; `None` when that is nothing.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(name: &str, shim: &Written, operation: &Operation) -> Result<Option<Transform>, Vec<Problem>> {
    let key = operation.key.as_str();
    let Some(written) = shim.operation(key) else { return Ok(None) };
    let at = shim.operations.iter().position(|one| std::ptr::eq(one, written)).unwrap_or_default();
    let place = format!("/operations/{at}");
    let mut wrong = Wrong { file: name.into(), found: Vec::new() };
    let to = match written.to.as_deref().map(target).transpose() {
        Ok(to) => to,
        Err(what) => {
            wrong.add(format!("{place}/to"), what);
            None
        }
    };
    let own = Some((operation.template.clone(), to));
    let transform = compiled::compile(&written.transform, own, &place, &mut wrong);
    if wrong.found.is_empty() { Ok(Some(transform.within(shim.bodies))) } else { Err(wrong.found) }
}

/// Reads `PUT /animals/{id}`.
fn target(text: &str) -> Result<(Arc<str>, Template), String> {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];
    let told = crate::problem::quoted(text);
    let (method, path) =
        text.split_once(' ').ok_or_else(|| format!("{told} is not a method, a space and a path"))?;
    if !METHODS.contains(&method) {
        return Err(format!("{told} does not begin with one of {}", METHODS.join(", ")));
    }
    let template = Template::parse(path).map_err(|what| format!("the path of {told} {what}"))?;
    Ok((method.into(), template))
}
