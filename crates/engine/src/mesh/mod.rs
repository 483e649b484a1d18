//! What holds between members of a mesh and is no business of a single one: names, addresses, what is spoken.

pub mod addresses;
pub mod spoken;

use std::sync::Arc;

use model::kinds::mesh::{DefaultAction, MtlsMode};
use model::{Resources, spiffe::SpiffeId};

/// The mesh as everything that is compiled for one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshView {
    /// Beginning of every identity, end of every server name.
    pub trust_domain: Arc<str>,
    /// How much proof is asked for where nobody said otherwise.
    pub mode: MtlsMode,
    /// What becomes of calls that no policy speaks of.
    pub default_action: DefaultAction,
}

impl MeshView {
    /// The mesh that these resources are, if they are one.
    #[must_use]
    pub fn of(resources: &Resources) -> Option<MeshView> {
        let mesh = resources.mesh()?;
        Some(MeshView {
            trust_domain: mesh.content.trust_domain(mesh.resource.key.name.as_str()),
            mode: mesh.content.spec.mtls.mode,
            default_action: mesh.content.spec.default_action,
        })
    }

    /// How a port of a Service is asked for between members: `<port>.<service>.<namespace>.svc.<trust domain>`.
    #[must_use]
    pub fn server_name(&self, namespace: &str, service: &str, port: u16) -> Arc<str> {
        format!("{port}.{service}.{namespace}.svc.{}", self.trust_domain).into()
    }

    /// Who everything under a service account is; nothing for a name that no identity can have.
    #[must_use]
    pub fn identity(&self, namespace: &str, service_account: &str) -> Option<SpiffeId> {
        SpiffeId::of_service_account(&self.trust_domain, namespace, service_account).ok()
    }
}
