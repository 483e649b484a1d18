//! One version to the route that somebody would write by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Resource;
use model::kinds::api_binding::{ApiBinding, BindingTarget};
use model::kinds::api_version::VersionState;
use model::kinds::http_filter::{PathModifier, UrlRewrite};
use model::kinds::http_route::{
    HttpBackendRef, HttpMatch, HttpRouteSpec, HttpRule, Method, PathMatch as WrittenPath, PathMatchType,
};
use model::kinds::references::BackendObjectRef;
use model::kinds::{ApiProduct, ApiVersion, CORE_GROUP, HttpFilter, HttpRoute, Kind, KindName};
use model::resources::Typed;

use super::described::Described;
use super::offers::{self, Offer};
use super::selector::{Demands, demands};
use super::{answers, ends};
use crate::compile::resilience::told;
use crate::compile::service_parents::is_service;
use crate::config::{
    Access, Action, Described as DescribedBy, FixedAnswer, Mock, Operation, OperationSlot, Transform,
};
use crate::matching::{PathMatch, Template};

/// What a version is lowered from.
pub(super) struct Ground<'a> {
    pub(super) version: Typed<'a, ApiVersion>,
    pub(super) api: Option<&'a Resource>,
    pub(super) successor: Option<&'a Resource>,
    pub(super) offers: &'a [Offer],
    pub(super) binding: Option<&'a ApiBinding>,
    /// Products that have operations of it, by name.
    pub(super) products: &'a [Arc<Resource>],
    pub(super) current: Option<&'a Described>,
    /// With the name by which clients ask for it.
    pub(super) candidate: Option<(&'a str, &'a Described)>,
}

/// A version as a route.
#[derive(Debug)]
pub(in crate::compile) struct Lowered {
    /// The version as it was written.
    pub(in crate::compile) version: Arc<Resource>,
    /// The same with a route as its content.
    pub(in crate::compile) route: Arc<Resource>,
    /// What each rule is beyond what a route can say, in the order of the rules.
    pub(in crate::compile) rules: Vec<LoweredRule>,
    /// What it should be made of and is not, one sentence each.
    pub(in crate::compile) missing: Vec<String>,
}

impl Lowered {
    fn spec(&self) -> Option<&HttpRouteSpec> {
        self.route.content::<HttpRoute>().map(|route| &route.spec)
    }

    /// A rule by its position: what it is beyond a route, and what it is as part of one.
    pub(in crate::compile) fn rule(&self, at: usize) -> Option<(&LoweredRule, &HttpRule)> {
        Some((self.rules.get(at)?, self.spec()?.rules.get(at)?))
    }

    /// Whether it stands before callers of some Service.
    pub(super) fn has_callers_of_services(&self) -> bool {
        self.spec().is_some_and(|spec| spec.parent_refs.iter().any(is_service))
    }

    /// Whether a rule leads to one of these ports of Services of its namespace.
    pub(super) fn leads_behind(&self, at: usize, services: &[(Arc<str>, u16)]) -> bool {
        let Some((lowered, rule)) = self.rule(at) else { return false };
        let leads = |target: &BackendObjectRef| {
            let namespace = target.namespace.as_deref().unwrap_or(self.version.namespace());
            *target.group == *CORE_GROUP
                && *target.kind == *KindName::Service.as_str()
                && namespace == self.version.namespace()
                && services.iter().any(|(name, port)| *target.name == **name && target.port == Some(*port))
        };
        lowered.behind.is_some() && rule.backend_refs.iter().any(|reference| leads(&reference.target))
    }
}

