//! What the compiler promises about APIs: descriptions are read once, operations keep their numbers, parts that name what is
//! not there say so, and plans do not contradict each other.

mod support;
mod wild;

use std::sync::Arc;

use engine::authentication::Method;
use engine::config::{Action, Config, Operation, Rule};
use engine::explain::{Question, explain};
use engine::matching::{HostPattern, HostTable};
use engine::status::ConditionType;
use engine::{RequestView, Verdict};
use proptest::prelude::*;
use support::{BASE, World};

const PETS: &str = "openapi: 3.1.0
info: { title: Pets, version: '1' }
paths:
  /pets/{id}:
    get: { parameters: [{ name: id, in: path, required: true }], responses: { '200': { description: one } } }
  /pets:
    get: { responses: { '200': { description: all } } }
";

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: product.selvedge.dev/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec: {spec}\n---\n"
    )
}

fn revision(name: &str, text: &str) -> String {
    let text = serde_json::Value::from(text);
    let documents = format!("[{{ name: pets.yaml, content: {text} }}]");
    object("APIRevision", name, &format!("{{ api: pets, version: v1, documents: {documents} }}"))
}

fn version(name: &str, revision: &str) -> String {
    let spec = format!(
        "{{ api: {name}, label: v1, state: Published, revision: {revision}, hostnames: [{name}.example], basePath: /,
            parentRefs: [{{ name: edge }}] }}"
    );
    object("APIVersion", name, &spec)
}

fn mocked(version: &str) -> String {
    object("APIBinding", version, &format!("{{ version: {version}, default: {{ mock: {{}} }} }}"))
}

fn host(config: &Config, name: &str) -> Arc<HostTable> {
    let (_, listener) = config.ports[0].table().expect("requests").listeners().sorted().remove(0);
    listener.hosts.at(&HostPattern::new(Some(name))).unwrap_or_else(|| panic!("no host {name}")).clone()
}

fn ask<'c>(config: &'c Config, host: &str, path: &str) -> &'c Rule {
    let headers: [(String, String); 0] = [];
    let (host, path) = (host.as_bytes(), path.as_bytes());
    let view = RequestView { method: b"GET", host, path, query: None, headers: headers.as_slice() };
    match config.ports[0].table().expect("requests").find(&view, None) {
        Verdict::Rule(rule) => rule,
        other @ (Verdict::NoMatch | Verdict::Misdirected) => panic!("{other:?}"),
    }
}

fn operation(rule: &Rule) -> &Operation {
    rule.operation.as_deref().expect("an operation")
}

fn described(rule: &Rule) -> *const () {
    match &rule.action {
        Action::Mock(mock) => Arc::as_ptr(&mock.operation).cast(),
        other => panic!("no mock: {other:?}"),
    }
}

/// What a condition of an object says, when it has one.
fn says(world: &mut World, name: &str, kind: ConditionType) -> Option<String> {
    let compiled = world.compile();
    let object = compiled.conditions.iter().find(|object| object.resource.key.name.as_str() == name)?;
    let mut found = object.status.conditions();
    found.find(|(_, one)| one.kind == kind).map(|(_, one)| one.message.clone())
}

#[test]
fn a_description_is_read_once_and_other_apis_stay_as_they_are() {
    let mut world = World::new();
    world.apply(BASE).apply(&revision("one", PETS));
    world.apply(&(version("a", "one") + &mocked("a"))).apply(&(version("b", "one") + &mocked("b")));
    let before = world.compile().config;

    let after = world.apply(&version("a", "one").replace("basePath: /", "basePath: /new")).compile().config;

    assert!(Arc::ptr_eq(&host(&before, "b.example"), &host(&after, "b.example")));
    assert_eq!(
        described(ask(&before, "a.example", "/pets")),
        described(ask(&after, "a.example", "/new/pets"))
    );
}

