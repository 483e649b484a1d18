//! What a member of the mesh may do by its certificate alone: keep the Workload that it is.
//!
//! A sidecar makes its workload known by the same API as everybody, and nobody should have to write a role for each.
//! A token may be good for every workload name of a namespace, so the name in a certificate says less than its service
//! account: whoever registers stays within its own account, and what people wrote by hand is theirs.
//!
//! Services select Workloads by labels, and callers expect of a Workload the identity that it says it has. So labels
//! decide whose calls somebody gets, and are granted: by the name of the service account, by the JoinTokens of that
//! account, or by whoever wrote them on the Workload before. What proof callers ask for is not a member's to say.

use std::sync::Arc;

use model::kinds::mesh::MtlsMode;
use model::kinds::role::PolicyRule;
use model::kinds::workload::{REGISTERED_BY, REGISTERED_BY_SIDECAR};
use model::kinds::{JoinToken, Kind, MESH_GROUP, Workload};
use model::spiffe::SpiffeId;
use model::{Resource, Resources};

use super::request::Request;
use super::rule::covers;
use super::rules::Rules;
use super::user::User;
use crate::ca::trust::WORKLOAD;

/// What it may do with its own Workload; its status is not among them.
const VERBS: [&str; 3] = ["get", "patch", "delete"];
/// Labels that a member may always carry with the name of its service account as their value.
const OWN_NAME: [&str; 2] = ["app", "app.kubernetes.io/name"];
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
        let (own, said) = (self.account(), &*workload.spec.service_account);
        if own != said {
            return Err(format!(
                "spec.serviceAccount is \"{said}\", and {} may register Workloads of \"{own}\" only",
                self.id
            ));
        }
        Ok(())
    }

    /// Whether it may make this of its Workload.
    fn registers(
        &self,
        before: Option<&Resource>,
        after: &Resource,
        resources: &Resources,
    ) -> Result<(), String> {
        let old = before.and_then(|before| before.content::<Workload>());
        let Some(new) = after.content::<Workload>() else { return Ok(()) };
        if new.spec.sidecar.is_none() {
            return Err("spec.sidecar is missing, and without it callers would ask for no proof; \
                        a member of the mesh registers Workloads with a sidecar"
                .to_owned());
        }
        if modes(Some(new)).any(|mode| !modes(old).any(|known| known == mode)) {
            return Err(
                "how much proof is asked for (spec.mtls, spec.ports.mtls) is not a member's to say; \
                        somebody with a role may write it"
                    .to_owned(),
            );
        }
        let kept = |name: &str, value: &str| {
            before.is_some_and(|before| before.meta.labels.get(name).is_some_and(|old| **old == *value))
        };
        let mut labels = after.meta.labels.iter().filter(|(name, _)| ***name != *REGISTERED_BY);
        let refused =
            labels.find(|(name, value)| !kept(name, value) && !self.may_carry(name, value, resources));
        refused.map_or(Ok(()), |(name, value)| {
            Err(format!(
                "the label {name}={value} is granted to {} by no JoinToken; make one with \
                 `selvedge token create --namespace {} --service-account {} --label {name}={value}`",
                self.id,
                self.namespace,
                self.account(),
            ))
        })
    }

    /// Whether a label is granted to it. A token that has expired says so still; one that was deleted does not.
    fn may_carry(&self, name: &str, value: &str, resources: &Resources) -> bool {
        let account = self.account();
        if OWN_NAME.contains(&name) && value == account {
            return true;
        }
        let mut tokens = resources.within::<JoinToken>(self.namespace);
        tokens.any(|token| token.content.spec.grants(account, self.workload, (name, value)))
    }

    fn account(&self) -> &str {
        self.id.service_account().unwrap_or_default()
    }
}

/// What a Workload says of proof, at which port; the Workload as a whole has none.
fn modes(workload: Option<&Workload>) -> impl Iterator<Item = (Option<u16>, MtlsMode)> {
    let spec = workload.map(|workload| &workload.spec);
    let whole = spec.and_then(|spec| spec.mtls).map(|mtls| (None, mtls.mode));
    let ports = spec.into_iter().flat_map(|spec| &spec.ports);
    whole.into_iter().chain(ports.filter_map(|port| Some((Some(port.port), port.mtls?.mode))))
}

/// Whether somebody who may do something by being a member may do it with this object: as it was, and as it is to be.
///
/// # Errors
/// Why not, as a sentence.
pub fn check(
    (rules, resources): (&Rules, &Resources),
    user: &User,
    request: &Request,
    before: Option<&Resource>,
    after: Option<&Resource>,
) -> Result<(), String> {
    match Member::of(user) {
        Some(member) if member.may(request) && !rules.gives(user, request) => {
            before.into_iter().chain(after).try_for_each(|object| member.owns(object))?;
            after.map_or(Ok(()), |after| member.registers(before, after, resources))
        }
        Some(_) | None => Ok(()),
    }
}
