//! The API, asked from inside of the process by what is served beside it.
//!
//! There is no back door: who is served at the same address asks with the credentials of the person in front, goes
//! the way every request goes, and may what that person may. Only the connection is left out.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};

use super::dispatch;
use super::state::State;

/// The API of this process.
#[derive(Clone, Debug)]
pub struct Inside(Arc<State>);

impl Inside {
    pub(super) fn of(state: &Arc<State>) -> Inside {
        Inside(Arc::clone(state))
    }

    /// Asks for a path, perhaps with a query, as whoever has this bearer token. Not for watches: the whole answer is
    /// taken.
    pub async fn get(&self, target: &str, token: &str) -> (StatusCode, Bytes) {
        let Ok(mut authorization) = HeaderValue::try_from(format!("Bearer {token}")) else {
            return (StatusCode::UNAUTHORIZED, Bytes::new());
        };
        authorization.set_sensitive(true);
        let request = Request::get(target).header(AUTHORIZATION, authorization).body(());
        let Ok(request) = request else { return (StatusCode::BAD_REQUEST, Bytes::new()) };
        let other = self.0.beside.iter().find(|other| other.takes(request.uri().path()));
        if let Some(told) = other.and_then(|other| other.tell(&request)) {
            return told.await;
        }
        let response = dispatch::answer(&self.0, None, request.map(|()| Empty::<Bytes>::new())).await;
        let code = response.status();
        match response.into_body().collect().await {
            Ok(body) => (code, body.to_bytes()),
            Err(_broken_off) => (StatusCode::BAD_GATEWAY, Bytes::new()),
        }
    }
}
