//! Filters: one file each, request and response side together.
//!
//! The order is the engine's ([`engine::config::Filter::ORDER`]): it has sorted the list already. Most filters
//! change nothing here but note what is to be changed; the fields are written once, when the head leaves.

pub mod access;
pub mod addresses;
pub mod authentication;
pub mod authorization;
pub mod cors;
pub mod fault;
pub mod mirror;
pub mod quotas;
pub mod rates;
pub mod redirect;
pub mod transform;
pub mod validation;

use engine::config::Filter;

use crate::buffer::Text;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::message::ResponseHead;
use crate::respond::Answer;
use crate::stream::WholeBody;

/// Whether a request goes on.
#[derive(Debug)]
pub enum Flow {
    /// To the next filter.
    Continue,
    /// No further: this is the answer.
    Respond(Answer),
}

/// Runs filters on an answer that was taken in whole, because one of them has asked for it in
/// [`Exchange::answer_bytes_max`]. They may change its head and replace its body.
///
/// # Errors
/// The answer must not go on; this is answered instead.
pub fn on_whole_answer(
    exchange: &mut Exchange<'_>,
    head: &mut ResponseHead,
    text: &mut Text,
    body: &mut WholeBody,
) -> Result<(), Failure> {
    // What a description promises is promised to clients: it is judged what they get.
    transform::on_whole(exchange, head, text, body)?;
    validation::on_whole_answer(exchange, head, text, body)
}

/// Runs filters on the request.
pub fn on_request<'c>(exchange: &mut Exchange<'c>, filters: &'c [Filter]) -> Flow {
    for filter in filters {
        match filter {
            Filter::Cors(rules) => {
                if let Flow::Respond(answer) = cors::on_request(exchange, rules) {
                    return Flow::Respond(answer);
                }
            }
            // A rule and a backend may each carry one set of edits (Gateway API allows a filter once a list).
            Filter::RequestHeaders(edits) => match &mut exchange.request_edits {
                [first @ None, _] => *first = Some(edits),
                [_, second] => *second = Some(edits),
            },
            // On the way back the order is the other one: what was noted last is applied first.
            Filter::ResponseHeaders(edits) => match &mut exchange.response_edits {
                [_, last @ None] => *last = Some(edits),
                [first, _] => *first = Some(edits),
            },
            Filter::Rewrite(rewrite) => exchange.rewrite = Some(rewrite),
            Filter::Mirror(rules) => mirror::on_request(exchange, rules),
        }
    }
    Flow::Continue
}
