//! Proof that clients of an old version are served by the upstream of a new one, by cases that the two descriptions
//! imply: requests that keep to the old one must keep to the new one behind the shim, and answers that keep to the new
//! one must keep to the old one.
//!
//! It is a proof by examples: the least, the most and many drawn by chance, the same ones each time. It finds what is
//! forgotten; what it does not find may still be there.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::kinds::shim::Shim;

use super::{ChangedHead, Transform, compile, read};
use crate::cases::{self, Case, Expected};
use crate::check::{self, Fault, Where, is_json};
use crate::limits::{SHIM_FAILED_MAX, SHIM_FAILED_PER_OPERATION_MAX};
use crate::mock::{self, Answer};
use crate::op_key::OpKey;
use crate::operation::{Operation, Parameter, Place, Statuses};
use crate::problem::{Problem, shown};
use crate::request::Request;

/// Draws of each case.
const SEEDS: std::ops::Range<u64> = 1..5;
/// Draws of each answer.
const ANSWER_SEEDS: std::ops::Range<u64> = 1..13;
/// Characters of a message that are shown.
const SHOWN_CHARS: usize = 400;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// From a client of the old version to the upstream.
    Request,
    /// From the upstream to a client of the old version.
    Answer,
}

/// A message that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The operation of the old version.
    pub operation: OpKey,
    /// Which way it goes.
    pub side: Side,
    /// What was tried, for people.
    pub case: String,
    /// What was sent.
    pub sent: String,
    /// What became of it; empty when nothing did.
    pub became: String,
    /// Where that does not keep to the description of the other side.
    pub faults: Vec<Fault>,
}

/// What came of all cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Requests that were tried.
    pub requests: usize,
    /// Answers that were tried.
    pub answers: usize,
    /// Those that are not served, a few of each operation.
    pub failed: Vec<Failed>,
    /// How many are not served in all.
    pub failures: usize,
    /// Operations of the old version that could not be tried, and why.
    pub untried: Vec<(OpKey, String)>,
    /// Whether it ended before all operations had their turn, because it may try so many messages and no more.
    pub is_cut: bool,
}

impl Proof {
    /// Whether every client is served, as far as can be told.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failures == 0
    }
}

/// Tries every operation of the old version among `operations` (all when empty). `name` is what the shim is called in
/// messages.
///
/// # Errors
/// Everything that is wrong with the shim itself.
pub fn prove(
    name: &str,
    shim: &Shim,
    (old, new): (&[Arc<Operation>], &[Arc<Operation>]),
    operations: &[Arc<str>],
) -> Result<Proof, Vec<Problem>> {
    prove_within(usize::MAX, name, shim, (old, new), operations)
}

/// The same, until so many messages were tried. An operation that was begun is ended.
///
/// # Errors
/// Everything that is wrong with the shim itself.
pub fn prove_within(
    messages_max: usize,
    name: &str,
    shim: &Shim,
    (old, new): (&[Arc<Operation>], &[Arc<Operation>]),
    operations: &[Arc<str>],
) -> Result<Proof, Vec<Problem>> {
    let (mut proof, mut wrong) = (Proof::default(), Vec::new());
    for named in shim.operations.iter().flat_map(|one| &one.operations).filter(|named| &***named != "*") {
        if !old.iter().any(|known| known.key.as_str() == &**named) {
            let hint = model::suggest::did_you_mean(named, old.iter().map(|one| one.key.as_str()));
            let what = format!("the old version has no operation {}", crate::problem::quoted(named));
            wrong.push(Problem::of_file(&name.into(), what, hint.unwrap_or_default()));
        }
    }
    for operation in old {
        if !operations.is_empty() && !operations.iter().any(|named| **named == *operation.key.as_str()) {
            continue;
        }
        match compile(name, shim, operation) {
            Ok(_) if proof.requests + proof.answers >= messages_max => proof.is_cut = true,
            Ok(transform) => Prover { operation, transform, new, proof: &mut proof, told: 0 }.all(),
            Err(found) => wrong.extend(found),
        }
    }
    // A mistake of several operations is one.
    wrong.sort();
    wrong.dedup();
    if wrong.is_empty() { Ok(proof) } else { Err(wrong) }
}

