//! Tokens that only their issuer understands: asked about once, and known by a name for a bounded time.

use std::rc::Rc;
use std::time::Duration;

use engine::authentication::{Found, Introspection};
use identity::keyed_hash::HashName;
use identity::token::introspection::{Demands, is_token, read};
use identity::token::{Claims, Flaw};

use super::{Judged, Lacking, Stop, conceal, now, refuse, seconds, token};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::INTROSPECTED_INACTIVE_SECONDS;
use crate::principal::{Principal, Token};
use crate::state::verified::IntrospectedToken;

/// A token about which its issuer has to be asked.
pub struct Ask<'c> {
    method: &'c Introspection,
    token: Vec<u8>,
    name: HashName,
}

impl std::fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask").finish_non_exhaustive()
    }
}

/// What came of looking at a token.
enum Looked<'c> {
    Counts(Rc<Token>),
    Flawed(&'static str),
    Unknown(Ask<'c>),
}

/// Looks for a token.
pub fn prove<'c>(exchange: &mut Exchange<'c>, method: &'c Introspection) -> Judged<'c> {
    for place in &method.places {
        let looked = match place.find(&exchange.view()) {
            Found::Nothing => continue,
            Found::Unclear => Looked::Flawed("token_unclear"),
            Found::Credential(text) => look(exchange, method, &text),
        };
        conceal(exchange, place, method.keep);
        return match looked {
            Looked::Counts(token) => {
                exchange.unproven = None;
                exchange.concealed.told = &method.told;
                Ok(Some(Principal::of_token(token)))
            }
            Looked::Flawed(why) => refuse(exchange, why),
            Looked::Unknown(ask) => Err(Stop::Lacking(Lacking::Introspection(ask))),
        };
    }
    Ok(None)
}

fn look<'c>(exchange: &Exchange<'_>, method: &'c Introspection, text: &[u8]) -> Looked<'c> {
    if !is_token(text) {
        return Looked::Flawed(Flaw::Malformed.code());
    }
    let (name, verified) = (name(exchange, method, text), &exchange.worker.verified);
    let now = now(exchange);
    if let Some(known) = verified.introspected.get(&name)
        && now < known.until
    {
        return match seconds(exchange) < known.ends {
            true => Looked::Counts(known.token.clone()),
            false => Looked::Flawed(Flaw::Expired.code()),
        };
    }
    match verified.inactive.get(&name) {
        Some((flaw, until)) if now < until => Looked::Flawed(flaw.code()),
        Some(_) | None => Looked::Unknown(Ask { method, token: text.to_vec(), name }),
    }
}

/// The name of a token as this method understands it.
fn name(exchange: &Exchange<'_>, method: &Introspection, text: &[u8]) -> HashName {
    let Introspection { endpoint, issuer, audiences, told, clock_skew_seconds, cache_seconds, .. } = method;
    let times = [*clock_skew_seconds, *cache_seconds].map(u64::to_le_bytes).concat();
    let count = [audiences.len(), told.len()].map(|count| count as u8);
    let issuer = issuer.as_deref().unwrap_or_default();
    let head = [
        &b"introspection"[..],
        endpoint.fetch.url.as_str().as_bytes(),
        &endpoint.authorization,
        &times,
        &count,
        issuer.as_bytes(),
    ];
    let audiences = audiences.iter().map(|audience| audience.as_bytes());
    let told = told.iter().map(|(claim, _)| claim.as_bytes());
    exchange.worker.verified.hash.name(head.into_iter().chain(audiences).chain(told).chain([text]))
}

/// Asks about a token, and remembers what was said.
pub async fn ask(exchange: &mut Exchange<'_>, ask: Ask<'_>) -> Result<(), Failure> {
    let Ask { method, token, name } = ask;
    let Some(answer) = exchange.worker.introspector.ask(&method.endpoint, &token).await else {
        exchange.unproven = Some("introspection_unavailable");
        return Err(Failure::AuthenticationUnavailable);
    };
    let demands = Demands {
        issuer: method.issuer.as_deref(),
        audiences: &method.audiences,
        clock_skew_seconds: method.clock_skew_seconds,
        now: seconds(exchange),
    };
    let verified = &exchange.worker.verified;
    match read(&answer, &demands) {
        Ok(claims) => {
            let until = now(exchange) + Duration::from_secs(method.cache_seconds);
            let ends = claims.ends;
            let token = Rc::new(made(claims, method));
            verified.introspected.put(name, Rc::new(IntrospectedToken { token, until, ends }));
            Ok(())
        }
        Err(Flaw::Malformed) => {
            exchange.unproven = Some("introspection_malformed");
            Err(Failure::AuthenticationUnavailable)
        }
        Err(flaw) => {
            let until = now(exchange) + Duration::from_secs(INTROSPECTED_INACTIVE_SECONDS);
            verified.inactive.put(name, (flaw, until));
            Ok(())
        }
    }
}

/// Who it is: the subject at the issuer, or the client where there is none (RFC 7662 section 2.2).
fn made(claims: Claims, method: &Introspection) -> Token {
    let issuer = method.issuer.as_deref().unwrap_or(method.endpoint.fetch.url.as_str());
    let client = || claims.all.get("client_id").and_then(serde_json::Value::as_str);
    let who = match (claims.subject(), client()) {
        (Some(subject), _) => format!("#{subject}"),
        (None, Some(client)) => format!("?client_id={client}"),
        (None, None) => "#".to_owned(),
    };
    Token {
        name: format!("introspection:{issuer}{who}").into(),
        told: token::all_told(&method.told, &claims.all),
        claims: claims.all,
    }
}
