//! Answers against what their description promises.
//!
//! Where they are only reported, a sample of them is copied in passing and judged when it has gone. Where they are
//! refused, each is taken in whole first. What nobody can look into (another encoding, more than the bound, streams
//! that may never end, answers without content by the method) is not judged, and counted.

use apis::check::{self, Fault};
use engine::config::{AnswerValidation, Validation};
use model::kinds::validation_policy::ValidationAction;

use crate::buffer::Text;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::findings::Findings;
use crate::message::{Framing, Method, ResponseHead};
use crate::stream::{Copy, WholeBody};
use crate::told;

/// The client has the answer already (RFC 9110 section 15.4.5), and its description says nothing of that.
const NOT_MODIFIED: u16 = 304;

/// Says in the exchange what is to become of its answer.
pub(super) fn prepare(exchange: &mut Exchange<'_>, validation: &Validation) {
    let Some(AnswerValidation { action, percent, body_bytes_max }) = validation.answers else { return };
    match action {
        ValidationAction::Refuse => {
            let wished = exchange.answer_bytes_max.unwrap_or(0);
            exchange.answer_bytes_max = Some(wished.max(body_bytes_max));
        }
        ValidationAction::Report => {
            exchange.is_sampled = exchange.worker.random.below(100) < u32::from(percent);
        }
    }
}

/// An answer of which a copy is kept while it passes.
#[derive(Debug)]
pub struct Sample {
    head: Text,
    /// The copy.
    pub copy: Copy,
}

impl Sample {
    /// Begins a copy, if this answer is to be judged.
    #[must_use]
    pub fn begin(exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8]) -> Option<Box<Sample>> {
        if !exchange.is_sampled {
            return None;
        }
        let answers = exchange.rule?.validation.as_ref()?.answers?;
        let mut text = Text::new();
        text.extend_from_slice(&bytes[..head.head_bytes]);
        let copy = Copy::bounded(answers.body_bytes_max, head.framing == Framing::None);
        Some(Box::new(Sample { head: text, copy }))
    }

    /// Judges it, once all of it has passed.
    pub fn judge(self, exchange: &mut Exchange<'_>, head: &ResponseHead) {
        let Sample { head: text, copy } = self;
        let whole = copy.into_whole();
        let content = whole.as_ref().map(|whole| whole.content());
        report(exchange, head, &text, content);
    }
}

/// Judges an answer that was taken in whole, after everything that has changed it: what the client gets must keep to
/// the description.
///
/// # Errors
/// It must not go on. What is wrong with it stands in [`Exchange::findings`].
pub fn on_whole_answer(
    exchange: &mut Exchange<'_>,
    head: &ResponseHead,
    text: &[u8],
    body: &WholeBody,
) -> Result<(), Failure> {
    let Some(validation) = exchange.rule.and_then(|rule| rule.validation.as_deref()) else { return Ok(()) };
    let Some(answers) = validation.answers else { return Ok(()) };
    if answers.action == ValidationAction::Report {
        let is_small = body.content().len() <= answers.body_bytes_max;
        if exchange.is_sampled {
            report(exchange, head, text, is_small.then(|| body.content()));
        }
        return Ok(());
    }
    if body.content().len() > answers.body_bytes_max {
        return Err(Failure::AnswerTooLarge);
    }
    match faults(exchange, validation, head, text, body.content()) {
        Judged::Unjudged => exchange.worker.metrics.answers_unjudged.add(1),
        Judged::Found(faults) if faults.is_empty() => exchange.worker.metrics.answers_judged.add(1),
        Judged::Found(faults) => {
            exchange.worker.metrics.answers_judged.add(1);
            exchange.worker.metrics.answers_refused.add(1);
            // The caller cannot mend it, and what is wrong may be what it must not see.
            let findings = Findings::new(&validation.policies, "answer", &faults, false);
            exchange.findings = Some(Box::new(findings));
            return Err(Failure::AnswerInvalid);
        }
        Judged::Encoded => return Err(Failure::AnswerInvalid),
    }
    Ok(())
}

/// Counts and notes what is wrong with an answer that has passed; without content, that nobody could look into it.
fn report(exchange: &mut Exchange<'_>, head: &ResponseHead, text: &[u8], content: Option<&[u8]>) {
    let Some(validation) = exchange.rule.and_then(|rule| rule.validation.as_deref()) else { return };
    let metrics = &exchange.worker.metrics;
    let judged = content.map(|content| faults(exchange, validation, head, text, content));
    match judged {
        None | Some(Judged::Unjudged | Judged::Encoded) => metrics.answers_unjudged.add(1),
        Some(Judged::Found(faults)) => {
            metrics.answers_judged.add(1);
            if !faults.is_empty() {
                metrics.answers_reported.add(1);
                let findings = Findings::new(&validation.policies, "answer", &faults, false);
                exchange.findings.get_or_insert(Box::new(findings));
            }
        }
    }
}

enum Judged {
    Found(Vec<Fault>),
    /// Nothing is said of answers like this.
    Unjudged,
    /// It cannot be looked into.
    Encoded,
}

fn faults(
    exchange: &Exchange<'_>,
    validation: &Validation,
    head: &ResponseHead,
    text: &[u8],
    content: &[u8],
) -> Judged {
    let (request, asked) = (&exchange.request.head, &exchange.request.text);
    if request.method == Method::Head || head.status == NOT_MODIFIED {
        return Judged::Unjudged;
    }
    let (method, path) =
        (told::as_text(request.method_token.of(asked)), told::as_text(request.path.of(asked)));
    let operation = validation.described.as_ref().and_then(|described| described.operation(method, path));
    let Some(operation) = operation else { return Judged::Unjudged };
    let fields = told::fields(&head.fields, text);
    let encoded = |(name, value): &(&str, &str)| {
        name.eq_ignore_ascii_case("content-encoding") && !value.trim().eq_ignore_ascii_case("identity")
    };
    if !content.is_empty() && fields.iter().any(encoded) {
        return Judged::Encoded;
    }
    Judged::Found(check::answer(operation, head.status, &fields, content))
}
