//! What a control plane holds, as the engine sees it.
//!
//! Everything this user may read is read, and compiled here: so `apply`, `diff` and `explain` judge with the engine
//! that will run, without asking the control plane for anything but objects.

use std::net::{IpAddr, Ipv4Addr};

use client::{Client, Collection, ListOptions, Object};
use engine::compile::{CompileOptions, Compiled, Compiler, Perspective};
use futures_util::{StreamExt as _, TryStreamExt as _};
use identity::Keyring;
use model::Resources;
use model::kinds::gateway_class::CONTROLLER_NAME;
use model::kinds::{KindName, Scope};

use super::failure;
use crate::exit::Failure;

/// Questions that are asked at once.
pub const AT_ONCE: usize = 8;

/// What a control plane holds.
#[derive(Debug, Default)]
pub struct State {
    /// The objects that could be read.
    pub resources: Resources,
    /// The same as they were sent.
    pub objects: Vec<Object>,
    /// What could not be read, one sentence each: then the engine does not know everything.
    pub unknown: Vec<String>,
}

impl State {
    /// Reads every kind: in all namespaces, or, where this user may not, in these.
    pub async fn read(client: &Client, namespaces: &[String]) -> Result<State, Failure> {
        let kinds =
            futures_util::stream::iter(KindName::ALL.iter().copied().filter(|kind| !kind.is_customer()));
        let read: Vec<(Vec<Object>, Option<String>)> =
            kinds.map(|kind| of_kind(client, kind, namespaces)).buffered(AT_ONCE).try_collect().await?;
        let mut state = State::default();
        for (objects, unknown) in read {
            state.unknown.extend(unknown);
            for object in objects {
                match object.resource() {
                    Ok(resource) => {
                        state.resources.put(resource);
                    }
                    Err(violations) => {
                        let first = violations.iter().next().map_or("", |violation| &violation.problem);
                        state.unknown.push(format!("{} {}: {first}", object.kind(), object.place()));
                    }
                }
                state.objects.push(object);
            }
        }
        Ok(state)
    }

    /// An object as it was sent.
    pub fn object(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Object> {
        self.objects
            .iter()
            .find(|object| object.kind() == kind && object.namespace() == namespace && object.name() == name)
    }
}

async fn of_kind(
    client: &Client,
    kind: KindName,
    namespaces: &[String],
) -> Result<(Vec<Object>, Option<String>), Failure> {
    let options = ListOptions::default();
    match client.list(&Collection::everywhere(kind), &options).await {
        Ok(listed) => return Ok((listed.objects, None)),
        Err(error) if !error.status().is_some_and(client::Status::is_denied) => return Err(failure(error)),
        Err(error) if error.status().is_some_and(|status| status.code == 401) => return Err(failure(error)),
        Err(_) => {}
    }
    let mut objects = Vec::new();
    if kind.scope() == Scope::Namespaced {
        for namespace in namespaces {
            if let Ok(listed) = client.list(&Collection::within(kind, namespace), &options).await {
                objects.extend(listed.objects);
            }
        }
    }
    let unknown = format!("{} may not be read by this user", kind.plural());
    Ok((objects, decides_requests(kind).then_some(unknown)))
}

/// Whether objects of a kind have a part in what becomes of a request. Who may ask the API is nothing to a gateway.
fn decides_requests(kind: KindName) -> bool {
    match kind {
        KindName::Namespace
        | KindName::Secret
        | KindName::ConfigMap
        | KindName::Service
        | KindName::Pod
        | KindName::EndpointSlice
        | KindName::GatewayClass
        | KindName::Gateway
        | KindName::HttpRoute
        | KindName::TcpRoute
        | KindName::ReferenceGrant
        | KindName::BackendTlsPolicy
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::TelemetryPolicy
        | KindName::AuthorizationPolicy
        | KindName::Backend
        | KindName::GatewayParameters
        | KindName::Mesh
        | KindName::Workload
        | KindName::Api
        | KindName::ApiVersion
        | KindName::ApiRevision
        | KindName::ApiBinding
        | KindName::ApiProduct
        | KindName::Plan => true,
        KindName::Role
        | KindName::RoleBinding
        | KindName::ClusterRole
        | KindName::ClusterRoleBinding
        | KindName::AccessToken
        | KindName::Team
        | KindName::Developer
        | KindName::Application
        | KindName::Subscription
        | KindName::Credential
        | KindName::JoinToken
        | KindName::TrustBundle => false,
    }
}

/// A compiler as control planes have it.
pub fn compiler() -> Engine {
    let options = CompileOptions {
        controller_name: CONTROLLER_NAME.to_owned(),
        default_binds: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        perspective: Perspective::Gateways,
    };
    Engine { compiler: Compiler::new(options), keyring: Keyring::new() }
}

/// Compiles one state after the other.
#[derive(Debug)]
pub struct Engine {
    compiler: Compiler,
    keyring: Keyring,
}

impl Engine {
    /// Compiles a state.
    pub fn compile(&mut self, resources: &Resources) -> Compiled {
        self.compiler.compile(resources, &mut self.keyring)
    }
}
