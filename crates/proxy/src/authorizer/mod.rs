//! Asks somebody else whether a request may pass, by Envoy's protocol for that (`ext_authz`), over gRPC or HTTP.
//!
//! A question is a request of its own over the pools that there are, so an authorizer is reached as any backend is:
//! by Service or Backend, with its TLS, between members of the mesh as a member. Nothing of an answer is applied before
//! all of it was understood, and what is not understood, not in time or not there refuses, unless the policy says
//! that requests pass then.

mod answer;
mod call;
mod grpc;
mod http;
mod proto;
mod verdict;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use engine::config::{Authorizer, AuthorizerQuestion, ShownBody};

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::filters::Flow;
use crate::heard::Heard;
use crate::limits::AUTHORIZER_PARTLY_SHOWN_BYTES_MAX;
use crate::whole;

pub use answer::grpc_status;

use verdict::{Fault, Verdict};

/// Asks all of them, one after the other; the first who refuses decides.
///
/// # Errors
/// Nothing is known of the request, or it cannot be shown to who is asked.
pub async fn ask<'c>(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'c>,
    authorizers: &'c [Arc<Authorizer>],
) -> Result<Flow, Failure> {
    for authorizer in authorizers {
        let shown = show_body(downstream, exchange, authorizer.body).await?;
        let said = in_time(downstream, exchange, authorizer, shown).await?;
        if let AuthorizerQuestion::Http { to_upstream, .. } = &authorizer.question {
            verdict::strip(exchange, to_upstream);
        }
        let said = said.and_then(|verdict| match verdict {
            Verdict::Allow(consent) => consent.apply(exchange).map(|()| None),
            Verdict::Deny(refusal) => Ok(Some(refusal)),
        });
        match said {
            Ok(None) => exchange.worker.metrics.authorizers_allowed.add(1),
            Ok(Some(refusal)) => {
                exchange.worker.metrics.authorizers_denied.add(1);
                note(exchange, authorizer, None);
                exchange.fail(Failure::ExternallyDenied);
                exchange.outcome.is_refused = true;
                return Ok(Flow::Respond(refusal.into_answer(exchange.is_grpc())));
            }
            Err(fault) => {
                note(exchange, authorizer, Some(fault));
                // A policy that leads nowhere was not understood, which is no failure of an authorizer.
                if !authorizer.passes_on_failure || fault == Fault::Unresolved {
                    exchange.worker.metrics.authorizers_failed.add(1);
                    return Err(Failure::AuthorizerFailed);
                }
                exchange.worker.metrics.authorizers_passed_over.add(1);
            }
        }
    }
    Ok(Flow::Continue)
}

fn note<'c>(exchange: &mut Exchange<'c>, authorizer: &'c Authorizer, fault: Option<Fault>) {
    let heard = exchange.heard.get_or_insert_with(|| Box::new(Heard::default()));
    heard.policy = Some(&authorizer.policy);
    heard.fault = fault.map(Fault::code);
    heard.status_on_error = authorizer.status_on_error;
}

/// Takes the body in as far as it is shown; how many bytes of it are.
async fn show_body(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    shown: Option<ShownBody>,
) -> Result<Option<usize>, Failure> {
    let Some(ShownBody { bytes_max, partly }) = shown else { return Ok(None) };
    let taken = if partly { bytes_max.max(AUTHORIZER_PARTLY_SHOWN_BYTES_MAX) } else { bytes_max };
    whole::take_request(downstream, exchange, taken).await?;
    let length = exchange.body.as_ref().map_or(0, |body| body.content().len());
    // Somebody before may have taken more in than this one is to be shown.
    if length > bytes_max && !partly {
        return Err(Failure::BodyTooLarge);
    }
    Ok(Some(length.min(bytes_max)))
}

/// What one of them says within its time, unless the client gives up before.
async fn in_time(
    downstream: &mut Downstream,
    exchange: &Exchange<'_>,
    authorizer: &Authorizer,
    shown: Option<usize>,
) -> Result<Result<Verdict, Fault>, Failure> {
    let mut work = pin!(tokio::time::timeout(authorizer.timeout, consult(exchange, authorizer, shown)));
    poll_fn(|cx| {
        if let Poll::Ready(said) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(said.unwrap_or(Err(Fault::Timeout))));
        }
        match downstream.poll_given_up(cx) {
            Poll::Ready(()) => Poll::Ready(Err(Failure::ClientClosed)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn consult(
    exchange: &Exchange<'_>,
    authorizer: &Authorizer,
    shown: Option<usize>,
) -> Result<Verdict, Fault> {
    let slot = authorizer.cluster.ok_or(Fault::Unresolved)?;
    let cluster = exchange.worker.clusters.get(slot).ok_or(Fault::Unresolved)?;
    let body = shown.and_then(|length| exchange.body.as_ref()?.content().get(..length));
    match &authorizer.question {
        AuthorizerQuestion::Grpc { shown, context, with_certificate } => {
            let asked = grpc::Asked { shown: shown.as_deref(), context, with_certificate: *with_certificate };
            let host = match &cluster.cluster.tls {
                Some(tls) => &tls.hostname,
                None => &authorizer.authority,
            };
            let question = grpc::question(exchange, &asked, host, body);
            grpc::verdict(&call::call(exchange, &cluster, question).await?)
        }
        AuthorizerQuestion::Http { prefix, shown, to_upstream, to_client, to_client_on_success } => {
            let question = http::question(exchange, prefix, shown, body);
            let passed = http::Passed { to_upstream, to_client: to_client.as_deref(), to_client_on_success };
            http::verdict(&call::call(exchange, &cluster, question).await?, &passed)
        }
    }
}
