//! What one rule covers: requests, and other rules.

use std::sync::Arc;

use model::kinds::role::{ALL, PolicyRule};

use super::request::{Request, ResourceRequest};

/// Why a rule does not cover a request: the first thing that differs, in the order in which people look at rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The one is about resources, the other about paths.
    Sort,
    /// Another API group.
    Group,
    /// Another resource or subresource.
    Resource,
    /// Another path.
    Path,
    /// Another verb.
    Verb,
    /// Other objects.
    Name,
}

impl Difference {
    /// As a sentence about the rule.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Difference::Sort => "is not about this sort of thing",
            Difference::Group => "is about another API group",
            Difference::Resource => "is about other resources",
            Difference::Path => "is about other paths",
            Difference::Verb => "does not have the verb",
            Difference::Name => "is about other names",
        }
    }
}

/// Whether a rule covers a request; if not, why.
///
/// # Errors
/// The first thing that differs.
pub fn covers(rule: &PolicyRule, request: &Request) -> Result<(), Difference> {
    match request {
        Request::Resource(request) => covers_resource(rule, request),
        Request::Path { verb, path } if !rule.non_resource_urls.is_empty() => {
            let on_path = rule.non_resource_urls.iter().any(|pattern| path_matches(pattern, path));
            check(on_path, Difference::Path)?;
            check(lists(&rule.verbs, verb), Difference::Verb)
        }
        Request::Path { .. } => Err(Difference::Sort),
    }
}

fn covers_resource(rule: &PolicyRule, request: &ResourceRequest) -> Result<(), Difference> {
    check(!rule.resources.is_empty(), Difference::Sort)?;
    check(lists(&rule.api_groups, &request.group), Difference::Group)?;
    let meant = |written: &Arc<str>| resource_matches(written, &request.resource, &request.subresource);
    check(rule.resources.iter().any(meant), Difference::Resource)?;
    check(lists(&rule.verbs, &request.verb), Difference::Verb)?;
    // A request without a name (`create`, `list`) is about more than the names of the rule.
    let named = rule.resource_names.is_empty() || rule.resource_names.contains(&request.name);
    check(named, Difference::Name)
}

fn check(good: bool, difference: Difference) -> Result<(), Difference> {
    if good { Ok(()) } else { Err(difference) }
}

fn lists(list: &[Arc<str>], wanted: &str) -> bool {
    list.iter().any(|word| &**word == ALL || &**word == wanted)
}

/// `pods` is the objects only, `pods/log` only that part of them, `*/log` that part of anything, `*` everything.
fn resource_matches(written: &str, resource: &str, subresource: &str) -> bool {
    if written == ALL {
        return true;
    }
    match written.split_once('/') {
        None => subresource.is_empty() && written == resource,
        Some((owner, part)) => {
            !subresource.is_empty() && part == subresource && (owner == ALL || owner == resource)
        }
    }
}

/// `*` at the end stands for any rest, elsewhere for itself.
fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => pattern == path,
    }
}

/// The single grants that a rule is made of: no list in them has more than one element.
pub fn atoms(rule: &PolicyRule) -> impl Iterator<Item = PolicyRule> + '_ {
    rule.verbs.iter().flat_map(move |verb| {
        let paths = rule.non_resource_urls.iter().map(move |path| PolicyRule {
            verbs: vec![verb.clone()],
            non_resource_urls: vec![path.clone()],
            ..PolicyRule::default()
        });
        let resources = rule.api_groups.iter().flat_map(move |group| {
            rule.resources.iter().flat_map(move |resource| {
                let names = rule.resource_names.iter().map(Some);
                let names = names.chain(rule.resource_names.is_empty().then_some(None));
                names.map(move |name| PolicyRule {
                    verbs: vec![verb.clone()],
                    api_groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    resource_names: name.into_iter().cloned().collect(),
                    non_resource_urls: Vec::new(),
                })
            })
        });
        paths.chain(resources)
    })
}

/// Whether a rule allows everything that a single grant does.
#[must_use]
pub fn includes(rule: &PolicyRule, atom: &PolicyRule) -> bool {
    let every = |wanted: &[Arc<str>], list: &[Arc<str>]| wanted.iter().all(|word| lists(list, word));
    if !every(&atom.verbs, &rule.verbs) {
        return false;
    }
    if let [path] = atom.non_resource_urls.as_slice() {
        return rule.non_resource_urls.iter().any(|pattern| path_includes(pattern, path));
    }
    let resources = |wanted: &Arc<str>| rule.resources.iter().any(|list| resource_includes(list, wanted));
    let names = rule.resource_names.is_empty()
        || (!atom.resource_names.is_empty()
            && atom.resource_names.iter().all(|name| rule.resource_names.contains(name)));
    every(&atom.api_groups, &rule.api_groups) && atom.resources.iter().all(resources) && names
}

/// Whether all that one pattern of resources means is meant by another one.
fn resource_includes(rule: &str, atom: &str) -> bool {
    rule == ALL
        || rule == atom
        || matches!((rule.split_once('/'), atom.split_once('/')), (Some((ALL, one)), Some((_, other))) if one == other)
}

/// Whether all paths of one pattern are paths of another one.
fn path_includes(rule: &str, atom: &str) -> bool {
    match (rule.strip_suffix('*'), atom.strip_suffix('*')) {
        (Some(start), Some(rest)) => rest.starts_with(start),
        (Some(start), None) => atom.starts_with(start),
        (None, _) => rule == atom,
    }
}
