//! What a proxy holds of its control plane's objects, and what it makes of them.
//!
//! The same compiler runs here that the control plane judges changes with, so nothing is accepted there that means
//! something else here. An object that cannot be read is told by name and everything else applies: kinds that say where
//! traffic goes keep their last good version, and what was to protect a target makes that target refuse. No sockets and
//! no disk in here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use discovery::client::{Received, Update};
use discovery::messages::Content;
use discovery::object::TypeName;
use discovery::{Interest, ObjectName, Rejection, Version};
use engine::Config;
use engine::compile::{CompileOptions, Compiler, Perspective};
use engine::mesh::addresses::ServiceBlock;
use identity::Keyring;
use model::kinds::gateway_class::CONTROLLER_NAME;
use model::kinds::{KindName, OnRejection, Scope, Secret, TrustBundle};
use model::shared::Shared;
use model::{Resource, ResourceKey, Resources, Violations, Written, yaml};
use prost::Message as _;

use super::denied::{Denied, Target};
use super::following::LARGE_UPDATE;

/// What a proxy holds.
#[derive(Debug)]
pub struct Replica {
    held: Resources,
    /// What many of them say alike.
    shared: Shared,
    /// What could not be read and must not be passed over, with what it was to protect.
    denying: BTreeMap<ObjectName, Denied>,
    compiler: Compiler,
    keyring: Keyring,
    config: Option<Arc<Config>>,
}

/// What became of an update.
#[derive(Debug)]
pub struct Taken {
    /// What to run on; `None` when it is the same as before.
    pub config: Option<Arc<Config>>,
    /// What could not be read.
    pub rejections: Vec<Rejection>,
}

/// An object that cannot be taken.
struct Unreadable {
    problem: String,
    /// Set when its targets must refuse.
    denies: Option<Denied>,
}

/// Whose eyes a proxy sees the resources with.
fn perspective(interest: &Interest) -> Perspective {
    match interest {
        Interest::All | Interest::Gateways(_) => Perspective::Gateways,
        Interest::Workload(place) => match place.split_once('/') {
            Some((namespace, workload)) => {
                Perspective::Sidecar { namespace: namespace.into(), workload: workload.into() }
            }
            None => Perspective::Gateways,
        },
    }
}

impl Replica {
    /// A replica of nothing, for a proxy that is interested in this.
    /// Gateways that name no address listen on `bind`, and a sidecar opens Services in a block.
    #[must_use]
    pub fn new(bind: IpAddr, interest: &Interest, services: ServiceBlock) -> Replica {
        let options = CompileOptions {
            controller_name: CONTROLLER_NAME.to_owned(),
            default_binds: vec![bind],
            perspective: perspective(interest),
        };
        let compiler = Compiler::new(options).placing_services(services);
        Replica {
            held: Resources::new(),
            shared: Shared::default(),
            denying: BTreeMap::new(),
            compiler: if os::may_listen_on_low_ports() { compiler.binding_low_ports() } else { compiler },
            keyring: Keyring::new(),
            config: None,
        }
    }

    /// The kinds that are understood here, as a session states them.
    #[must_use]
    pub fn types() -> Vec<TypeName> {
        KindName::ALL.iter().map(|kind| TypeName::new(kind.as_str())).collect()
    }

    /// Takes in all that is different, and compiles.
    pub fn take(&mut self, update: &Update) -> Taken {
        let mut rejections = Vec::new();
        for name in &update.removed {
            self.denying.remove(name);
            if let Some(key) = key(name) {
                self.held.remove(&key);
            }
        }
        for (name, received) in &update.put {
            match self.put(name, received) {
                Ok(()) => {}
                Err(problem) => {
                    rejections.push(Rejection {
                        object: name.clone(),
                        version: received.version.clone(),
                        problem,
                    });
                }
            }
        }
        let is_same = update.put.is_empty() && update.removed.is_empty();
        if is_same && self.config.is_some() {
            return Taken { config: None, rejections };
        }
        if update.put.len() >= LARGE_UPDATE {
            self.held.pack();
        }
        let config = self.compile();
        self.config = Some(config.clone());
        Taken { config: Some(config), rejections }
    }

    fn put(&mut self, name: &ObjectName, received: &Received) -> Result<(), String> {
        match read(name, received) {
            Ok(mut resource) => {
                self.shared.share(&mut resource);
                self.denying.remove(name);
                self.held.put(resource);
                Ok(())
            }
            Err(Unreadable { problem, denies }) => {
                match denies {
                    Some(denied) => self.denying.insert(name.clone(), denied),
                    None => self.denying.remove(name),
                };
                Err(problem)
            }
        }
    }

