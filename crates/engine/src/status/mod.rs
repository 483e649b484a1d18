//! What became of every object: the engine's answer to what the schema admits but cannot work.
//!
//! A typed model of the Kubernetes `status` of each kind, so that what `selvedge validate` prints, what the API
//! serves and what traffic does come from one place.

mod condition;
mod features;
mod text;

pub use condition::{Condition, ConditionStatus, ConditionType, Reason};
pub use features::{SUPPORTED_FEATURES, SupportedFeature};

use std::sync::Arc;

use model::{Resource, ResourceKey};
use serde::Serialize;

/// The status of every object that has one, sorted by group-less kind, namespace and name.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    objects: Vec<ObjectConditions>,
}

/// An object with its status.
#[derive(Clone, Debug)]
pub struct ObjectConditions {
    /// The object as it was compiled.
    pub resource: Arc<Resource>,
    /// What became of it.
    pub status: Arc<ObjectStatus>,
}

/// Status by shape. Serialises as the object's `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ObjectStatus {
    /// Conditions only: Backend.
    Plain(PlainStatus),
    /// A GatewayClass.
    Class(ClassStatus),
    /// A Gateway.
    Gateway(GatewayStatus),
    /// A route.
    Route(RouteStatus),
    /// A policy.
    Policy(PolicyStatus),
}

/// Conditions and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlainStatus {
    /// The conditions.
    pub conditions: Vec<Condition>,
}

/// `GatewayClass.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassStatus {
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// What Gateways of the class can do: [`SUPPORTED_FEATURES`].
    pub supported_features: &'static [SupportedFeature],
}

/// `Gateway.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GatewayStatus {
    /// What is listened on.
    pub addresses: Vec<StatusAddress>,
    /// Of the Gateway as a whole.
    pub conditions: Vec<Condition>,
    /// One entry a listener, in the order of the spec.
    pub listeners: Vec<ListenerStatus>,
}

/// An address of a Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusAddress {
    /// `IPAddress`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The address.
    pub value: String,
}

/// One listener of a Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Kinds of routes it takes.
    pub supported_kinds: Vec<GroupKind>,
    /// Routes it has accepted.
    pub attached_routes: u32,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// A kind with its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupKind {
    /// API group.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
}

/// `status` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RouteStatus {
    /// One entry a declared parent, in the order of the spec.
    pub parents: Vec<ParentStatus>,
}

/// What became of a route at one parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentStatus {
    /// The parent as it was declared, group and kind written out.
    pub parent_ref: model::kinds::references::ParentRef,
    /// Who says so.
    pub controller_name: Arc<str>,
    /// The conditions.
    pub conditions: Vec<Condition>,
}

/// `status` of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyStatus {
    /// One entry a Gateway through which the policy has an effect, or a target of a policy that says more of it there.
    pub ancestors: Vec<AncestorStatus>,
}

/// What became of a policy at one Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AncestorStatus {
    /// The Gateway or target.
    pub ancestor_ref: model::kinds::references::ParentRef,
    /// Who says so.
    pub controller_name: Arc<str>,
    /// The conditions.
    pub conditions: Vec<Condition>,
}

impl Conditions {
    pub(crate) fn new(objects: Vec<ObjectConditions>) -> Self {
        Conditions { objects }
    }

    /// Every object with its status.
    pub fn iter(&self) -> std::slice::Iter<'_, ObjectConditions> {
        self.objects.iter()
    }

    /// The status of one object.
    #[must_use]
    pub fn get(&self, key: &ResourceKey) -> Option<&ObjectStatus> {
        self.objects.iter().find(|object| object.resource.key == *key).map(|object| &*object.status)
    }

    /// Whether every condition is what one hopes to see.
    #[must_use]
    pub fn all_good(&self) -> bool {
        self.objects.iter().all(|object| object.status.conditions().all(|(_, condition)| condition.is_good()))
    }

    /// Adds what was found out about an object beside the compile, in place of what was known of it before.
    pub fn add(&mut self, object: &ResourceKey, condition: Condition) {
        let found = self.objects.iter_mut().find(|known| known.resource.key == *object);
        let Some(found) = found else { return };
        if let ObjectStatus::Plain(status) = Arc::make_mut(&mut found.status) {
            status.conditions.retain(|known| known.kind != condition.kind);
            status.conditions.push(condition);
        }
    }

    /// Tells that an address of a Gateway could not be bound, which only the one who binds can know. The
    /// addresses that are listened on are left in its status.
    pub fn address_not_usable(&mut self, gateway: &ResourceKey, bound: Vec<StatusAddress>, why: &str) {
        let found = self.objects.iter_mut().find(|object| object.resource.key == *gateway);
        let Some(object) = found else { return };
        let generation = object.resource.meta.generation;
        if let ObjectStatus::Gateway(status) = Arc::make_mut(&mut object.status) {
            status.addresses = bound;
            status.conditions.retain(|condition| condition.kind != ConditionType::Programmed);
            let condition =
                Condition::no(ConditionType::Programmed, Reason::AddressNotUsable, why, generation);
            status.conditions.push(condition);
        }
    }
}

impl<'a> IntoIterator for &'a Conditions {
    type Item = &'a ObjectConditions;
    type IntoIter = std::slice::Iter<'a, ObjectConditions>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl ObjectStatus {
    /// Every condition with the part of the object that it speaks of; empty for the object as a whole.
    pub fn conditions(&self) -> impl Iterator<Item = (String, &Condition)> {
        let listed: Vec<(String, &Condition)> = match self {
            ObjectStatus::Plain(status) => of_part("", &status.conditions).collect(),
            ObjectStatus::Class(status) => of_part("", &status.conditions).collect(),
            ObjectStatus::Gateway(status) => of_part("", &status.conditions)
                .chain(status.listeners.iter().flat_map(|listener| {
                    of_part(format!("listener {}", listener.name), &listener.conditions)
                }))
                .collect(),
            ObjectStatus::Route(status) => {
                let parents = status.parents.iter();
                parents
                    .flat_map(|parent| of_part(text::parent(&parent.parent_ref), &parent.conditions))
                    .collect()
            }
            ObjectStatus::Policy(status) => {
                let ancestors = status.ancestors.iter();
                ancestors
                    .flat_map(|ancestor| of_part(text::parent(&ancestor.ancestor_ref), &ancestor.conditions))
                    .collect()
            }
        };
        listed.into_iter()
    }
}

fn of_part(part: impl Into<String>, conditions: &[Condition]) -> impl Iterator<Item = (String, &Condition)> {
    let part = part.into();
    conditions.iter().map(move |condition| (part.clone(), condition))
}
