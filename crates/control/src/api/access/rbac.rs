//! Roles, bindings and access tokens among the objects decide: the judge of every control plane.
//!
//! The objects are those of the moment at which somebody asks, so a binding that is taken away is gone for the next
//! request, and for watches when they are next looked at.

use std::sync::Arc;

use model::Resource;
use model::units::Moment;

use super::authenticate::{Authenticator, Credentials, User};
use super::authorize::{Authorizer, Permit, RuleShown, Verdict, Wish};
use crate::access::request::ResourceRequest;
use crate::access::{Current, Request, escalation, members};
use crate::clock::Clock;
use crate::world::World;

/// Judges by the objects of a world.
#[derive(Clone, Debug)]
pub struct Rbac {
    world: Arc<World>,
    clock: Clock,
    current: Arc<Current>,
}

impl Rbac {
    /// The judge of a world.
    #[must_use]
    pub fn new(world: Arc<World>, clock: Clock) -> Rbac {
        Rbac { world, clock, current: Arc::default() }
    }
}

impl Authenticator for Rbac {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Option<User> {
        let tokens = self.current.tokens(&self.world.now().resources);
        tokens.user(credentials.bearer?, Moment(self.clock.seconds())).ok().cloned()
    }
}

impl Authorizer for Rbac {
    fn judge(&self, user: &User, wish: &Wish) -> Verdict {
        let rules = self.current.rules(&self.world.now().resources);
        let verdict = rules.allows(user, &Request::Resource(request(wish)));
        if verdict.allowed { Verdict::Allowed } else { Verdict::Denied(String::new()) }
    }

    fn rules(&self, user: &User, namespace: &str) -> Vec<RuleShown> {
        let rules = self.current.rules(&self.world.now().resources);
        let texts = |list: &[Arc<str>]| list.iter().map(|text| text.to_string()).collect();
        let shown = rules.rules(user, namespace).into_iter().map(|rule| RuleShown {
            verbs: texts(&rule.verbs),
            groups: texts(&rule.api_groups),
            resources: texts(&rule.resources),
            names: texts(&rule.resource_names),
        });
        shown.filter(|rule| !rule.resources.is_empty()).collect()
    }

    fn may_change(
        &self,
        permit: &Permit,
        before: Option<&Resource>,
        after: Option<&Resource>,
    ) -> Result<(), String> {
        let resources = self.world.now().resources;
        let rules = self.current.rules(&resources);
        let asked = Request::Resource(request(permit.wish()));
        members::check((&rules, &resources), permit.who(), &asked, before, after)?;
        after.map_or(Ok(()), |after| escalation::check(&rules, permit.who(), before, after))
    }
}

fn request(wish: &Wish) -> ResourceRequest {
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
    ResourceRequest {
        verb: wish.verb.as_str().into(),
        group: wish.group.as_str().into(),
        resource: wish.resource.as_str().into(),
        subresource: wish.subresource.as_str().into(),
        namespace: text(&wish.namespace),
        name: text(&wish.name),
    }
}