/// What a rule is beyond what a route can say.
#[derive(Debug)]
pub(in crate::compile) struct LoweredRule {
    /// Which paths it is about.
    pub(in crate::compile) path: PathMatch,
    /// What stands before the path of the operation, as filters see it.
    pub(in crate::compile) below: PathMatch,
    /// The operation it carries.
    pub(in crate::compile) operation: Option<Arc<Operation>>,
    /// What its clients need where its upstreams speak another version.
    pub(in crate::compile) shim: Option<Arc<Transform>>,
    /// Which products give the right to ask for it.
    pub(in crate::compile) access: Option<Arc<Access>>,
    /// Which paths its provider is asked for.
    pub(in crate::compile) behind: Option<PathMatch>,
    /// Names of the products that the operation is part of, in the namespace of the version.
    pub(in crate::compile) products: Vec<Arc<str>>,
    /// With which method its provider is asked, where that is another.
    pub(in crate::compile) behind_method: Option<Arc<str>>,
    answer: Option<Answer>,
    /// What its operation is like, and what stands before the paths of all of them.
    described: Option<(Arc<apis::Operation>, Arc<str>)>,
    /// What stands before them where its provider is asked; nothing where it is asked for something else.
    base_behind: Option<Arc<str>>,
}

#[derive(Debug)]
enum Answer {
    Fixed(Arc<FixedAnswer>),
    Mock(Arc<Mock>),
    /// Its shim cannot be understood.
    Refused,
}

impl LoweredRule {
    /// What describes it, where it carries an operation.
    pub(in crate::compile) fn described(&self) -> Option<DescribedBy> {
        let (operation, base) = self.described.clone()?;
        Some(DescribedBy::Operation { operation, base })
    }

    /// What describes it as its provider is asked; nothing where a shim makes something else of it.
    pub(in crate::compile) fn described_behind(&self) -> Option<DescribedBy> {
        let (operation, _) = self.described.clone()?;
        Some(DescribedBy::Operation { operation, base: self.base_behind.clone()? })
    }

    /// One that answers by itself whatever is asked for below a path.
    fn answering(path: PathMatch, products: Vec<Arc<str>>, answer: FixedAnswer) -> LoweredRule {
        LoweredRule {
            below: path.clone(),
            path,
            operation: None,
            shim: None,
            access: None,
            behind: None,
            products,
            behind_method: None,
            answer: Some(Answer::Fixed(Arc::new(answer))),
            described: None,
            base_behind: None,
        }
    }

    /// What answers, where no upstream does.
    pub(in crate::compile) fn action(&self) -> Option<Action> {
        self.answer.as_ref().map(|answer| match answer {
            Answer::Fixed(fixed) => Action::Answer(fixed.clone()),
            Answer::Mock(mock) => Action::Mock(mock.clone()),
            Answer::Refused => Action::Refuse { status: 500, reason: "shim_invalid" },
        })
    }
}

/// Lowers a version. `slot` numbers its operations.
pub(super) fn lower(
    ground: &Ground<'_>,
    missing: Vec<String>,
    slot: &mut dyn FnMut(&Arc<str>) -> OperationSlot,
) -> Lowered {
    let spec = &ground.version.content.spec;
    let mut lowering = Lowering {
        ground,
        base: spec.base().into(),
        filters: ends::filter(spec, ground.successor).into_iter().collect(),
        demands: offers::Demands::new(ground.version, ground.offers),
        slot,
        rules: Vec::new(),
        beyond: Vec::new(),
        missing,
    };
    lowering.version();
    let Lowering { rules, beyond, missing, .. } = lowering;
    let version = ground.version.resource;
    let mut route = Resource::clone(version);
    let spec =
        HttpRouteSpec { parent_refs: spec.parent_refs.clone(), hostnames: spec.hostnames.clone(), rules };
    route.kind = Kind::HttpRoute(Box::new(HttpRoute { spec }));
    Lowered { version: version.clone(), route: Arc::new(route), rules: beyond, missing }
}

struct Lowering<'a> {
    ground: &'a Ground<'a>,
    base: Arc<str>,
    /// What is said on every answer.
    filters: Vec<HttpFilter>,
    /// What is asked of callers.
    demands: offers::Demands<'a>,
    slot: &'a mut dyn FnMut(&Arc<str>) -> OperationSlot,
    rules: Vec<HttpRule>,
    beyond: Vec<LoweredRule>,
    missing: Vec<String>,
}