#[test]
fn an_operation_keeps_its_number_whatever_describes_it() {
    let mut world = World::new();
    world.apply(BASE).apply(&revision("one", PETS)).apply(&(version("a", "one") + &mocked("a")));
    world.apply(&revision("two", &PETS.replace("{id}", "{petId}").replace("name: id", "name: petId")));
    let before = world.compile().config;
    let one = operation(ask(&before, "a.example", "/pets/1"));

    let after = world.apply(&version("a", "two")).compile().config;

    let two = operation(ask(&after, "a.example", "/pets/1"));
    assert_eq!((&*two.key, two.slot), ("GET /pets/{}", one.slot));
    assert_ne!(operation(ask(&after, "a.example", "/pets")).slot, two.slot);
    assert_eq!(&*two.version, "default/a");
}

#[test]
fn what_names_an_operation_that_is_not_there_is_told_which_was_meant() {
    let mut world = World::new();
    world.apply(BASE).apply(&revision("one", PETS)).apply(&version("a", "one"));
    world.apply(&object(
        "APIBinding",
        "x",
        "{ version: a, operations: [{ operations: ['GET /pet/{}'], mock: {} }] }",
    ));
    world.apply(&object("APIProduct", "bundle", "{ apis: [{ version: other }] }"));

    let binding = says(&mut world, "x", ConditionType::ResolvedRefs).expect("a condition");
    assert!(
        binding.contains("no operation `GET /pet/{}`") && binding.contains("`GET /pets/{}`"),
        "{binding}"
    );
    let product = says(&mut world, "bundle", ConditionType::ResolvedRefs).expect("a condition");
    assert_eq!(product, "there is no APIVersion `other`");
}

#[test]
fn of_two_bindings_the_older_holds_and_the_younger_says_so() {
    let mut world = World::new();
    world.apply(BASE).apply(&revision("one", PETS)).apply(&(version("a", "one") + &mocked("a")));
    world.apply(&object(
        "APIBinding",
        "late",
        "{ version: a, default: { backendRefs: [{ name: cart, port: 80 }] } }",
    ));

    let config = world.compile().config;

    assert!(matches!(ask(&config, "a.example", "/pets").action, Action::Mock(_)));
    let late = says(&mut world, "late", ConditionType::Conflicted).expect("a condition");
    assert_eq!(late, "the older APIBinding `a` says what answers this version");
}

