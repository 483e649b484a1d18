//! What a Mesh says about its certificates, read in one place.

use std::sync::Arc;
use std::time::Duration;

use model::kinds::mesh::LIFETIME_DEFAULT;
use model::kinds::{KindName, Mesh};
use model::{Resources, spiffe};

/// The settings of one mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of the Mesh.
    pub mesh: Arc<str>,
    /// Whose identities are made here.
    pub trust_domain: Arc<str>,
    /// How long a certificate lasts: never longer than a day.
    pub lifetime: Duration,
    /// How long a root that we make lasts.
    pub root_lifetime: Duration,
    /// Namespace and name of the Secret with an authority that was supplied; without it we make one.
    pub supplied: Option<(Arc<str>, Arc<str>)>,
}

impl Settings {
    /// What a Mesh says.
    #[must_use]
    pub fn of(name: &str, mesh: &Mesh) -> Settings {
        let certificates = &mesh.spec.certificates;
        let supplied = certificates.ca.as_ref().map(|ca| &ca.secret_ref);
        Settings {
            mesh: name.into(),
            trust_domain: mesh.trust_domain(name),
            lifetime: certificates.lifetime().min(LIFETIME_DEFAULT),
            root_lifetime: certificates.root_lifetime(),
            supplied: supplied.map(|place| (Arc::clone(&place.namespace), Arc::clone(&place.name))),
        }
    }
}

/// The meshes there are, those of one trust domain only once: two could not be told apart.
#[must_use]
pub fn meshes(resources: &Resources) -> Vec<Settings> {
    let mut found: Vec<Settings> = Vec::new();
    for mesh in resources.all::<Mesh>() {
        let settings = Settings::of(mesh.resource.key.name.as_str(), mesh.content);
        let is_taken = found.iter().any(|known| known.trust_domain == settings.trust_domain);
        if !is_taken && spiffe::is_trust_domain(&settings.trust_domain) {
            found.push(settings);
        }
    }
    found
}

/// Whether objects of a kind say something that is read here.
#[must_use]
pub fn is_about_meshes(kind: KindName) -> bool {
    kind == KindName::Mesh
}

/// The mesh that is meant when none is named: the only one, or the one called `default`.
#[must_use]
pub fn usual(resources: &Resources) -> Option<Settings> {
    let mut all = meshes(resources);
    match all.len() {
        1 => all.pop(),
        _ => all.into_iter().find(|settings| &*settings.mesh == "default"),
    }
}