struct Prover<'p> {
    operation: &'p Arc<Operation>,
    transform: Option<Transform>,
    new: &'p [Arc<Operation>],
    proof: &'p mut Proof,
    told: usize,
}

impl Prover<'_> {
    fn all(&mut self) {
        let mut reached: BTreeSet<OpKey> = BTreeSet::new();
        let mut seen: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
        let cases = SEEDS.flat_map(|seed| cases::of_operation(self.operation, &[], seed));
        let good: Vec<Case> = cases
            .filter(|case| case.expected == Expected::Taken)
            .filter(|case| seen.insert((case.target.clone(), case.body.clone())))
            .collect();
        if good.is_empty() {
            let why = "no request that keeps to its description could be made".to_owned();
            self.proof.untried.push((self.operation.key.clone(), why));
        }
        for case in &good {
            self.proof.requests += 1;
            reached.extend(self.request(case));
        }
        for key in reached {
            if let Some(other) = self.new.iter().find(|other| other.key == key) {
                self.answers(other);
            }
        }
    }

    fn fail(&mut self, side: Side, case: &str, sent: String, became: String, faults: Vec<Fault>) {
        self.proof.failures += 1;
        self.told += 1;
        if self.told > SHIM_FAILED_PER_OPERATION_MAX || self.proof.failed.len() >= SHIM_FAILED_MAX {
            return;
        }
        let operation = self.operation.key.clone();
        self.proof.failed.push(Failed { operation, side, case: case.to_owned(), sent, became, faults });
    }

    /// Tries one request; says which operation of the new version it reached.
    fn request(&mut self, case: &Case) -> Option<OpKey> {
        let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
        let headers: Vec<(&str, &str)> = borrowed(&case.headers);
        let sent = Request { path, query, headers: &headers, body: &case.body };
        let before = told(&format!("{} {}", case.method, case.target), &case.body);
        let changed = match self.changed(&sent) {
            Ok(changed) => changed,
            Err(fault) => {
                self.fail(Side::Request, &case.name, before, String::new(), vec![fault]);
                return None;
            }
        };
        let method = changed.method.as_deref().unwrap_or(&case.method);
        let path = changed.path.as_deref().unwrap_or(path);
        let query = changed.query.as_deref().unwrap_or(query);
        let body = changed.body.map_or_else(|| case.body.clone(), |body| body.to_string().into_bytes());
        let headers = with(&case.headers, changed.headers, !body.is_empty());
        let became =
            told(&format!("{method} {path}{}{query}", if query.is_empty() { "" } else { "?" }), &body);
        let operation = match mock::find(self.new, method, path) {
            Ok(operation) => operation,
            Err(_) => {
                let what = "is asked for, and the new version has no such operation".to_owned();
                let place = Where::Parameter(Place::Path, format!("{method} {path}").into());
                let fault = Fault { place, pointer: String::new(), rule: "operation", what };
                self.fail(Side::Request, &case.name, before, became, vec![fault]);
                return None;
            }
        };
        let headers = borrowed(&headers);
        let request = Request { path, query, headers: &headers, body: &body };
        let mut faults = check::request(operation, &request);
        faults.extend(self.lost(operation, &request));
        if !faults.is_empty() {
            self.fail(Side::Request, &case.name, before, became, faults);
        }
        Some(operation.key.clone())
    }

    /// Parameters of the old version that the new one does not know: it would pass them over without a word.
    fn lost(&self, other: &Operation, request: &Request<'_>) -> Vec<Fault> {
        let is_sent = |parameter: &Parameter| match parameter.place {
            Place::Query => request.query_pairs().any(|(name, _)| name == *parameter.name),
            Place::Header => request.header(&parameter.name).is_some(),
            Place::Path | Place::Cookie => false,
        };
        let knows = |parameter: &Parameter| {
            other.parameters.iter().any(|known| {
                known.place == parameter.place
                    && (known.name == parameter.name
                        || known.place == Place::Header && known.name.eq_ignore_ascii_case(&parameter.name))
            })
        };
        let lost =
            self.operation.parameters.iter().filter(|parameter| is_sent(parameter) && !knows(parameter));
        lost.map(|parameter| Fault {
            place: Where::Parameter(parameter.place, parameter.name.clone()),
            pointer: String::new(),
            rule: "unknown",
            what: "is not known to the new version, which would pass it over".to_owned(),
        })
        .collect()
    }

    fn changed(&self, sent: &Request<'_>) -> Result<super::ChangedRequest, Fault> {
        let Some(transform) = &self.transform else { return Ok(super::ChangedRequest::default()) };
        let body = match sent.header("content-type") {
            Some(kind) if is_json(&kind) && transform.reads_request() => Some(value(sent.body)?),
            Some(_) | None => None,
        };
        transform.request(sent, body).map_err(in_body)
    }

    /// Tries the answers of an operation of the new version.
    fn answers(&mut self, other: &Operation) {
        let mut seen = BTreeSet::new();
        for response in &other.responses {
            let status = match response.statuses {
                Statuses::One(status) => status,
                Statuses::Class(class) => u16::from(class) * 100,
                Statuses::Default => 500,
            };
            for seed in ANSWER_SEEDS {
                let Some(answer) = mock::of_response(other, response, status, seed) else { continue };
                if seen.insert((status, answer.body.clone())) {
                    self.proof.answers += 1;
                    self.answer(other, &answer);
                }
            }
        }
    }

    fn answer(&mut self, other: &Operation, answer: &Answer) {
        let case = format!("answer {} of {}", answer.status, other.key);
        let before = told(&answer.status.to_string(), &answer.body);
        let headers = borrowed(&answer.headers);
        let part = self.transform.as_ref().and_then(|transform| transform.response(answer.status));
        let is_json = answer.headers.iter().any(|(name, kind)| name == "content-type" && is_json(kind));
        let changed = part.map(|part| {
            let body = (is_json && part.reads_body()).then(|| value(&answer.body)).transpose()?;
            part.answer(&headers, body).map_err(in_body)
        });
        let changed = match changed.unwrap_or_else(|| Ok(super::ChangedResponse::default())) {
            Ok(changed) => changed,
            Err(fault) => return self.fail(Side::Answer, &case, before, String::new(), vec![fault]),
        };
        let status = changed.status.unwrap_or(answer.status);
        let body = changed.body.map_or_else(|| answer.body.clone(), |body| body.to_string().into_bytes());
        let headers = with(&answer.headers, changed.headers, !body.is_empty());
        let faults = check::answer(self.operation, status, &borrowed(&headers), &body);
        if !faults.is_empty() {
            self.fail(Side::Answer, &case, before, told(&status.to_string(), &body), faults);
        }
    }
}

fn value(body: &[u8]) -> Result<serde_json::Value, Fault> {
    read(body).map_err(|what| Fault { place: Where::Body, pointer: String::new(), rule: "shim", what })
}

fn in_body(fault: super::Fault) -> Fault {
    Fault { place: Where::Body, pointer: fault.pointer, rule: "shim", what: fault.what }
}

/// A head after its changes; a body that came into being is JSON.
fn with(headers: &[(String, String)], changed: ChangedHead, has_body: bool) -> Vec<(String, String)> {
    let ChangedHead { removed, added } = changed;
    let stays = |name: &str| !removed.iter().any(|gone| gone.eq_ignore_ascii_case(name));
    let mut all: Vec<(String, String)> = headers.iter().filter(|(name, _)| stays(name)).cloned().collect();
    all.extend(added);
    if has_body && !all.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        all.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    all
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn told(first: &str, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let between = if body.is_empty() { "" } else { " " };
    shown(&format!("{first}{between}{body}"), SHOWN_CHARS).into_owned()
}
