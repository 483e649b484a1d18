//! The proxies: what each serves, how far it is, and what it could not use.

use discovery::{Interest, Rejection};
use model::kinds::KindName;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Kind, List, Told, column, seconds, wide};
use crate::proxies::{HeldCertificate, Proxy};
use crate::status::BindResult;
use crate::store::Revision;
use crate::view::Standing;

/// The kind.
pub static KIND: Kind = Kind {
    kind: "Proxy",
    plural: "proxies",
    singular: "proxy",
    is_namespaced: false,
    columns: &[
        column("Name", "string", "/metadata/name"),
        column("Gateways", "string", "/status/gateways"),
        column("Connected", "boolean", "/status/connected"),
        column("Applied", "integer", "/status/appliedEpoch"),
        column("Behind", "number", "/status/behindSeconds"),
        column("Rejections", "integer", "/status/rejections"),
        wide("Version", "string", "/status/version"),
        wide("Last-Seen", "number", "/status/lastSeenSeconds"),
    ],
};

/// What is told.
pub fn tell(told: &Told, now: Instant) -> List {
    // Read before the views are asked: who runs on everything then has this revision, at least.
    let revision = *told.views.revision().borrow();
    let known = told.proxies.known(now);
    let items = known.iter().map(|proxy| {
        let standing = told.views.standing(&proxy.interest, proxy.epoch);
        KIND.object(json!({ "name": &*proxy.name }), status(proxy, standing, revision, now))
    });
    List { kind: &KIND, revision, items: items.collect() }
}

fn status(proxy: &Proxy, standing: Standing, revision: Revision, now: Instant) -> Value {
    let since = |then: Instant| seconds(now.saturating_duration_since(then));
    // What stands on its disk is confirmed by nobody yet.
    let (applied, behind) = match standing {
        Standing::Current if !proxy.from_cache => (revision, 0.0),
        Standing::Behind(since_then) => (proxy.epoch, since(since_then)),
        Standing::Current | Standing::Unknown => (proxy.epoch, 0.0),
    };
    json!({
        "version": proxy.version,
        "gateways": gateways(&proxy.interest),
        "connected": proxy.is_live(now),
        "workload": workload(&proxy.interest),
        "appliedEpoch": applied,
        "appliedSeconds": since(proxy.since),
        "lastSeenSeconds": since(proxy.heard),
        "behindSeconds": behind,
        "fromCache": proxy.from_cache,
        "customersEpoch": proxy.customers,
        "connections": proxy.connections,
        "uptimeSeconds": since(proxy.started),
        "rejections": proxy.rejected.iter().map(rejection).collect::<Vec<_>>(),
        "addresses": proxy.bound.iter().map(address).collect::<Vec<_>>(),
        "warnings": proxy.warnings,
        "certificate": proxy.certificate.as_ref().map(certificate),
    })
}

/// The Workload that a proxy stands beside.
fn workload(interest: &Interest) -> Option<&str> {
    match interest {
        Interest::Workload(place) => Some(place),
        Interest::All | Interest::Gateways(_) => None,
    }
}

/// A proxy that serves every Gateway says so by a star.
fn gateways(interest: &Interest) -> Vec<&str> {
    match interest {
        Interest::All => vec!["*"],
        Interest::Gateways(names) => names.iter().map(|name| &**name).collect(),
        Interest::Workload(_) => Vec::new(),
    }
}

fn rejection(rejection: &Rejection) -> Value {
    let word = rejection.object.of.as_str();
    let group = KindName::ALL.iter().find(|kind| kind.as_str() == word).map_or("", |kind| kind.group());
    let (namespace, name) = rejection.object.name.split_once('/').unwrap_or(("", &rejection.object.name));
    json!({
        "group": group, "kind": word, "namespace": namespace, "name": name, "message": rejection.problem,
    })
}

fn certificate(held: &HeldCertificate) -> Value {
    json!({
        "identity": &*held.identity, "issuer": &*held.issuer, "notAfter": held.not_after.to_string(),
        "problem": held.problem,
    })
}

fn address(bound: &BindResult) -> Value {
    let at = std::net::SocketAddr::new(bound.address.ip, bound.address.port);
    json!({ "address": at.to_string(), "error": bound.error.as_deref().unwrap_or_default() })
}
