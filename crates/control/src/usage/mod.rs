//! What was used, for people and for programs that write bills: sums, windows as CloudEvents, and whether the counts
//! agree. Served at the address of the API.
//!
//! | path below `/usage.selvedge.dev/v1` | |
//! |---|---|
//! | `/usage`, `/namespaces/NS/usage` | sums |
//! | `/events`, `/namespaces/NS/events` | windows that will not change, as a batch of CloudEvents |
//! | `/check` | both counts of every day, and how far each gateway is |
//! | `/metrics` | the same as metrics, and how soon revocations are in force |
//!
//! Who may `list` the resource `usage` of `product.selvedge.dev` in a namespace sees what its applications have called
//! and what was called of its APIs; who may everywhere sees everything.

mod ask;
mod events;
mod show;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use model::kinds::PRODUCT_GROUP;

use crate::api::access::{Credentials, Permit, Wish};
use crate::api::beside::{Answered, Beside, Door as Way, Told, Who, document};
use crate::api::tls::peer::Peer;
use crate::api::{Authenticator, Authorizer, Inside, Query};
use crate::clock::Clock;
use crate::objects::media::JSON;
use crate::objects::status::Status;
use crate::proxies::Proxies;
use crate::store::usage::{Picked, UsageRows};
use crate::world::World;

/// What all paths begin with.
pub const ROOT: &str = "/usage.selvedge.dev/v1/";
/// The resource that one needs to be allowed to list.
const RESOURCE: &str = "usage";

const READER: Who = Who::Allowed { verb: "list", resource: "usage.product.selvedge.dev" };

/// What is served, and who is let in.
const WAYS: &[Way] = &[
    Way::new("GET", "/usage.selvedge.dev/v1/usage", READER),
    Way::new("GET", "/usage.selvedge.dev/v1/namespaces/{name}/usage", READER),
    Way::new("GET", "/usage.selvedge.dev/v1/events", READER),
    Way::new("GET", "/usage.selvedge.dev/v1/namespaces/{name}/events", READER),
    Way::new("GET", "/usage.selvedge.dev/v1/check", READER),
    Way::new("GET", "/usage.selvedge.dev/v1/metrics", READER),
];

/// A document and what it is.
struct Document {
    media: &'static str,
    text: String,
}

/// Serves it.
pub struct Door {
    world: Arc<World>,
    proxies: Arc<Proxies>,
    users: Arc<dyn Authenticator>,
    authorizer: Arc<dyn Authorizer>,
    clock: Clock,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    /// Serves the ledger of a store to users that are known and judged by these.
    #[must_use]
    pub fn new(
        world: &Arc<World>,
        proxies: &Arc<Proxies>,
        users: &Arc<dyn Authenticator>,
        authorizer: &Arc<dyn Authorizer>,
        clock: &Clock,
    ) -> Door {
        let (world, proxies) = (Arc::clone(world), Arc::clone(proxies));
        let (users, authorizer) = (Arc::clone(users), Arc::clone(authorizer));
        Door { world, proxies, users, authorizer, clock: clock.clone() }
    }

    async fn answered<B: Sync>(&self, request: &Request<B>) -> Result<Document, Status> {
        if request.method() != Method::GET {
            return Err(Status::method_not_allowed());
        }
        let path = request.uri().path().strip_prefix(ROOT).unwrap_or_default();
        let (namespace, what) = match path.strip_prefix("namespaces/").and_then(|rest| rest.split_once('/')) {
            Some((namespace, what)) => (Some(namespace.to_owned()), what),
            None => (None, path),
        };
        self.permit(request, namespace.clone())?;
        let query = Query::parse(request.uri().query().unwrap_or_default())?;
        let now = self.clock.seconds();
        let store = self.world.store();
        let ledger = store.usage().ok_or_else(Status::no_such_path)?;
        match (what, namespace.is_some()) {
            ("usage", _) => sums(ledger, &query, namespace, now).await,
            ("events", _) => events::batch(ledger, &query, namespace).await,
            ("check", false) => show::check(ledger, &query, now).await,
            ("metrics", false) => {
                let mut page = show::metrics(ledger, now).await?;
                page.text.push_str(&self.proxies.revocations().metrics());
                Ok(page)
            }
            _ => Err(Status::no_such_path()),
        }
    }

    fn permit<B>(&self, request: &Request<B>, namespace: Option<String>) -> Result<Permit, Status> {
        let peer = request.extensions().get::<Arc<Peer>>();
        let shown = Credentials::of(request.headers(), peer.map(|peer| &peer.name));
        let user = self.users.authenticate(&shown).ok_or_else(Status::unauthorized)?;
        let wish = Wish {
            verb: "list".into(),
            group: PRODUCT_GROUP.into(),
            resource: RESOURCE.into(),
            namespace,
            ..Wish::default()
        };
        let denied = |why: String| Status::forbidden_resource("usage.product.selvedge.dev", &why);
        Permit::ask(&*self.authorizer, Arc::new(user), wish).map_err(denied)
    }
}

async fn sums(
    ledger: &dyn UsageRows,
    query: &Query,
    namespace: Option<String>,
    now: i64,
) -> Result<Document, Status> {
    let merged = ledger.merged().await.map_err(|_| away())?;
    let (picked, by) = (ask::picked(query, namespace, now)?, ask::by(query)?);
    let (from, until) = merged.whole((picked.from, picked.until));
    let picked = Picked { from, until, ..picked };
    let found = ledger.usage(picked.clone(), by.clone()).await.map_err(|_| away())?;
    Ok(Document { media: JSON, text: show::sums(&picked, merged, &by, &found).to_string() })
}

/// The words of a store may name files and hosts, so they are not passed on.
fn away() -> Status {
    Status::service_unavailable("the store is not available now", 1)
}

impl Beside for Door {
    fn doors(&self) -> &'static [Way] {
        WAYS
    }

    fn answer(&self, request: Request<Incoming>, _api: Inside) -> Answered<'_> {
        Box::pin(async move {
            match self.answered(&request).await {
                Ok(Document { media, text }) => document(200, media, text, None),
                Err(status) => {
                    document(status.code(), JSON, status.body().to_string(), status.retry_after_seconds())
                }
            }
        })
    }

    fn tell<'a>(&'a self, request: &'a Request<()>) -> Option<Told<'a>> {
        Some(Box::pin(async move {
            let (code, text) = match self.answered(request).await {
                Ok(document) => (200, document.text),
                Err(status) => (status.code(), status.body().to_string()),
            };
            (StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Bytes::from(text))
        }))
    }
}
