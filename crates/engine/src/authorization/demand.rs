//! What a rule demands, compiled, and when it is met.
//!
//! Each demand is met or not, and where that is in doubt, the doubt is worth what the rule's action makes of it: for a
//! rule that allows it is a no, for one that denies a yes. A negative demand turns the doubt around once more. So an
//! absent identity satisfies no `notIdentities` of an Allow and every one of a Deny, and nobody gains by leaving
//! something out, or by writing it in a way that could be read twice.

use std::sync::Arc;

use model::glob::{Glob, PathGlob};
use model::kinds::authorization_policy as written;

use super::condition::Evaluator;
use super::glob::{Matcher, could_be_any};
use super::{Asked, Fault, Source};
use crate::addresses::Addresses;
use crate::request::{HeaderView, RequestView};

/// What a doubt is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The rule denies: what may be meant is meant.
    Holds,
    /// The rule allows: what may not be meant is not.
    Fails,
}

impl Doubt {
    fn opposite(self) -> Doubt {
        match self {
            Doubt::Holds => Doubt::Fails,
            Doubt::Fails => Doubt::Holds,
        }
    }

    pub(super) fn holds(self) -> bool {
        self == Doubt::Holds
    }
}

/// A list with its opposite. `None`: it was not written.
#[derive(Debug, PartialEq)]
struct Pair<T> {
    among: Option<T>,
    not_among: Option<T>,
}

impl<T> Pair<T> {
    fn new<W>(among: &[W], not_among: &[W], read: impl Fn(&[W]) -> T) -> Pair<T> {
        let list = |list: &[W]| (!list.is_empty()).then(|| read(list));
        Pair { among: list(among), not_among: list(not_among) }
    }

    fn is_written(&self) -> bool {
        self.among.is_some() || self.not_among.is_some()
    }

    /// Whether a value that is there meets both. `fits` is told what a doubt is worth to the list it looks at.
    fn met(&self, doubt: Doubt, fits: impl Fn(&T, Doubt) -> bool) -> bool {
        self.among.as_ref().is_none_or(|list| fits(list, doubt))
            && self.not_among.as_ref().is_none_or(|list| !fits(list, doubt.opposite()))
    }

    /// Whether a value that is absent meets both: it is none of a list, and nobody knows what it is not.
    fn met_by_nothing(&self, doubt: Doubt) -> bool {
        self.among.is_none() && (self.not_among.is_none() || doubt.holds())
    }

    fn met_by<V>(&self, value: Option<V>, doubt: Doubt, fits: impl Fn(&T, &V, Doubt) -> bool) -> bool {
        match value {
            Some(value) => self.met(doubt, |list, doubt| fits(list, &value, doubt)),
            None => self.met_by_nothing(doubt),
        }
    }
}

type Globs = Box<[Matcher]>;

fn one_matches(globs: &Globs, text: &[u8]) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

fn globs<const SEPARATOR: u8>(list: &[Glob<SEPARATOR>]) -> Globs {
    list.iter().map(Matcher::new).collect()
}

fn folded<const SEPARATOR: u8>(list: &[Glob<SEPARATOR>]) -> Globs {
    list.iter().map(Matcher::folded).collect()
}

/// Everything one rule demands.
#[derive(Debug, PartialEq)]
pub(super) struct Demands {
    from: Box<[From]>,
    to: Box<[To]>,
    when: Box<[Value]>,
    condition: Option<Evaluator>,
}

impl Demands {
    pub(super) fn new(rule: &written::AuthorizationRule, around: Around<'_>) -> Demands {
        Demands {
            from: rule.from.iter().map(|source| From::new(source, around)).collect(),
            to: rule.to.iter().map(To::new).collect(),
            when: rule.when.iter().map(Value::new).collect(),
            condition: rule.condition.as_ref().map(Evaluator::new),
        }
    }

    /// Whether all of them are met.
    ///
    /// # Errors
    /// The condition could not be evaluated, and everything else is met.
    #[inline]
    pub(super) fn met<H: HeaderView>(&self, asked: &Asked<'_, H>, doubt: Doubt) -> Result<bool, Fault> {
        let plain = (self.from.is_empty() || self.from.iter().any(|from| from.met(asked.source, doubt)))
            && (self.to.is_empty() || self.to.iter().any(|to| to.met(asked, doubt)))
            && self.when.iter().all(|value| value.met(asked, doubt));
        match &self.condition {
            Some(condition) if plain => match asked.request {
                None if condition.condition().is_of_requests() => Ok(doubt.holds()),
                Some(_) | None => condition.holds(asked),
            },
            Some(_) | None => Ok(plain),
        }
    }

    /// Whether a caller is meant, whatever is asked.
    pub(super) fn concern(&self, source: &Source<'_>, doubt: Doubt) -> bool {
        self.from.is_empty() || self.from.iter().any(|from| from.met(source, doubt))
    }

