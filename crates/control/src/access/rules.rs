//! Roles and bindings of one moment, arranged by who has them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use model::Resources;
use model::kinds::role::PolicyRule;
use model::kinds::role_binding::{BindingSubject, RoleKind, RoleRef, SubjectKind};
use model::kinds::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

use super::builtin;
use super::members::Member;
use super::request::Request;
use super::rule::covers;
use super::user::{MASTERS, SERVICE_ACCOUNT, User};

/// The answer to a request, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether they may.
    pub allowed: bool,
    /// Why, for people: which binding gives it, or that none does.
    pub reason: String,
}

/// Whom a binding is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    User(Arc<str>),
    Group(Arc<str>),
}

/// A role that somebody has somewhere.
#[derive(Clone, Debug)]
struct Grant {
    /// The namespace in which it counts; `None` everywhere.
    namespace: Option<Arc<str>>,
    /// What it allows; `None` when the role does not exist.
    rules: Option<List>,
    /// Binding and role, for people.
    because: Arc<str>,
}

/// All roles and who has them, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    grants: HashMap<Holder, Vec<Grant>>,
    cluster_roles: BTreeMap<Arc<str>, List>,
    /// By namespace and name.
    roles: BTreeMap<(Arc<str>, Arc<str>), List>,
}

/// The rules of a role, shared by all who have it.
type List = Arc<[PolicyRule]>;

impl Rules {
    /// Arranges roles and bindings. A ClusterRole that is stored counts in place of the built-in one of its name.
    #[must_use]
    pub fn of(resources: &Resources) -> Rules {
        let mut rules = Rules::default();
        rules.cluster_roles.extend(builtin::cluster_roles());
        for role in resources.all::<ClusterRole>() {
            rules.cluster_roles.insert(role.resource.key.name.to_arc(), effective(role.content, resources));
        }
        for role in resources.all::<Role>() {
            let namespace = namespace_of(role.resource);
            let key = (namespace, role.resource.key.name.to_arc());
            rules.roles.insert(key, role.content.rules.clone().into());
        }
        for binding in resources.all::<ClusterRoleBinding>() {
            let because = format!("ClusterRoleBinding `{}`", binding.resource.key.name);
            rules.bind(None, &binding.content.role_ref, &binding.content.subjects, &because);
        }
        for binding in resources.all::<RoleBinding>() {
            let because = format!("RoleBinding `{}`", binding.resource.key.place());
            let namespace = namespace_of(binding.resource);
            rules.bind(Some(&namespace), &binding.content.role_ref, &binding.content.subjects, &because);
        }
        rules
    }

    fn bind(
        &mut self,
        namespace: Option<&Arc<str>>,
        role: &RoleRef,
        subjects: &[BindingSubject],
        because: &str,
    ) {
        let kind = match role.kind {
            RoleKind::Role => "Role",
            RoleKind::ClusterRole => "ClusterRole",
        };
        let grant = Grant {
            namespace: namespace.cloned(),
            rules: self.role(namespace, role),
            because: format!("{because}, which gives {kind} `{}`", role.name).into(),
        };
        for subject in subjects {
            let because = format!("{} to {}", grant.because, shown(subject)).into();
            self.grants.entry(holder(subject)).or_default().push(Grant { because, ..grant.clone() });
        }
    }

    /// The rules of the role that a binding refers to; `None` when there is no such role.
    pub(super) fn role(&self, namespace: Option<&Arc<str>>, role: &RoleRef) -> Option<List> {
        match role.kind {
            RoleKind::ClusterRole => self.cluster_roles.get(&role.name).cloned(),
            RoleKind::Role => self.roles.get(&(namespace?.clone(), role.name.clone())).cloned(),
        }
    }

    /// Whether somebody may do something.
    #[must_use]
    pub fn allows(&self, user: &User, request: &Request) -> Verdict {
        if user.is_in(MASTERS) {
            return Verdict { allowed: true, reason: format!("members of `{MASTERS}` may do everything") };
        }
        let found = self.grants_of(user).find(|grant| grant.covers(request));
        match (found, Member::of(user)) {
            (Some(grant), _) => Verdict { allowed: true, reason: format!("allowed by {}", grant.because) },
            (None, Some(member)) if member.may(request) => {
                Verdict { allowed: true, reason: "a member of a mesh may keep its own Workload".to_owned() }
            }
            (None, _) => {
                Verdict { allowed: false, reason: format!("no role that {user} has allows: {request}") }
            }
        }
    }

