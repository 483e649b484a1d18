//! Asks issuers what tokens are that only they understand (RFC 7662), off the workers.
//!
//! However many requests of however many workers wait for what one token is, its issuer is asked once. How many
//! questions are under way is bounded; past it nobody is let in who would need another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use engine::authentication::IntrospectionEndpoint;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::fetch::{Form, Question, ask};
use crate::limits::{INTROSPECTION_ANSWER_BYTES_MAX, INTROSPECTION_MILLISECONDS, INTROSPECTIONS_MAX};

/// What came of a question: the body of the answer, or nothing.
type Told = Option<Option<Bytes>>;

/// Asks for all workers.
#[derive(Clone, Debug, Default)]
pub struct Introspector {
    runtime: Arc<OnceLock<Handle>>,
    flights: Arc<Mutex<HashMap<Flight, watch::Receiver<Told>>>>,
}

/// A question that is under way.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Flight {
    /// Address of the endpoint, which lives as long as the question.
    endpoint: usize,
    token: Box<[u8]>,
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

impl Introspector {
    /// Questions are asked there from now on.
    pub fn run_on(&self, runtime: Handle) {
        let _ = self.runtime.set(runtime); // Nobody sets it twice.
    }

    /// What the issuer of a token says of it; `None` when it does not say, or too many are asked already.
    pub async fn ask(&self, endpoint: &Arc<IntrospectionEndpoint>, token: &[u8]) -> Option<Bytes> {
        let mut told = self.join(endpoint, token)?;
        let told = told.wait_for(Option::is_some).await.ok()?;
        told.clone().flatten()
    }

    /// The question about a token that is under way, or another one.
    fn join(&self, endpoint: &Arc<IntrospectionEndpoint>, token: &[u8]) -> Option<watch::Receiver<Told>> {
        let runtime = self.runtime.get()?;
        let flight = Flight { endpoint: Arc::as_ptr(endpoint) as usize, token: token.into() };
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = flights.get(&flight) {
            return Some(known.clone());
        }
        if flights.len() >= INTROSPECTIONS_MAX {
            return None;
        }
        let (tell, told) = watch::channel(None);
        flights.insert(flight.clone(), told.clone());
        let (endpoint, all) = (endpoint.clone(), self.flights.clone());
        runtime.spawn(async move {
            let answer = introspect(&endpoint, &flight.token).await;
            if let Err(why) = &answer {
                eprintln!("selvedge: {} does not say what a token is: {why}", endpoint.fetch.url.as_str());
            }
            all.lock().unwrap_or_else(PoisonError::into_inner).remove(&flight);
            let _ = tell.send(Some(answer.ok())); // Whoever has asked may have gone.
        });
        Some(told)
    }
}

async fn introspect(endpoint: &IntrospectionEndpoint, token: &[u8]) -> Result<Bytes, String> {
    let mut text = "token_type_hint=access_token&token=".to_owned();
    for byte in token {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => text.push(char::from(*byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    let question = Question {
        accept: "application/json",
        form: Some(Form { text, authorization: endpoint.authorization.clone() }),
        bytes_max: INTROSPECTION_ANSWER_BYTES_MAX,
    };
    ask(&endpoint.fetch, &question, Duration::from_millis(INTROSPECTION_MILLISECONDS)).await
}
