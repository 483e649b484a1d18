//! Which path leads to which page, and who gets in.
//!
//! Without a session there is one page, and it asks for a token. Whether a token is good is asked of the API, and so
//! is everything after that: a session is a token that the browser need not hold.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use crate::api::{Api, Asking, Trouble};
use crate::facts::Unknown;
use crate::form;
use crate::language::Language;
use crate::pages::{self, Frame, Shelf};
use crate::sessions::Sessions;
use crate::{cookies, respond};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Longest form that is read, in bytes; a token fits many times.
pub const FORM_BYTES_MAX: usize = 64 * 1024;
/// A field by which the script says that a page renews itself and nobody asked.
const RENEWAL: &str = "selvedge-renewal";
/// A question whose answer tells nothing but whether the token is somebody's.
const WHO_AM_I: &str = "/apis";

/// The console.
pub struct Console {
    sessions: Sessions,
    clock: Clock,
    shelf: Shelf,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

/// What a path leads to.
enum Door {
    Style,
    Script,
    Icon,
    Login,
    Logout,
    Language,
    Overview,
    Gateways,
    Gateway { namespace: String, name: String },
    Routes,
    Route { namespace: String, name: String },
    Apis,
    Api { namespace: String, name: String },
    Products,
    Product { namespace: String, name: String },
    Applications,
    Application { namespace: String, name: String },
    Usage,
    Proxies,
    Proxy { name: String },
    Mesh,
    Docs,
    Documented { namespace: String, name: String },
}

impl Door {
    fn of(path: &str) -> Option<Door> {
        let (is_public, rest) = match path.strip_prefix("/docs") {
            Some(rest) => (true, rest),
            None => (false, path.strip_prefix("/console")?),
        };
        let segments = rest.split('/').skip(1).filter(|segment| !segment.is_empty());
        let decode = |segment: &str| Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
        let segments: Vec<String> = segments.map(decode).collect::<Option<_>>()?;
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        if is_public {
            return Some(match words.as_slice() {
                [] => Door::Docs,
                [namespace, name] => {
                    Door::Documented { namespace: (*namespace).into(), name: (*name).into() }
                }
                _ => return None,
            });
        }
        Some(match words.as_slice() {
            [] => Door::Overview,
            ["style.css"] => Door::Style,
            ["renew.js"] => Door::Script,
            ["icon.svg"] => Door::Icon,
            ["login"] => Door::Login,
            ["logout"] => Door::Logout,
            ["language"] => Door::Language,
            ["gateways"] => Door::Gateways,
            ["gateways", namespace, name] => {
                Door::Gateway { namespace: (*namespace).into(), name: (*name).into() }
            }
            ["routes"] => Door::Routes,
            ["routes", namespace, name] => {
                Door::Route { namespace: (*namespace).into(), name: (*name).into() }
            }
            ["apis"] => Door::Apis,
            ["apis", namespace, name] => Door::Api { namespace: (*namespace).into(), name: (*name).into() },
            ["products"] => Door::Products,
            ["products", namespace, name] => {
                Door::Product { namespace: (*namespace).into(), name: (*name).into() }
            }
            ["applications"] => Door::Applications,
            ["applications", namespace, name] => {
                Door::Application { namespace: (*namespace).into(), name: (*name).into() }
            }
            ["usage"] => Door::Usage,
            ["mesh"] => Door::Mesh,
            ["proxies"] => Door::Proxies,
            ["proxies", name] => Door::Proxy { name: (*name).into() },
            _ => return None,
        })
    }
}

impl Console {
    /// A console without sessions.
    #[must_use]
    pub fn new(clock: Clock) -> Console {
        Console { sessions: Sessions::default(), clock, shelf: Shelf::default() }
    }

    /// Answers a request; its body has at most [`FORM_BYTES_MAX`] bytes.
    pub async fn answer(&self, request: Request<Bytes>, api: &dyn Api) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        let door = Door::of(head.uri.path());
        let is_form = matches!(door, Some(Door::Login | Door::Logout | Door::Language));
        match (door, &head.method) {
            (Some(Door::Style), &Method::GET | &Method::HEAD) => respond::content(
                StatusCode::OK,
                "text/css; charset=utf-8",
                concat!(include_str!("../assets/style.css"), include_str!("../templates/drawing.css")),
            ),
            (Some(Door::Script), &Method::GET | &Method::HEAD) => {
                let script = include_str!("../assets/renew.js");
                respond::content(StatusCode::OK, "text/javascript; charset=utf-8", script)
            }
            (Some(Door::Icon), &Method::GET | &Method::HEAD) => {
                respond::content(StatusCode::OK, "image/svg+xml", include_str!("../assets/icon.svg"))
            }
            (Some(Door::Login), &Method::GET | &Method::HEAD) => {
                let wanted = query(&head, "to");
                self.login_page(&head, form::destination(wanted.as_deref()), None, StatusCode::OK)
            }
            (Some(Door::Login), &Method::POST) => self.log_in(&head, &body, api).await,
            (Some(Door::Logout), &Method::POST) => self.log_out(&head),
            (Some(Door::Language), &Method::POST) => speak(&head, &body),
            (door, &Method::GET | &Method::HEAD) if pages::is_public(head.uri.path()) => {
                self.public_page(&head, door, api).await
            }
            (door, &Method::GET | &Method::HEAD) if !is_form => self.page(&head, door, api).await,
            (_, _) => respond::other_methods(if is_form { "POST" } else { "GET, HEAD" }),
        }
    }

