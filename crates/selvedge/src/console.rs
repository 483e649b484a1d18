//! The console at the address of a control plane: portal and control plane joined, which know nothing of each other.

use std::time::Duration;

use std::sync::Arc;

use bytes::Bytes;
use control::api::Inside;
use control::api::beside::{Answered, Beside, Door, Who};
use control::clock::Clock;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use portal::{Api, Console, FORM_BYTES_MAX};

/// How long somebody may take to send a form.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// The pages and what they are made of. Whoever comes to any other is led to the login before learning that there is
/// no such page.
const DOORS: &[Door] = &[
    Door::new("GET", "/console/style.css", Who::Anyone),
    Door::new("GET", "/console/renew.js", Who::Anyone),
    Door::new("GET", "/console/icon.svg", Who::Anyone),
    Door::new("GET", "/console/login", Who::Anyone),
    Door::new("POST", "/console/login", Who::Anyone),
    Door::new("POST", "/console/logout", Who::Anyone),
    Door::new("POST", "/console/language", Who::Anyone),
    Door::new("GET", "/docs", Who::Anyone),
    Door::new("GET", "/docs/{name}/{name}", Who::Anyone),
    Door::new("GET", "/console", Who::LoggedIn),
    Door::new("GET", "/console/{rest}", Who::LoggedIn),
];

/// The pages, to be served beside an API.
#[must_use]
pub fn pages(clock: Clock) -> Arc<dyn Beside> {
    Arc::new(Pages(Console::new(Arc::new(move || clock.now()))))
}

#[derive(Debug)]
struct Pages(Console);

impl Beside for Pages {
    fn doors(&self) -> &'static [Door] {
        DOORS
    }

    fn answer(&self, request: Request<Incoming>, api: Inside) -> Answered<'_> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let form = Limited::new(body, FORM_BYTES_MAX).collect();
            let response = match tokio::time::timeout(FORM_TIMEOUT, form).await {
                Ok(Ok(form)) => self.0.answer(Request::from_parts(head, form.to_bytes()), &Asked(api)).await,
                Ok(Err(_)) => refusal(StatusCode::PAYLOAD_TOO_LARGE),
                Err(_) => refusal(StatusCode::REQUEST_TIMEOUT),
            };
            response.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
        })
    }
}

fn refusal(code: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = code;
    response
}

/// The API of the same process, as the pages ask it.
struct Asked(Inside);

impl Api for Asked {
    fn get<'a>(&'a self, target: &'a str, token: &'a str) -> portal::Answered<'a> {
        Box::pin(self.0.get(target, token))
    }
}
