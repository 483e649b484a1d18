//! The mesh as one picture: who is in it, who answers for which Services, who may call whom, and who does.
//!
//! Drawn by nobody here: the console and `selvedge mesh show` draw what this tells. A party is everybody under one
//! identity, because that is what policies are about. A picture is for people, so it is
//! bounded, and says what it left out.

mod calls;
mod parties;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::mesh::MeshView;
use model::Resources;
use model::kinds::TrustBundle;
use model::kinds::mesh::{DefaultAction, MtlsMode};
use model::units::Moment;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::calls::Call;
use self::parties::{Party, Replica, Role};
use super::{Kind, List, Told, column};
use crate::proxies::HeldCertificate;

/// Most parties in a picture. Past it the rest is counted, and nothing of it is drawn.
pub const PARTIES_MAX: usize = 200;
/// Most calls in a picture. Past it the rest is counted; those that are made come first.
pub const CALLS_MAX: usize = 1_000;

/// The kind.
pub static KIND: Kind = Kind {
    kind: "MeshPicture",
    plural: "meshpictures",
    singular: "meshpicture",
    is_namespaced: false,
    columns: &[
        column("Name", "string", "/metadata/name"),
        column("Trust-Domain", "string", "/status/trustDomain"),
        column("mTLS", "string", "/status/mtls"),
        column("Default-Action", "string", "/status/defaultAction"),
        column("Parties", "integer", "/status/parties"),
        column("Calls", "integer", "/status/calls"),
    ],
};

/// What is told.
pub fn tell(told: &Told, now: Instant) -> List {
    let revision = *told.views.revision().borrow();
    let resources = told.world.now().resources;
    let mesh = resources.mesh().zip(MeshView::of(&resources));
    let items = mesh.map(|(mesh, view)| {
        let lifetime = mesh.content.spec.certificates.lifetime();
        let scene = Scene { resources: &resources, view: &view, lifetime, wall: told.clock.seconds() };
        KIND.object(json!({ "name": mesh.resource.key.name.as_str() }), scene.status(told, now))
    });
    List { kind: &KIND, revision, items: items.into_iter().collect() }
}

/// What the picture is made from.
struct Scene<'a> {
    resources: &'a Resources,
    view: &'a MeshView,
    /// How long certificates are good for.
    lifetime: Duration,
    /// Seconds since 1970.
    wall: i64,
}

impl Scene<'_> {
    fn status(&self, told: &Told, now: Instant) -> Value {
        let (mut parties, more_parties) =
            parties::all(self.resources, self.view, &told.proxies.known(now), now);
        let (calls, more_calls) = calls::all(self.resources, &mut parties, &told.proxies.callers(now));
        let programmed = told.proxies.programmed(&told.views, now);
        json!({
            "trustDomain": &*self.view.trust_domain,
            "mtls": mode(self.view.mode),
            "defaultAction": match self.view.default_action {
                DefaultAction::Allow => "Allow",
                DefaultAction::Deny => "Deny",
            },
            "rotation": self.rotation(),
            "controlPlane": {
                "version": env!("CARGO_PKG_VERSION"),
                "leader": *told.leading.borrow(),
                "proxies": programmed.live,
                "programmed": programmed.current,
            },
            "parties": parties.iter().map(|party| self.party(party)).collect::<Vec<_>>(),
            "calls": calls.iter().map(call).collect::<Vec<_>>(),
            "partiesLeftOut": more_parties,
            "callsLeftOut": more_calls,
        })
    }

    /// How far a change of roots is; nothing when none is under way.
    fn rotation(&self) -> String {
        let bundle = self.resources.all::<TrustBundle>().next();
        let stage = bundle.and_then(|bundle| {
            let written = bundle.resource.written.value();
            Some(written.pointer("/status/rotation/stage")?.as_str()?.to_owned())
        });
        stage.unwrap_or_default()
    }

    fn party(&self, party: &Party) -> Value {
        json!({
            "name": party.id.name(),
            "role": match party.id {
                Role::Gateway(..) => "Gateway",
                Role::Account(..) => "Workload",
                Role::Service(..) => "Service",
            },
            "identity": party.identity.as_ref().map(|identity| identity.as_str()),
            "services": party.services.iter().map(|(namespace, name)| format!("{namespace}/{name}"))
                .collect::<Vec<_>>(),
            "open": party.is_open,
            "replicas": party.replicas.iter().map(|replica| self.replica(replica)).collect::<Vec<_>>(),
        })
    }

    fn replica(&self, replica: &Replica) -> Value {
        json!({
            "name": replica.name,
            "proxied": replica.has_proxy,
            "connected": replica.is_connected,
            "ready": replica.is_ready,
            "mtls": replica.modes.iter().map(|mode| self::mode(*mode)).collect::<Vec<_>>(),
            "certificate": replica.certificate.as_ref().map(|held| self.certificate(held)),
        })
    }

    /// Renewed when at most half of the lifetime is left, however long this one was given.
    fn certificate(&self, held: &HeldCertificate) -> Value {
        let left = held.not_after.0 - self.wall;
        let half = i64::try_from(self.lifetime.as_secs() / 2).unwrap_or(i64::MAX);
        json!({
            "notAfter": Moment(held.not_after.0).to_string(),
            "leftSeconds": left,
            "renewsWithinSeconds": (left - half).max(0),
            "issuer": &*held.issuer,
            "problem": held.problem,
        })
    }
}

fn call(call: &Call) -> Value {
    json!({
        "from": call.from,
        "to": call.to,
        "services": call.services.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect::<Vec<_>>(),
        "may": call.may,
        "because": call.because,
        "connected": call.is_connected,
        "requestsPerSecond": rounded(call.requests),
        "errorsPerSecond": rounded(call.errors),
    })
}

fn mode(mode: MtlsMode) -> &'static str {
    match mode {
        MtlsMode::Strict => "Strict",
        MtlsMode::Permissive => "Permissive",
        MtlsMode::Off => "Off",
    }
}

fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

/// Namespace and name.
type Place = (Arc<str>, Arc<str>);

/// Objects by place.
type ByPlace<T> = BTreeMap<Place, T>;