    /// Whether somebody may do something by a role, and not only by being a member of a mesh.
    pub(super) fn gives(&self, user: &User, request: &Request) -> bool {
        user.is_in(MASTERS) || self.grants_of(user).any(|grant| grant.covers(request))
    }

    /// The verdict, and below it every role that the user has with what keeps it from counting here.
    #[must_use]
    pub fn explain(&self, user: &User, request: &Request) -> String {
        let Verdict { allowed, reason } = self.allows(user, request);
        let mut text = format!("{}: {reason}\n", if allowed { "yes" } else { "no" });
        for grant in self.grants_of(user) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {}: {}", grant.because, grant.told(request));
        }
        text
    }

    /// Everything that somebody may do in a namespace (with an empty one: everywhere), as rules.
    #[must_use]
    pub fn rules(&self, user: &User, namespace: &str) -> Vec<PolicyRule> {
        if user.is_in(MASTERS) {
            return builtin::everything();
        }
        let counts = self.grants_of(user).filter(|grant| grant.counts_in(namespace));
        let mut rules: Vec<PolicyRule> = Vec::new();
        for rule in counts.filter_map(|grant| grant.rules.as_deref()).flatten() {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
        rules.extend(Member::of(user).and_then(|member| member.rule_in(namespace)));
        rules
    }

    fn grants_of(&self, user: &User) -> impl Iterator<Item = &Grant> {
        let groups = user.groups.iter().map(|group| Holder::Group(group.clone()));
        let holders = std::iter::once(Holder::User(user.name.clone())).chain(groups);
        holders.filter_map(|holder| self.grants.get(&holder)).flatten()
    }
}

impl Grant {
    fn counts_in(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|own| own == namespace)
    }

    fn covers(&self, request: &Request) -> bool {
        self.counts_in(place(request))
            && self.rules.iter().flat_map(|rules| rules.iter()).any(|rule| covers(rule, request).is_ok())
    }

    /// How far it covers a request, for people.
    fn told(&self, request: &Request) -> String {
        let Some(rules) = &self.rules else { return "there is no such role".to_owned() };
        if let Some(namespace) = self.namespace.as_deref().filter(|own| *own != place(request)) {
            return format!("counts in namespace \"{namespace}\" only");
        }
        // The rule that is nearest says most.
        let nearest = rules.iter().map(|rule| covers(rule, request)).max_by_key(|covered| match covered {
            Ok(()) => usize::MAX,
            Err(difference) => *difference as usize,
        });
        match nearest {
            None => "has no rules".to_owned(),
            Some(Ok(())) => "covers it".to_owned(),
            Some(Err(difference)) => format!("its nearest rule {}", difference.as_str()),
        }
    }
}

/// Where a request happens; paths are outside of namespaces.
fn place(request: &Request) -> &str {
    match request {
        Request::Resource(request) => request.place(),
        Request::Path { .. } => "",
    }
}

fn namespace_of(resource: &model::Resource) -> Arc<str> {
    resource.key.namespace.as_ref().map_or_else(|| "".into(), model::Namespace::to_arc)
}

fn holder(subject: &BindingSubject) -> Holder {
    match subject.kind {
        SubjectKind::User => Holder::User(subject.name.clone()),
        SubjectKind::Group => Holder::Group(subject.name.clone()),
        SubjectKind::ServiceAccount => {
            let namespace = subject.namespace.as_deref().unwrap_or_default();
            Holder::User(format!("{SERVICE_ACCOUNT}{namespace}:{}", subject.name).into())
        }
    }
}

fn shown(subject: &BindingSubject) -> String {
    match subject.kind {
        SubjectKind::User => format!("user `{}`", subject.name),
        SubjectKind::Group => format!("group `{}`", subject.name),
        SubjectKind::ServiceAccount => {
            format!("ServiceAccount `{}/{}`", subject.namespace.as_deref().unwrap_or_default(), subject.name)
        }
    }
}

/// The rules of a ClusterRole: its own, or with an aggregation rule those of the ClusterRoles that it picks. Those lend
/// only what they themselves say.
fn effective(role: &ClusterRole, resources: &Resources) -> List {
    let Some(aggregation) = &role.aggregation_rule else { return role.rules.clone().into() };
    let picked = resources.all::<ClusterRole>().filter(|other| {
        let labels = &other.resource.meta.labels;
        aggregation.cluster_role_selectors.iter().any(|selector| selector.matches(labels))
    });
    picked.flat_map(|other| other.content.rules.clone()).collect()
}