    /// Whether a caller whose address nobody knows is meant: for a rule that denies from every address, for one that
    /// allows from some.
    pub(super) fn concern_from_anywhere(&self, source: &Source<'_>, doubt: Doubt) -> bool {
        self.from.is_empty() || self.from.iter().any(|from| from.met_from_anywhere(source, doubt))
    }

    /// Whether nothing is demanded of what is asked.
    pub(super) fn are_of_callers_only(&self) -> bool {
        self.to.is_empty() && self.when.is_empty() && self.condition.is_none()
    }

    /// Identities that are named letter by letter.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        let lists = self.from.iter().filter_map(|from| from.identities.among.as_ref());
        lists.flat_map(|list| list.iter()).filter_map(Matcher::literal)
    }

    /// Whether it looks at the client's address.
    pub(super) fn ask_address(&self) -> bool {
        self.from.iter().any(|from| from.addresses.is_written())
            || self.condition.as_ref().is_some_and(|evaluator| evaluator.condition().asks("source.address"))
    }
}

/// What a policy's rules are read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// Namespace of the policy.
    pub(super) namespace: &'a str,
    /// Trust domain of the own mesh, if there is one.
    pub(super) trust_domain: Option<&'a Arc<str>>,
}

/// Who asks.
#[derive(Debug, PartialEq)]
struct From {
    identities: Pair<Globs>,
    namespaces: Pair<Globs>,
    workloads: Pair<Globs>,
    meshes: Pair<Globs>,
    principals: Pair<Globs>,
    addresses: Pair<Addresses>,
    /// Names of namespaces and workloads are those of this trust domain; of any when `None`.
    home: Option<Arc<str>>,
}

impl From {
    fn new(source: &written::PolicySource, around: Around<'_>) -> From {
        let written::PolicySource {
            identities,
            not_identities,
            namespaces,
            not_namespaces,
            workloads,
            not_workloads,
            meshes,
            not_meshes,
            principals,
            not_principals,
            ip_blocks,
            not_ip_blocks,
        } = source;
        let ids =
            |list: &[model::glob::IdentityGlob]| list.iter().map(|id| Matcher::new(id.glob())).collect();
        let places = |list: &[model::glob::TextGlob]| {
            list.iter().map(|name| Matcher::new(&name.within(around.namespace))).collect()
        };
        From {
            identities: Pair::new(identities, not_identities, ids),
            namespaces: Pair::new(namespaces, not_namespaces, globs),
            workloads: Pair::new(workloads, not_workloads, places),
            meshes: Pair::new(meshes, not_meshes, globs),
            principals: Pair::new(principals, not_principals, globs),
            addresses: Pair::new(ip_blocks, not_ip_blocks, Addresses::new),
            home: around.trust_domain.filter(|_| meshes.is_empty()).cloned(),
        }
    }

    fn met(&self, source: &Source<'_>, doubt: Doubt) -> bool {
        self.met_by_names(source, doubt)
            && self
                .principals
                .met_by(source.principal, doubt, |list, name, _| one_matches(list, name.as_bytes()))
            && self.addresses.met_by(source.address, doubt, |list, address, _| list.contain(*address))
    }

    fn met_from_anywhere(&self, source: &Source<'_>, doubt: Doubt) -> bool {
        self.met_by_names(source, doubt)
            && (doubt == Doubt::Fails || !(self.addresses.is_written() || self.principals.is_written()))
    }

    fn met_by_names(&self, source: &Source<'_>, doubt: Doubt) -> bool {
        let identity = source.identity;
        let text = |list: &Globs, text: &&str, _: Doubt| one_matches(list, text.as_bytes());
        self.identities.met_by(identity.map(model::spiffe::SpiffeId::as_str), doubt, text)
            && self.meshes.met_by(identity.map(model::spiffe::SpiffeId::trust_domain), doubt, text)
            && self.is_named(&self.namespaces, identity.and_then(|id| id.namespace()), source, doubt)
            && self.is_named(&self.workloads, source.replica, source, doubt)
    }

    /// Names that mean something in one mesh only: in another the same name is somebody else's, perhaps.
    fn is_named(&self, names: &Pair<Globs>, name: Option<&str>, source: &Source<'_>, doubt: Doubt) -> bool {
        let at_home = self
            .home
            .as_deref()
            .is_none_or(|home| source.identity.is_some_and(|identity| identity.trust_domain() == home));
        names.met_by(name, doubt, |list, name, doubt| {
            one_matches(list, name.as_bytes()) && (at_home || doubt.holds())
        })
    }
}

/// What is asked.
#[derive(Debug, PartialEq)]
struct To {
    ports: Pair<Box<[u16]>>,
    server_names: Pair<Globs>,
    methods: Pair<Box<[Arc<str>]>>,
    hosts: Pair<Globs>,
    paths: Pair<Box<[PathMatcher]>>,
}

#[derive(Debug, PartialEq)]
struct PathMatcher {
    strict: Matcher,
    loose: Matcher,
}