impl Lowering<'_> {
    fn version(&mut self) {
        let ground = self.ground;
        let spec = &ground.version.content.spec;
        if spec.state == VersionState::Retired {
            let called = ends::called(ground.api, spec);
            return self.everything(answers::retired(&called, ground.successor));
        }
        if spec.hold {
            return self.everything(answers::held(&ends::called(ground.api, spec)));
        }
        if let Some(described) = ground.current.filter(|_| spec.state.is_live()) {
            self.revision(described, &demands(spec, None));
        }
        if let Some((name, described)) = ground.candidate {
            self.revision(described, &demands(spec, Some(name)));
        }
    }

    /// One answer for all that is asked below the base path.
    fn everything(&mut self, answer: FixedAnswer) {
        let ways = demands(&self.ground.version.content.spec, None);
        let path = PathMatch::Prefix(self.below());
        self.rules.push(rule("*", &path, &ways, &[None]));
        self.beyond.push(LoweredRule::answering(path, self.products(None), answer));
    }

    /// Names of the products that have an operation; of those that have any, when none is meant.
    fn products(&self, operation: Option<&str>) -> Vec<Arc<str>> {
        let version = self.ground.version.resource.key.name.as_str();
        let has = |product: &ApiProduct| {
            let mut own = product.spec.apis.iter().filter(|api| *api.version == *version);
            own.any(|api| operation.is_none_or(|key| api.has(key)))
        };
        let products = self.ground.products.iter();
        let named = products.filter(|product| product.content::<ApiProduct>().is_some_and(has));
        named.map(|product| product.key.name.to_arc()).collect()
    }

    fn below(&self) -> Arc<str> {
        if self.base.is_empty() { "/".into() } else { self.base.clone() }
    }

    fn revision(&mut self, described: &Described, ways: &[Demands]) {
        let mut methods: BTreeMap<String, Vec<Method>> = BTreeMap::new();
        for operation in &described.operations {
            let Some(method) = method(&operation.method) else { continue };
            methods.entry(operation.template.erased()).or_default().push(method);
        }
        for operation in &described.operations {
            let Some(method) = method(&operation.method) else { continue };
            let template = operation.template.erased();
            // Whoever may read may also ask what would be read (RFC 9110 section 9.3.2).
            let with_head = method == Method::Get && !methods[&template].contains(&Method::Head);
            let asked =
                if with_head { &[Some(Method::Get), Some(Method::Head)][..] } else { &[Some(method)] };
            self.operation(operation, &template, ways, asked);
        }
        for (template, methods) in &methods {
            self.other_methods(template, methods, ways);
        }
    }

    fn operation(
        &mut self,
        operation: &Arc<apis::Operation>,
        template: &str,
        ways: &[Demands],
        methods: &[Option<Method>],
    ) {
        let key = operation.key.text();
        let path = self.path(template);
        let mut rule = rule(&key, &path, ways, methods);
        rule.filters.clone_from(&self.filters);
        let target = self.ground.binding.and_then(|binding| binding.spec.target(&key));
        let mut answer = target.and_then(|target| self.mock(operation, target));
        let shim = target.map_or(Ok(None), |target| self.shim(operation, target)).unwrap_or_else(|why| {
            self.missing.push(why);
            answer = Some(Answer::Refused);
            None
        });
        let other =
            target.and_then(|target| target.shim.as_ref()?.operation(&key)?.to.as_deref()?.split_once(' '));
        let behind = match other {
            None => target.map(|target| behind(target, template)),
            Some((_, path)) => apis::Template::parse(path)
                .ok()
                .and_then(|template| Some(behind(target?, &template.erased()))),
        };
        let is_shimmed = target.and_then(|target| target.shim.as_ref()?.operation(&key)).is_some();
        let base_behind = target.filter(|_| !is_shimmed).map(|target| base_of(target).into());
        let behind_method =
            other.map(|(method, _)| Arc::from(method)).filter(|method| *method != operation.method);
        if let Some(target) = target {
            self.lead(&mut rule, target);
        }
        self.rules.push(rule);
        let slot = (self.slot)(&key);
        let version = self.ground.version.resource.key.place().into();
        let described = Some((operation.clone(), self.base.clone()));
        let access = self.demands.of(&key);
        let products = self.products(Some(&key));
        let operation = Some(Arc::new(Operation { key, slot, version, is_counted: true }));
        self.beyond.push(LoweredRule {
            path,
            below: PathMatch::Prefix(self.below()),
            operation,
            shim,
            access,
            behind,
            products,
            behind_method,
            answer,
            described,
            base_behind,
        });
    }

    fn mock(&self, operation: &Arc<apis::Operation>, target: &BindingTarget) -> Option<Answer> {
        let mock = target.mock?;
        let (operation, base) = (operation.clone(), self.base.clone());
        Some(Answer::Mock(Arc::new(Mock { operation, base, dynamic: mock.dynamic })))
    }

    /// What a shim does to an operation, if there is one and it does something.
    fn shim(
        &self,
        operation: &apis::Operation,
        target: &BindingTarget,
    ) -> Result<Option<Arc<Transform>>, String> {
        let Some(shim) = &target.shim else { return Ok(None) };
        let origin = format!("shim of {}", self.ground.version.resource.key.place());
        let changes = apis::shim::compile(&origin, shim, operation).map_err(|wrong| {
            format!("{} answers with 500, its shim has mistakes: {}", operation.key, told(&wrong))
        })?;
        Ok(changes.map(|changes| {
            let (origin, base) = (origin.into(), self.base.clone());
            Arc::new(Transform { origin, base, changes: Arc::new(changes) })
        }))
    }

    /// Towards upstreams, which know nothing of the base path.
    fn lead(&self, rule: &mut HttpRule, target: &BindingTarget) {
        rule.backend_refs = target
            .backend_refs
            .iter()
            .map(|reference| HttpBackendRef {
                target: reference.target.clone(),
                weight: reference.weight,
                filters: Vec::new(),
            })
            .collect();
        let replacement = target.path.clone().unwrap_or_else(|| "/".into());
        if rule.backend_refs.is_empty() || *replacement == *self.below() {
            return;
        }
        let path = PathModifier::ReplacePrefixMatch { replace_prefix_match: replacement };
        let url_rewrite = UrlRewrite { hostname: None, path: Some(path) };
        rule.filters.push(HttpFilter::UrlRewrite { url_rewrite });
    }

    /// A path that has operations, asked with a method that none of them has.
    fn other_methods(&mut self, template: &str, methods: &[Method], ways: &[Demands]) {
        let mut words: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        if words.contains(&"GET") {
            words.push("HEAD");
        }
        words.sort_unstable();
        words.dedup();
        let path = self.path(template);
        let mut rule = rule(&format!("* {template}"), &path, ways, &[None]);
        rule.filters.clone_from(&self.filters);
        self.rules.push(rule);
        let answer = answers::method_not_allowed(&words.join(", "));
        self.beyond.push(LoweredRule::answering(path, self.products(None), answer));
    }

    fn path(&self, template: &str) -> PathMatch {
        self::path(format!("{}{template}", self.base))
    }
}

