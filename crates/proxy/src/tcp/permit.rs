//! The one place where policies are asked whether a connection may be: who it comes from is known, and no upstream has
//! heard of it. The same is asked again when a change wants open connections judged anew.

use std::sync::Arc;

use engine::authorization::{Authorization, Decision, PolicySlot, Verdict};
use engine::config::{Port, Security, TcpRule, keeps_out};

use crate::caller;
use crate::failure::Failure;
use crate::session::Session;
use crate::state::ports::PortState;

/// Judges a connection, and notes what there is to tell.
///
/// # Errors
/// It may not be.
pub fn permit(session: &mut Session, port: &PortState) -> Result<(), Failure> {
    let rule = session.rule.clone();
    if let Some(rules) = rule.addresses.as_deref()
        && let Some(by) = keeps_out(rules, Some(session.peer.address.ip()))
    {
        crate::log::write_policy(&mut session.decided, &by.policy);
        return Err(Failure::AddressDenied);
    }
    let Some(authorization) = &rule.authorization else { return Ok(()) };
    let verdict = judge(session, port.pin().port(), authorization);
    let count = |decision: &Decision<'_>| session.worker.metrics.policy(decision.slot()).add(1);
    verdict.audits.iter().for_each(count);
    if !verdict.allowed {
        match &verdict.by {
            Some(by) => count(by),
            None => session.worker.metrics.policy(PolicySlot(0)).add(1),
        }
    }
    let denied = verdict.by.filter(|_| !verdict.allowed);
    crate::log::write_decisions(&mut session.decided, denied.as_ref(), &verdict.audits);
    if verdict.allowed { Ok(()) } else { Err(Failure::DeniedByPolicy) }
}

/// Whether a policy that wants it forbids an open connection by now. A route that is gone forbids nothing.
#[cold]
pub fn is_revoked(session: &Session, port: &PortState) -> bool {
    let pinned = port.pin();
    let Some(rule) = rule_now(session, pinned.port()) else { return false };
    rule.authorization.as_deref().is_some_and(|authorization| {
        let verdict = judge(session, pinned.port(), authorization);
        !verdict.allowed && verdict.enforced
    })
}

fn judge<'p>(session: &Session, port: &Port, authorization: &'p Authorization) -> Verdict<'p> {
    caller::judge_connection(&session.peer, port, &session.worker, authorization)
}

/// The rule that the connection would get if it came now.
fn rule_now<'c>(session: &Session, port: &'c Port) -> Option<&'c Arc<TcpRule>> {
    let peer = &session.peer;
    let own = match &port.security {
        Security::Plain => None,
        Security::Tls(tls) => tls.select(peer.server_name.as_deref())?.carries.as_ref(),
        Security::Mesh(_) => match peer.counterpart.as_deref() {
            Some(caller) => Some(port.asked_for(&caller.server_name)?.1),
            None => None,
        },
    };
    own.unwrap_or(&port.carries).rule()
}
