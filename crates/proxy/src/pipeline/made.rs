//! Answers that are made here, because a rule says so: one that never changes, or one out of a description.
//!
//! No upstream is asked. Memory is taken for each: these answers stand in for a service, and are no service.

use engine::config::{FixedAnswer, Mock};

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::MOCK_BODY_BYTES_MAX;
use crate::respond::Answer;
use crate::told;
use crate::whole;

/// The answer that a rule always gives.
pub(super) fn fixed(answer: &FixedAnswer) -> Answer {
    let fields = answer.fields.iter().map(|(name, value)| ((*name).into(), value.as_bytes().to_vec()));
    Answer { status: answer.status, fields: fields.collect(), content: answer.content.as_bytes().to_vec() }
}

/// The answer of an operation that nobody serves yet, out of its description.
pub(super) async fn mock(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    mock: &Mock,
) -> Result<Answer, Failure> {
    whole::take_request(downstream, exchange, MOCK_BODY_BYTES_MAX).await?;
    let mut headers = told::fields(&exchange.request.head.fields, &exchange.request.text);
    if mock.dynamic && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("prefer")) {
        headers.push(("prefer", "dynamic=true"));
    }
    let sent = told::request(exchange, &mock.base, &headers);
    let seed = u64::from(exchange.worker.random.below(u32::MAX));
    let apis::mock::Answer { status, headers, body } =
        apis::mock::answer(&mock.operation, &apis::mock::Request { sent, seed });
    let fields =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase().into(), value.into_bytes()));
    Ok(Answer { status, fields: fields.collect(), content: body })
}
