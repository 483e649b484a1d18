//! What a member of the mesh may do by its certificate alone: keep the Workload that it is.
//!
//! A sidecar makes its workload known by the same API as everybody, and nobody should have to write a role for each.
//! A token may be good for every workload name of a namespace, so the name in a certificate says less than its service
//! account: whoever registers stays within its own account, and what people wrote by hand is theirs.

use std::sync::Arc;

use model::Resource;
use model::kinds::role::PolicyRule;
use model::kinds::workload::{REGISTERED_BY, REGISTERED_BY_SIDECAR};
use model::kinds::{Kind, MESH_GROUP};
use model::spiffe::SpiffeId;

use super::request::Request;
use super::rule::covers;
use super::rules::Rules;
use super::user::User;
use crate::ca::trust::WORKLOAD;

/// What it may do with its own Workload; its status is not among them.
const VERBS: [&str; 3] = ["get", "patch", "delete"];
/// Plural of the kind.
const WORKLOADS: &str = "workloads";

/// A user of the API that is a member of a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'u> {
    id: SpiffeId,
    namespace: &'u str,
    workload: &'u str,
}

impl<'u> Member<'u> {
    /// The member that a user is, if it is one: known by its identity, and as one workload in the namespace of that.
    #[must_use]
    pub fn of(user: &'u User) -> Option<Member<'u>> {
        let id: SpiffeId = user.name.parse().ok()?;
        let place = user.groups.iter().find_map(|group| group.strip_prefix(WORKLOAD))?;
        let (namespace, workload) = place.split_once('/')?;
        (id.namespace() == Some(namespace)).then_some(Member { id, namespace, workload })
    }

    /// Whether this is about its own Workload, and something that a member may do with it.
    #[must_use]
    pub fn may(&self, request: &Request) -> bool {
        let Request::Resource(asked) = request else { return false };
        *asked.namespace == *self.namespace && covers(&self.rule(), request).is_ok()
    }

    /// What it may do in a namespace, as a rule.
    #[must_use]
    pub fn rule_in(&self, namespace: &str) -> Option<PolicyRule> {
        (namespace == self.namespace).then(|| self.rule())
    }

    fn rule(&self) -> PolicyRule {
        PolicyRule {
            verbs: VERBS.into_iter().map(Arc::from).collect(),
            api_groups: vec![MESH_GROUP.into()],
            resources: vec![WORKLOADS.into()],
            resource_names: vec![self.workload.into()],
            ..PolicyRule::default()
        }
    }

    /// Whether this Workload is its own to write.
    fn owns(&self, resource: &Resource) -> Result<(), String> {
        let Kind::Workload(workload) = &resource.kind else { return Ok(()) };
        if resource.meta.labels.get(REGISTERED_BY).is_none_or(|by| **by != *REGISTERED_BY_SIDECAR) {
            return Err(format!(
                "a member of the mesh registers Workloads with the label {REGISTERED_BY}={REGISTERED_BY_SIDECAR}; \
                 one without it was written by hand and is changed by hand"
            ));
        }
        let (own, said) = (self.id.service_account().unwrap_or_default(), &*workload.spec.service_account);
        if own != said {
            return Err(format!(
                "spec.serviceAccount is \"{said}\", and {} may register Workloads of \"{own}\" only",
                self.id
            ));
        }
        Ok(())
    }
}

/// Whether somebody who may do something by being a member may do it with this object: as it was, and as it is to be.
///
/// # Errors
/// Why not, as a sentence.
pub fn check(
    rules: &Rules,
    user: &User,
    request: &Request,
    before: Option<&Resource>,
    after: Option<&Resource>,
) -> Result<(), String> {
    match Member::of(user) {
        Some(member) if member.may(request) && !rules.gives(user, request) => {
            before.into_iter().chain(after).try_for_each(|object| member.owns(object))
        }
        Some(_) | None => Ok(()),
    }
}