/// A path, with or without parameters.
fn path(whole: String) -> PathMatch {
    Template::new(&whole).map_or_else(|| PathMatch::Exact(whole.into()), PathMatch::Template)
}

/// The path by which the upstream of an operation knows it.
fn behind(target: &BindingTarget, template: &str) -> PathMatch {
    path(format!("{}{template}", base_of(target)))
}

/// What stands before the paths of operations where an upstream is asked, without a slash at its end.
fn base_of(target: &BindingTarget) -> &str {
    target.path.as_deref().unwrap_or_default().trim_end_matches('/')
}

/// A rule that leads nowhere yet, with a match for each method in each way to be asked.
fn rule(name: &str, path: &PathMatch, ways: &[Demands], methods: &[Option<Method>]) -> HttpRule {
    let one = |way: &Demands, method: Option<Method>| HttpMatch {
        path: WrittenPath { match_type: PathMatchType::Exact, value: path.text().clone() },
        headers: way.headers.clone(),
        query_params: way.query.clone(),
        method,
    };
    HttpRule {
        name: Some(name.into()),
        matches: methods.iter().flat_map(|method| ways.iter().map(|way| one(way, *method))).collect(),
        filters: Vec::new(),
        backend_refs: Vec::new(),
        timeouts: None,
        retry: None,
        session_persistence: None,
    }
}

fn method(word: &str) -> Option<Method> {
    let upper = serde_json::Value::String(word.to_ascii_uppercase());
    serde_json::from_value(upper).ok()
}
