//! Keys and trust anchors, which somebody else knows how to read.
//!
//! The engine decides who may use which Secret; whether its bytes are a certificate is asked through a trait, so
//! that no cryptography is linked in here. Answers are remembered until the object changes.

use std::collections::HashMap;
use std::sync::Arc;

use model::kinds::references::LocalObjectRef;
use model::kinds::secret::CA_CRT;
use model::kinds::{CORE_GROUP, ConfigMap, Secret};
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};
use rustls_pki_types::CertificateDer;

use crate::config::KeyPair;
use crate::status::Reason;

/// What is known of the key pair in a Secret.
#[derive(Clone, Debug)]
pub struct PairState {
    /// The pair to serve: the Secret's own, or the last good one when its new content is broken.
    pub usable: Option<Arc<KeyPair>>,
    /// What is wrong with the Secret as it is now.
    pub problem: Option<String>,
}

/// Reads keys and certificates.
pub trait Certificates {
    /// The pair in a Secret. Called once for each version of a Secret; remembering the last good pair of
    /// a Secret over its versions is up to the implementation.
    fn pair(&mut self, secret: Typed<'_, Secret>) -> PairState;

    /// The certificates in a PEM text, at least one.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the text.
    fn roots(&mut self, pem: &str) -> Result<Vec<CertificateDer<'static>>, String>;
}

/// Trust anchors, or one sentence that says what is wrong.
type Roots = Result<Vec<CertificateDer<'static>>, String>;

/// Answers by object, valid as long as the object stays the same, wherever it stands in its file.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pairs: HashMap<ResourceKey, (Arc<Resource>, PairState)>,
    roots: HashMap<ResourceKey, (Arc<Resource>, Roots)>,
}

/// Trust anchors gathered from references.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    pub(super) roots: Vec<CertificateDer<'static>>,
    /// What is wrong, in the order of the references.
    pub(super) problems: Vec<(Reason, String)>,
}

impl Remembered {
    pub(super) fn pair(
        &mut self,
        secret: Typed<'_, Secret>,
        certificates: &mut dyn Certificates,
    ) -> PairState {
        let key = &secret.resource.key;
        if let Some((resource, state)) = self.pairs.get(key)
            && is_same(resource, secret.resource)
        {
            return state.clone();
        }
        let state = certificates.pair(secret);
        self.pairs.insert(key.clone(), (secret.resource.clone(), state.clone()));
        state
    }

    pub(super) fn roots(&mut self, resource: &Arc<Resource>, certificates: &mut dyn Certificates) -> Roots {
        if let Some((known, answer)) = self.roots.get(&resource.key)
            && is_same(known, resource)
        {
            return answer.clone();
        }
        let answer = match pem(resource) {
            Some(Ok(text)) => certificates.roots(text),
            Some(Err(_)) => Err(format!("the value of `{CA_CRT}` is not text")),
            None => Err(format!("there is no key `{CA_CRT}`")),
        };
        self.roots.insert(resource.key.clone(), (resource.clone(), answer.clone()));
        answer
    }

    /// Gathers trust anchors. A Secret is taken only where `secrets` says so.
    pub(super) fn anchors(
        &mut self,
        namespace: &str,
        references: &[LocalObjectRef],
        secrets: bool,
        resources: &Resources,
        certificates: &mut dyn Certificates,
    ) -> Anchors {
        let mut anchors = Anchors::default();
        for reference in references {
            let LocalObjectRef { group, kind, name } = reference;
            let core = **group == *CORE_GROUP;
            let found = match &**kind {
                "ConfigMap" if core => {
                    resources.find::<ConfigMap>(namespace, name).map(|found| found.resource)
                }
                "Secret" if core && secrets => {
                    resources.find::<Secret>(namespace, name).map(|found| found.resource)
                }
                _ => {
                    anchors.problems.push((
                        Reason::InvalidKind,
                        format!("`{kind}` cannot hold trust anchors; use a ConfigMap"),
                    ));
                    continue;
                }
            };
            let answer = match found {
                Some(resource) => self.roots(resource, certificates),
                None => Err("there is none".to_owned()),
            };
            match answer {
                Ok(roots) => anchors.roots.extend(roots),
                Err(problem) => {
                    let message = format!("{kind} `{namespace}/{name}`: {problem}");
                    anchors.problems.push((Reason::InvalidCACertificateRef, message));
                }
            }
        }
        anchors
    }

    /// Forgets objects that are gone.
    pub(super) fn retain(&mut self, resources: &Resources) {
        self.pairs.retain(|key, _| resources.get(key).is_some());
        self.roots.retain(|key, _| resources.get(key).is_some());
    }
}

/// Reading a pair anew makes another pair of it, and ends the sessions of its listeners.
fn is_same(known: &Arc<Resource>, now: &Arc<Resource>) -> bool {
    Arc::ptr_eq(known, now) || now.is_moved(known)
}

fn pem(resource: &Resource) -> Option<Result<&str, std::str::Utf8Error>> {
    if let Some(map) = resource.content::<ConfigMap>() {
        return map.data.get(CA_CRT).map(|text| Ok(&**text));
    }
    resource.content::<Secret>()?.get(CA_CRT).map(std::str::from_utf8)
}