    async fn log_in(&self, head: &Parts, body: &[u8], api: &dyn Api) -> Response<Bytes> {
        let wanted = form::field(body, "to");
        let to = form::destination(wanted.as_deref());
        let words = language(head).words();
        if !form::is_ours(head) {
            return self.login_page(head, to, Some(words.form_strange), StatusCode::FORBIDDEN);
        }
        let token = form::field(body, "token").unwrap_or_default();
        let asking = Asking { api, token: token.trim() };
        match asking.one(WHO_AM_I).await {
            Ok(_) => {}
            Err(Trouble::Unknown | Trouble::Denied) => {
                return self.login_page(head, to, Some(words.token_wrong), StatusCode::UNAUTHORIZED);
            }
            Err(Trouble::Absent | Trouble::Failed(_)) => {
                return self.login_page(head, to, Some(words.failed), StatusCode::BAD_GATEWAY);
            }
        }
        // A session of before is not prolonged: whoever may have planted its name must not share the new one.
        if let Some(name) = cookies::value(&head.headers, cookies::SESSION) {
            self.sessions.end(name);
        }
        match self.sessions.begin(asking.token, (self.clock)()) {
            Some(name) => respond::with_cookie(respond::go(to), &cookies::begin(&name)),
            None => self.login_page(head, to, Some(words.failed), StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn log_out(&self, head: &Parts) -> Response<Bytes> {
        if !form::is_ours(head) {
            return respond::go("/console");
        }
        if let Some(name) = cookies::value(&head.headers, cookies::SESSION) {
            self.sessions.end(name);
        }
        respond::with_cookie(respond::go("/console/login"), &cookies::end())
    }

    /// A page for everybody. What it shows is asked as nobody.
    async fn public_page(&self, head: &Parts, door: Option<Door>, api: &dyn Api) -> Response<Bytes> {
        let (frame, here) = (Frame::new(language(head), head.uri.path()), host(head));
        match door {
            Some(Door::Docs) => pages::docs(frame, api, &here).await,
            Some(Door::Documented { namespace, name }) => {
                pages::docs_of(frame, api, &self.shelf, (&namespace, &name), &here).await
            }
            Some(_) | None => pages::absent(frame.outside()),
        }
    }

    async fn page(&self, head: &Parts, door: Option<Door>, api: &dyn Api) -> Response<Bytes> {
        let session = cookies::value(&head.headers, cookies::SESSION);
        let is_use = !head.headers.contains_key(RENEWAL);
        let token = session.and_then(|name| self.sessions.token(name, is_use, (self.clock)()));
        let Some(token) = token else { return to_login(head) };
        let asking = Asking { api, token: &token };
        let frame = Frame::new(language(head), head.uri.path());
        let made = match door {
            Some(Door::Overview) => pages::overview(frame, asking).await,
            Some(Door::Gateways) => pages::gateways(frame, asking).await,
            Some(Door::Gateway { namespace, name }) => pages::gateway(frame, asking, &namespace, &name).await,
            Some(Door::Routes) => pages::routes(frame, asking).await,
            Some(Door::Route { namespace, name }) => pages::route(frame, asking, &namespace, &name).await,
            Some(Door::Apis) => pages::apis(frame, asking).await,
            Some(Door::Api { namespace, name }) => pages::api(frame, asking, &namespace, &name).await,
            Some(Door::Products) => pages::products(frame, asking).await,
            Some(Door::Product { namespace, name }) => pages::product(frame, asking, &namespace, &name).await,
            Some(Door::Applications) => pages::applications(frame, asking).await,
            Some(Door::Application { namespace, name }) => {
                pages::application(frame, asking, &namespace, &name).await
            }
            Some(Door::Usage) => pages::used(frame, asking).await,
            Some(Door::Proxies) => pages::proxies(frame, asking).await,
            Some(Door::Proxy { name }) => pages::proxy(frame, asking, &name).await,
            Some(Door::Mesh) => pages::mesh(frame, asking).await,
            Some(Door::Docs | Door::Documented { .. })
            | Some(Door::Style | Door::Script | Door::Icon | Door::Login | Door::Logout | Door::Language)
            | None => Ok(pages::absent(frame)),
        };
        made.unwrap_or_else(|Unknown| {
            if let Some(name) = session {
                self.sessions.end(name);
            }
            to_login(head)
        })
    }

    fn login_page(&self, head: &Parts, to: &str, problem: Option<&str>, code: StatusCode) -> Response<Bytes> {
        pages::login(Frame::new(language(head), "/console/login"), to, problem, code)
    }
}

fn to_login(head: &Parts) -> Response<Bytes> {
    let to = form::destination(Some(head.uri.path()));
    match to {
        "/console" => respond::go("/console/login"),
        to => respond::go(&format!("/console/login?to={to}")),
    }
}

/// Remembers the chosen language, and goes back to where it was chosen.
fn speak(head: &Parts, body: &[u8]) -> Response<Bytes> {
    let wanted = form::field(body, "to");
    let back = respond::go(form::destination(wanted.as_deref()));
    let chosen = form::field(body, "language").and_then(|tag| Language::tagged(&tag));
    match chosen.filter(|_| form::is_ours(head)) {
        Some(language) => respond::with_cookie(back, &cookies::speak(language.tag())),
        None => back,
    }
}

/// The host at which these pages were asked for, without its port. Only what can be one is believed.
fn host(head: &Parts) -> String {
    let named = head.headers.get(HOST).and_then(|value| value.to_str().ok());
    let authority =
        named.and_then(|named| named.parse::<Authority>().ok()).or_else(|| head.uri.authority().cloned());
    authority.map_or_else(|| "127.0.0.1".to_owned(), |authority| authority.host().to_owned())
}

fn language(head: &Parts) -> Language {
    let chosen = cookies::value(&head.headers, cookies::LANGUAGE);
    let browser = head.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::choose(chosen, browser)
}

fn query(head: &Parts, name: &str) -> Option<String> {
    form::field(head.uri.query().unwrap_or_default().as_bytes(), name)
}