fn plan(name: &str, product: &str, keyless: bool, state: &str) -> String {
    let credentials = if keyless { "[]" } else { "[APIKey]" };
    object("Plan", name, &format!("{{ product: {product}, state: {state}, credentials: {credentials} }}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// [P2] Nobody would use a key for what is had without one.
    #[test]
    fn a_keyless_plan_and_a_keyed_one_never_share_operations_unnoticed(
        first in prop::sample::subsequence(vec!["GET /pets", "GET /pets/{}"], 0..=2),
        second in prop::sample::subsequence(vec!["GET /pets", "GET /pets/{}"], 0..=2),
        keyless: (bool, bool),
        published: (bool, bool),
    ) {
        let product = |name: &str, operations: &[&str]| match operations {
            [] => object("APIProduct", name, "{ apis: [{ version: a }] }"),
            some => object("APIProduct", name, &format!("{{ apis: [{{ version: a, operations: {some:?} }}] }}")),
        };
        let state = |published: bool| if published { "Published" } else { "Draft" };
        let mut world = World::new();
        world.apply(&(product("p", &first) + &product("q", &second)));
        world.apply(&(plan("one", "p", keyless.0, state(published.0)) + &plan("two", "q", keyless.1, state(published.1))));

        let told = says(&mut world, "one", ConditionType::Conflicted).is_some();

        let shared = first.is_empty() || second.is_empty() || first.iter().any(|one| second.contains(one));
        prop_assert_eq!(told, shared && keyless.0 != keyless.1 && published == (true, true));
        prop_assert_eq!(says(&mut world, "two", ConditionType::Conflicted).is_some(), told);
    }
}

/// An API with a product that has one of its two operations.
fn selling(state: &str, plans: &str) -> World {
    let mut world = World::new();
    world.apply(BASE).apply(&revision("one", PETS)).apply(&(version("a", "one") + &mocked("a")));
    let product = format!("{{ state: {state}, apis: [{{ version: a, operations: ['GET /pets'] }}] }}");
    world.apply(&object("APIProduct", "p", &product)).apply(plans);
    world
}

fn plans_of(rule: &Rule) -> Vec<&str> {
    let access = rule.access.as_deref().expect("something is asked");
    access.products.iter().flat_map(|product| product.plans.iter().map(|plan| &*plan.name)).collect()
}

#[test]
fn an_operation_of_a_product_asks_for_a_subscription_and_others_are_open() {
    let plans = [("free", "Published"), ("old", "Deprecated"), ("next", "Draft"), ("gone", "Closed")];
    let plans: String = plans.iter().map(|(name, state)| plan(name, "p", false, state)).collect();
    let config = selling("Published", &plans).compile().config;

    let asked = ask(&config, "a.example", "/pets");
    assert_eq!(plans_of(asked), ["default/free", "default/old"]);
    let access = asked.access.as_deref().expect("something is asked");
    assert_eq!(access.offers().map(|(_, plan)| &*plan.name).collect::<Vec<_>>(), ["default/free"]);
    let usual = asked.authentication.as_deref().expect("subscribers prove who they are");
    assert_eq!(usual.methods.iter().map(Method::as_str).collect::<Vec<_>>(), ["apiKey", "spiffe"]);
    let open = ask(&config, "a.example", "/pets/1");
    assert!(open.access.is_none() && open.authentication.is_none());
}

#[test]
fn a_product_guards_from_its_publication_and_lets_nobody_in_once_it_has_ended() {
    for (state, plans) in
        [("Draft", None), ("Published", Some(1)), ("Deprecated", Some(1)), ("Archived", Some(0))]
    {
        let config = selling(state, &plan("free", "p", false, "Published")).compile().config;
        let rule = ask(&config, "a.example", "/pets");
        assert_eq!(rule.access.is_some().then(|| plans_of(rule).len()), plans, "{state}");
    }
}

#[test]
fn the_page_of_a_product_becomes_a_finished_field_and_follows_its_object() {
    let mut world = selling("Published", &plan("free", "p", false, "Published"));
    let page = |config: &Config| {
        let access = ask(config, "a.example", "/pets").access.clone().expect("something is asked");
        access.products[0].page.clone()
    };
    assert_eq!(page(&world.compile().config), None);
    for at in ["https://a.example/plans", "http://b.example/#all"] {
        let spec = format!(
            "{{ state: Published, page: '{at}', apis: [{{ version: a, operations: ['GET /pets'] }}] }}"
        );
        world.apply(&object("APIProduct", "p", &spec));

        let made = page(&world.compile().config).expect("a page");

        assert_eq!(made.url.as_str(), at);
        let link = format!("<{at}>; rel=\"help\"; title=\"upgrade\"");
        assert_eq!(std::str::from_utf8(&made.link), Ok(&*link));
    }
}

#[test]
fn what_everybody_has_is_not_asked_for_unless_another_plan_asks() {
    let mut world = selling("Published", &plan("open", "p", true, "Published"));
    let config = world.compile().config;
    let rule = ask(&config, "a.example", "/pets");
    let keyless = rule.access.as_deref().and_then(|access| access.keyless.as_ref());
    assert_eq!(keyless.map(|keyless| &*keyless.plan.name), Some("default/open"));
    assert!(rule.authentication.is_none());

    world.apply(&plan("gold", "p", false, "Published"));

    let config = world.compile().config;
    let rule = ask(&config, "a.example", "/pets");
    assert!(rule.access.as_deref().is_some_and(|access| access.keyless.is_none()));
    assert!(rule.authentication.is_some());
}

#[test]
fn a_policy_says_how_subscribers_prove_who_they_are_and_terms_follow_their_objects() {
    let rates = "{ product: p, state: Published, rates: [{ requests: 10, per: 1s, burst: 20 }] }";
    let mut world = selling("Published", &object("Plan", "free", rates));
    let before = world.compile().config;
    world.apply(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthenticationPolicy
metadata: { name: own }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]
  methods: [{ apiKey: { in: [{ query: key }] } }]
",
    );

    let after = world.compile().config;

    let rule = ask(&after, "a.example", "/pets");
    assert_eq!(rule.authentication.as_deref().map(|asked| &*asked.policy), Some("default/own"));
    let terms = |rule: &Rule| rule.access.clone().expect("something is asked");
    assert!(
        Arc::ptr_eq(&terms(rule), &terms(ask(&before, "a.example", "/pets"))),
        "nothing else is different"
    );
    let held = terms(rule);
    let limit = &held.products[0].plan("default/free").expect("it holds").rates[0];
    assert_eq!((&*limit.name, limit.rate.burst()), ("10-per-1s", 20));

    let two = "{ product: p, state: Published, version: 2, rates: [{ requests: 5, per: 1s }] }";
    world.apply(&object("Plan", "free", two));
    let again = world.compile().config;
    let terms = terms(ask(&again, "a.example", "/pets"));
    assert_eq!(terms.products[0].plans[0].version, 2);
    assert!(terms.products[0].plan("default/other").is_none());
}

fn policy(kind: &str, name: &str, (target, of): (&str, &str), section: Option<&str>, spec: &str) -> String {
    let section = section.map(|section| format!(", sectionName: '{section}'")).unwrap_or_default();
    let target = format!("{{ group: product.selvedge.dev, kind: {target}, name: {of}{section} }}");
    format!(
        "apiVersion: policy.selvedge.dev/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name} }}\n\
         spec: {{ targetRefs: [{target}], {spec} }}\n---\n"
    )
}

fn product(name: &str, operations: &str) -> String {
    object("APIProduct", name, &format!("{{ apis: [{{ version: a, operations: [{operations}] }}] }}"))
}

/// Version `a` with two operations, and products `all` and `one` of which the second has only one of them.
fn sold() -> World {
    let mut world = World::new();
    world.apply(BASE).apply(&revision("one", PETS)).apply(&(version("a", "one") + &mocked("a")));
    world.apply(&product("all", "'GET /pets', 'GET /pets/{}'")).apply(&product("one", "'GET /pets/{}'"));
    world
}

#[test]
fn of_the_authentication_of_products_versions_and_operations_the_nearest_holds() {
    let mut world = sold();
    let asked = |world: &mut World| {
        let config = world.compile().config;
        let name = |path| ask(&config, "a.example", path).authentication.clone();
        [name("/pets"), name("/pets/7")].map(|found| found.map(|found| found.policy.to_string()))
    };
    let spiffe = |name: &str, target, section| {
        policy("AuthenticationPolicy", name, target, section, "methods: [{ spiffe: {} }]")
    };
    assert_eq!(asked(&mut world), [None, None]);

    world.apply(&spiffe("of-one", ("APIProduct", "one"), None));
    assert_eq!(asked(&mut world), [None, Some("default/of-one".into())]);
    world.apply(&spiffe("of-version", ("APIVersion", "a"), None));
    let version = Some("default/of-version".to_owned());
    assert_eq!(asked(&mut world), [version.clone(), version.clone()]);
    world.apply(&spiffe("of-operation", ("APIVersion", "a"), Some("GET /pets/{}")));
    assert_eq!(asked(&mut world), [version, Some("default/of-operation".into())]);
}

#[test]
fn products_that_ask_for_different_credentials_for_one_operation_let_nobody_in() {
    let mut world = sold();
    for (name, method) in [("all", "spiffe"), ("one", "clientCertificate")] {
        let spec = format!("methods: [{{ {method}: {{}} }}]");
        world.apply(&policy("AuthenticationPolicy", name, ("APIProduct", name), None, &spec));
    }

    let config = world.compile().config;
    let asked = |path| ask(&config, "a.example", path).authentication.clone().expect("a demand");
    assert_eq!((&*asked("/pets").policy, asked("/pets").unusable.is_none()), ("default/all", true));
    assert!(
        asked("/pets/7").unusable.as_ref().is_some_and(|why| why.contains("the products of one operation"))
    );

    // What is said nearer settles it.
    world.apply(&policy("AuthenticationPolicy", "v", ("APIVersion", "a"), None, "methods: [{ spiffe: {} }]"));
    let config = world.compile().config;
    assert!(
        ask(&config, "a.example", "/pets/7")
            .authentication
            .as_ref()
            .is_some_and(|one| one.unusable.is_none())
    );
}

#[test]
fn other_policies_of_products_and_versions_hold_for_their_operations_and_follow_them() {
    let mut world = sold();
    let deny = "action: Deny, rules: [{ name: nobody }]";
    world.apply(&policy("AuthorizationPolicy", "who", ("APIProduct", "one"), None, deny));
    world.apply(&policy("IpPolicy", "where", ("APIProduct", "one"), None, "deny: [10.0.0.0/8]"));
    world.apply(&policy("IpPolicy", "here", ("APIVersion", "a"), None, "deny: [192.0.2.0/24]"));
    world.apply(&policy(
        "CorsPolicy",
        "pages",
        ("APIProduct", "one"),
        None,
        "allowOrigins: ['https://x.example']",
    ));
    let limits = "limits: [{ name: some, requests: 1, per: 1s }]";
    world.apply(&policy("RateLimitPolicy", "often", ("APIProduct", "one"), None, limits));
    let held = |world: &mut World, path: &str| {
        let config = world.compile().config;
        let rule = ask(&config, "a.example", path);
        let addresses = rule.addresses.iter().flat_map(|rules| rules.iter());
        (
            addresses.map(|rule| rule.policy.to_string()).collect::<Vec<_>>().join(" "),
            rule.authorization.is_some(),
            rule.rates.is_some(),
            rule.filters.len(),
        )
    };
    let bare = ("default/here".to_owned(), false, false, 0);
    let all = ("default/here default/where".to_owned(), true, true, 1);

    assert_eq!(held(&mut world, "/pets"), bare);
    assert_eq!(held(&mut world, "/pets/7"), all);

    // The product sells another operation now.
    world.apply(&product("one", "'GET /pets'"));
    assert_eq!(held(&mut world, "/pets"), all);
    assert_eq!(held(&mut world, "/pets/7"), bare);
}

#[test]
fn a_limit_is_given_by_all_proxies_together_unless_it_says_that_each_gives_it() {
    let mut world = sold();
    let limits = "limits: [{ name: whole, requests: 1, per: 1s }, { name: each, requests: 1, per: 1s, scope: EachProxy }]";
    world.apply(&policy("RateLimitPolicy", "often", ("APIVersion", "a"), None, limits));

    let config = world.compile().config;
    let rates = ask(&config, "a.example", "/pets").rates.as_deref().expect("limits");
    let together: Vec<(&str, bool)> = rates.iter().map(|limit| (&*limit.name, limit.is_together)).collect();
    assert_eq!(together, [("whole", true), ("each", false)]);
}

#[test]
fn a_product_that_nobody_can_have_and_a_plan_that_cannot_be_kept_say_so() {
    let forever = "{ product: p, state: Published, rates: [{ requests: 4294967296, per: 1s }] }";
    let mut world = selling("Published", &object("Plan", "free", forever));

    assert!(plans_of(ask(&world.compile().config, "a.example", "/pets")).is_empty());
    let plan = says(&mut world, "free", ConditionType::Accepted).expect("a condition");
    assert_eq!(plan, "rates[0]: 4294967296 is more than 4294967295; the plan lets nobody in");
    let product = says(&mut world, "p", ConditionType::Accepted).expect("a condition");
    assert_eq!(product, "no Plan of it holds, so nobody may ask for its operations");
}

#[test]
fn what_an_operation_asks_for_is_explained() {
    let rates = "{ product: p, state: Published, rates: [{ requests: 10, per: 1s }] }";
    let config = selling("Published", &object("Plan", "free", rates)).compile().config;

    let question = Question {
        method: "GET",
        url: "http://a.example:8080/pets",
        headers: &[],
        source: engine::authorization::Source::default(),
    };
    let said = explain(&config, &question).expect("a URL").to_string();

    assert!(said.contains("callers   apiKey, or spiffe by the default of products"), "{said}");
    assert!(said.contains("access    a subscription to default/p (default/free 10-per-1s)"), "{said}");
}