    /// Whom members of meshes believe.
    pub fn trust_bundles(&self) -> Vec<&TrustBundle> {
        self.held.all::<TrustBundle>().map(|bundle| bundle.content).collect()
    }

    /// What is denied now, for whoever shows it.
    pub fn denying(&self) -> impl Iterator<Item = &ObjectName> {
        self.denying.keys()
    }

    /// Certificates that are in use although they are expired or not yet valid, one sentence each.
    #[must_use]
    pub fn warnings(&self, now: std::time::SystemTime) -> Vec<String> {
        self.keyring.warnings(now)
    }

    fn compile(&mut self) -> Arc<Config> {
        let held = &self.held;
        self.keyring.retain(|secret| {
            secret
                .split_once('/')
                .is_some_and(|(namespace, name)| held.find::<Secret>(namespace, name).is_some())
        });
        let seen = match self.denying.is_empty() {
            true => self.held.clone(),
            false => super::denied::without(&self.held, self.denying.iter()),
        };
        self.compiler.compile(&seen, &mut self.keyring).config
    }
}

fn read(name: &ObjectName, received: &Received) -> Result<Resource, Unreadable> {
    let content = Content::decode(received.content.clone()).map_err(|fault| Unreadable {
        problem: format!("its message cannot be read: {fault}"),
        denies: must_deny(name, false).then(|| denied(name, &[])),
    })?;
    let unreadable = |problem: String| Unreadable {
        problem,
        denies: must_deny(name, content.denies).then(|| denied(name, &content.parents)),
    };
    if Version::of(&received.content) != received.version {
        return Err(unreadable("its content is not that of its version".to_owned()));
    }
    if kind(name).is_none() {
        return Err(unreadable(format!(
            "this proxy does not know objects of kind `{}`; upgrade it",
            name.of
        )));
    }
    let value = serde_json::from_slice(&content.json)
        .map_err(|fault| unreadable(format!("it is no JSON: {fault}")))?;
    let mut resource = yaml::read_value(value).map_err(|violations| unreadable(sentences(&violations)))?;
    // It is shown by the control plane; here it would be kept for nobody.
    resource.written = Written::nothing();
    if key(name).as_ref() != Some(&resource.key) {
        return Err(unreadable(format!("it calls itself {}", resource.key)));
    }
    Ok(resource)
}

/// Every violation with its field, in one line.
fn sentences(violations: &Violations) -> String {
    let each = violations.iter().map(|violation| format!("`{}` {}", violation.field, violation.problem));
    each.collect::<Vec<_>>().join("; ")
}

/// Whether an object that cannot be read makes its targets refuse: by the rule of its kind, or because whoever sent it
/// says so of a kind that is not known here.
fn must_deny(name: &ObjectName, told: bool) -> bool {
    told || kind(name).is_some_and(|kind| match kind.on_rejection() {
        OnRejection::KeepLastGood => false,
        OnRejection::DenyTargets => true,
    })
}

/// What an object was to protect: what its sender names, or, when nothing is named, all of its namespace.
fn denied(name: &ObjectName, parents: &[String]) -> Denied {
    let targets: BTreeSet<Target> = parents.iter().filter_map(|parent| Target::parse(parent)).collect();
    match (targets.is_empty(), name.name.split_once('/')) {
        (false, _) => Denied::Targets(targets),
        (true, Some((namespace, _))) => Denied::Namespace(namespace.into()),
        (true, None) => Denied::Everything,
    }
}

fn kind(name: &ObjectName) -> Option<KindName> {
    KindName::ALL.iter().copied().find(|kind| kind.as_str() == name.of.as_str())
}

fn key(name: &ObjectName) -> Option<ResourceKey> {
    let kind = kind(name)?;
    let (namespace, called) = match (kind.scope(), name.name.split_once('/')) {
        (Scope::Namespaced, Some((namespace, called))) => (Some(namespace.parse().ok()?), called),
        (Scope::Cluster, None) => (None, &*name.name),
        (Scope::Namespaced, None) | (Scope::Cluster, Some(_)) => return None,
    };
    Some(ResourceKey {
        group: kind.group().into(),
        kind: kind.as_str().into(),
        namespace,
        name: called.parse().ok()?,
    })
}

#[cfg(test)]
mod tests;