impl To {
    fn new(operation: &written::PolicyOperation) -> To {
        let written::PolicyOperation {
            ports,
            not_ports,
            server_names,
            not_server_names,
            methods,
            not_methods,
            hosts,
            not_hosts,
            paths,
            not_paths,
        } = operation;
        let path = |glob: &PathGlob| PathMatcher {
            strict: Matcher::new(glob.glob()),
            loose: Matcher::loose(glob.glob()),
        };
        To {
            ports: Pair::new(ports, not_ports, |list| list.into()),
            server_names: Pair::new(server_names, not_server_names, folded),
            methods: Pair::new(methods, not_methods, |list| list.into()),
            hosts: Pair::new(hosts, not_hosts, folded),
            paths: Pair::new(paths, not_paths, |list| list.iter().map(path).collect()),
        }
    }

    fn met<H: HeaderView>(&self, asked: &Asked<'_, H>, doubt: Doubt) -> bool {
        let destination = asked.destination;
        self.ports.met(doubt, |ports, _| ports.contains(&destination.port))
            && self
                .server_names
                .met_by(destination.server_name, doubt, |names, name, _| one_matches(names, name.as_bytes()))
            && match asked.request {
                Some(request) => self.met_by_request(request, doubt),
                None => doubt.holds() || !self.is_of_requests(),
            }
    }

    fn is_of_requests(&self) -> bool {
        self.methods.is_written() || self.hosts.is_written() || self.paths.is_written()
    }

    fn met_by_request<H>(&self, request: &RequestView<'_, H>, doubt: Doubt) -> bool {
        let host = Some(request.host).filter(|host| !host.is_empty());
        self.methods.met(doubt, |methods, doubt| {
            methods.iter().any(|method| match doubt {
                Doubt::Holds => method.as_bytes().eq_ignore_ascii_case(request.method),
                Doubt::Fails => method.as_bytes() == request.method,
            })
        }) && self.hosts.met_by(host, doubt, |hosts, host, _| one_matches(hosts, host))
            && self.paths.met(doubt, |paths, doubt| match doubt {
                Doubt::Holds => {
                    could_be_any(request.path)
                        || paths.iter().any(|path| path.loose.matches_loosely(request.path))
                }
                Doubt::Fails => paths.iter().any(|path| path.strict.matches(request.path)),
            })
    }
}

/// What a header field or a claim must be.
#[derive(Debug, PartialEq)]
struct Value {
    of: Named,
    values: Pair<Globs>,
}

#[derive(Debug, PartialEq)]
enum Named {
    /// A header field, in lower case.
    Header(Box<[u8]>),
    /// A claim.
    Claim(Arc<str>),
}

impl Value {
    fn new(demand: &written::ValueDemand) -> Value {
        let header = demand.header.as_deref().unwrap_or_default().to_ascii_lowercase();
        Value {
            of: match &demand.claim {
                Some(claim) => Named::Claim(claim.clone()),
                None => Named::Header(header.as_bytes().into()),
            },
            values: Pair::new(&demand.values, &demand.not_values, globs),
        }
    }

    fn met<H: HeaderView>(&self, asked: &Asked<'_, H>, doubt: Doubt) -> bool {
        match &self.of {
            Named::Header(name) => self.met_by_header(name, asked.request, doubt),
            Named::Claim(name) => self.met_by_claim(name, asked.source, doubt),
        }
    }

    /// A token says what its issuer has signed, so there is nothing that could be read twice.
    fn met_by_claim(&self, name: &str, source: &Source<'_>, doubt: Doubt) -> bool {
        let claim = source.claims.and_then(|claims| claims.get(name));
        self.values.met_by(claim, doubt, |globs, claim, _| match claim {
            serde_json::Value::Array(list) => list.iter().any(|one| is_simply(globs, one)),
            one => is_simply(globs, one),
        })
    }

    fn met_by_header<H: HeaderView>(
        &self,
        name: &[u8],
        request: Option<&RequestView<'_, H>>,
        doubt: Doubt,
    ) -> bool {
        let Some(request) = request else { return doubt.holds() };
        let mut lines = request.headers.values(name).peekable();
        if lines.peek().is_none() {
            return self.values.met_by_nothing(doubt);
        }
        drop(lines);
        let lines = || request.headers.values(name);
        self.values.met(doubt, |globs, doubt| match doubt {
            // One line, or one element of a line that is a list, is enough to be meant.
            Doubt::Holds => lines()
                .any(|line| one_matches(globs, line) || elements(line).any(|part| one_matches(globs, part))),
            // Every line must fit, whole or element by element: a server may look at any of them.
            Doubt::Fails => lines()
                .all(|line| one_matches(globs, line) || elements(line).all(|part| one_matches(globs, part))),
        })
    }
}

/// Text as it is; numbers, yes and no as JSON has them. What has parts is like nothing that a policy can name.
fn is_simply(globs: &Globs, claim: &serde_json::Value) -> bool {
    match claim {
        serde_json::Value::String(text) => one_matches(globs, text.as_bytes()),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => {
            one_matches(globs, claim.to_string().as_bytes())
        }
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => false,
    }
}

/// Elements of a list (RFC 9110 section 5.6.1).
fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
