//! What a Mesh says about its certificates, read in one place.

use std::sync::Arc;
use std::time::Duration;

use model::Resources;
use model::kinds::KindName;

/// How long a certificate lasts unless a Mesh says otherwise; also the longest that it may last.
pub const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long a root that we make lasts unless a Mesh says otherwise.
pub const ROOT_LIFETIME: Duration = Duration::from_secs(8_760 * 3_600);

/// The settings of one mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of the Mesh.
    pub mesh: Arc<str>,
    /// Whose identities are made here.
    pub trust_domain: Arc<str>,
    /// How long a certificate lasts, at most [`LIFETIME_MAX`].
    pub lifetime: Duration,
    /// How long a root that we make lasts.
    pub root_lifetime: Duration,
    /// Namespace and name of the Secret with an authority that was supplied; without it we make one.
    pub supplied: Option<(Arc<str>, Arc<str>)>,
}

impl Settings {
    /// What holds for a mesh that says nothing.
    #[must_use]
    pub fn new(mesh: &str) -> Settings {
        Settings {
            mesh: mesh.into(),
            trust_domain: format!("{mesh}.mesh.local").into(),
            lifetime: LIFETIME_MAX,
            root_lifetime: ROOT_LIFETIME,
            supplied: None,
        }
    }
}

/// The meshes there are.
#[must_use]
pub fn meshes(_resources: &Resources) -> Vec<Settings> {
    vec![Settings::new("default")]
}

/// Whether objects of a kind say something that is read here.
#[must_use]
pub fn is_about_meshes(_kind: KindName) -> bool {
    false
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
