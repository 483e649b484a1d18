//! A user and a wish become a permit, or a refusal that says what was missing.

use std::fmt;
use std::sync::Arc;

use model::Resource;

use super::authenticate::{ADMINS, User};

/// What somebody wants to do with what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Plural of the kind.
    pub resource: String,
    /// `status`, or empty.
    pub subresource: String,
    /// Namespace; `None` for all of them, and outside of namespaces.
    pub namespace: Option<String>,
    /// Name; `None` for all of them.
    pub name: Option<String>,
}

impl Wish {
    /// The resource as messages and logs name it: `httproutes.gateway.networking.k8s.io shop/checkout`.
    #[must_use]
    pub fn what(&self) -> String {
        let mut what = self.qualified();
        if self.namespace.is_some() || self.name.is_some() {
            what.push(' ');
        }
        if let Some(namespace) = &self.namespace {
            what.push_str(namespace);
            what.push('/');
        }
        what.push_str(self.name.as_deref().unwrap_or_default());
        what
    }

    /// `httproutes/status.gateway.networking.k8s.io`.
    #[must_use]
    pub fn qualified(&self) -> String {
        let mut text = self.resource.clone();
        for (mark, part) in [('/', &self.subresource), ('.', &self.group)] {
            if !part.is_empty() {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }

    /// Why somebody may not, in Kubernetes' words.
    fn denied(&self, user: &User, why: &str) -> String {
        let Wish { verb, group, resource, subresource, namespace, .. } = self;
        let slash = if subresource.is_empty() { "" } else { "/" };
        let place = namespace.as_ref().map_or_else(
            || " at the cluster scope".to_owned(),
            |namespace| format!(" in the namespace \"{namespace}\""),
        );
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        format!(
            "User \"{}\" cannot {verb} resource \"{resource}{slash}{subresource}\" in API group \"{group}\"{place}{why}",
            user.name
        )
    }
}

/// The answer to a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They may.
    Allowed,
    /// They may not, with a reason where there is more to say than that no rule allows it.
    Denied(String),
}

/// Judges wishes.
pub trait Authorizer: Send + Sync + fmt::Debug {
    /// Whether somebody may do something now.
    fn judge(&self, user: &User, wish: &Wish) -> Verdict;

    /// What somebody may do in a namespace: verbs, groups and resources, `*` for all. For people who ask what they can
    /// do; nothing is decided by it.
    fn rules(&self, user: &User, namespace: &str) -> Vec<RuleShown>;

    /// Whether somebody who has a permit may do it to this object: give away what stands in it, touch what is there.
    /// `before` is the object as it was, `after` as it is to be.
    ///
    /// # Errors
    /// What they do not have themselves, as a sentence.
    fn may_change(
        &self,
        permit: &Permit,
        before: Option<&Resource>,
        after: Option<&Resource>,
    ) -> Result<(), String>;
}

/// A rule as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleShown {
    /// Verbs.
    pub verbs: Vec<String>,
    /// API groups.
    pub groups: Vec<String>,
    /// Plurals.
    pub resources: Vec<String>,
    /// Names; empty for all.
    pub names: Vec<String>,
}

/// Members of [`ADMINS`] may do everything, others nothing.
#[derive(Clone, Copy, Debug)]
pub struct AdminsOnly;

impl Authorizer for AdminsOnly {
    fn judge(&self, user: &User, _wish: &Wish) -> Verdict {
        if user.is_in(ADMINS) { Verdict::Allowed } else { Verdict::Denied(String::new()) }
    }

    /// Only admins come so far.
    fn may_change(
        &self,
        _permit: &Permit,
        _before: Option<&Resource>,
        _after: Option<&Resource>,
    ) -> Result<(), String> {
        Ok(())
    }

    fn rules(&self, user: &User, _namespace: &str) -> Vec<RuleShown> {
        if !user.is_in(ADMINS) {
            return Vec::new();
        }
        let all = || vec!["*".to_owned()];
        vec![RuleShown { verbs: all(), groups: all(), resources: all(), names: Vec::new() }]
    }
}

/// That somebody may do something: made only by [`Permit::ask`], and asked for by whatever does it.
#[derive(Clone, Debug)]
pub struct Permit {
    who: Arc<User>,
    wish: Wish,
}

impl Permit {
    /// Asks whether somebody may.
    ///
    /// # Errors
    /// Why not, for them to read.
    pub fn ask(authorizer: &dyn Authorizer, who: Arc<User>, wish: Wish) -> Result<Permit, String> {
        match authorizer.judge(&who, &wish) {
            Verdict::Allowed => Ok(Permit { who, wish }),
            Verdict::Denied(why) => Err(wish.denied(&who, &why)),
        }
    }

    /// Who may.
    #[must_use]
    pub fn who(&self) -> &User {
        &self.who
    }

    /// What.
    #[must_use]
    pub fn wish(&self) -> &Wish {
        &self.wish
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        Wish {
            verb: "update".into(),
            group: "gateway.networking.k8s.io".into(),
            resource: "httproutes".into(),
            subresource: "status".into(),
            namespace: Some("shop".into()),
            name: Some("checkout".into()),
        }
    }

    #[test]
    fn admins_may_and_others_are_told_what_they_may_not() {
        let ask =
            |user: User| Permit::ask(&AdminsOnly, Arc::new(user), wish()).map(|permit| permit.wish().clone());

        assert_eq!(ask(User::new("admin", [ADMINS])), Ok(wish()));
        assert_eq!(
            ask(User::new("ana", ["editors"])).expect_err("not allowed"),
            "User \"ana\" cannot update resource \"httproutes/status\" in API group \"gateway.networking.k8s.io\" \
             in the namespace \"shop\""
        );
    }

    #[test]
    fn the_log_names_kind_place_and_part() {
        assert_eq!(wish().what(), "httproutes/status.gateway.networking.k8s.io shop/checkout");
        let all = Wish { resource: "services".into(), ..Wish::default() };
        assert_eq!(all.what(), "services");
    }
}
