//! Rules that the schemas state as expressions: each function and form the rules use is seen to hold and to break.

use model::yaml;

/// Problems with a route whose `spec` has these rules and parents.
fn route(spec: &str) -> Vec<String> {
    problems(&format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: a}}\nspec: {{{spec}}}\n"
    ))
}

fn gateway(spec: &str) -> Vec<String> {
    problems(&format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: a}}\nspec: {{gatewayClassName: a, {spec}}}\n"
    ))
}

fn problems(text: &str) -> Vec<String> {
    let read = yaml::read(text, "test.yaml");
    read.violations.iter().map(|found| format!("{}: {}", found.field, found.problem)).collect()
}

#[track_caller]
fn breaks(found: &[String], words: &str) {
    assert!(found.iter().any(|problem| problem.contains(words)), "nothing says `{words}`: {found:#?}");
}

#[test]
fn durations_are_compared() {
    let timeouts = |request: &str, backend: &str| {
        route(&format!("rules: [{{timeouts: {{request: {request}, backendRequest: {backend}}}}}]"))
    };

    assert_eq!(timeouts("1m", "59s"), [""; 0]);
    assert_eq!(timeouts("0s", "59s"), [""; 0]);
    breaks(&timeouts("1m", "61s"), "backendRequest timeout cannot be longer than request timeout");
}

#[test]
fn patterns_of_rules_are_matched() {
    let path = |value: &str| route(&format!("rules: [{{matches: [{{path: {{value: '{value}'}}}}]}}]"));

    assert_eq!(path("/a/b%20c"), [""; 0]);
    breaks(&path("/a b"), "must only contain valid characters");
    breaks(&path("/a/../b"), "must not contain '/../'");
    breaks(&path("/a%2Fb"), "must not contain '%2F'");
    breaks(&path("/a/."), "must not end with '/.'");
}

#[test]
fn keys_of_maps_are_split_and_matched_even_when_they_are_words_of_the_language() {
    let labelled = |key: &str| {
        gateway(&format!(
            "infrastructure: {{labels: {{'{key}': x}}}}, listeners: [{{name: a, port: 80, protocol: HTTP}}]"
        ))
    };

    assert_eq!(labelled("example.com/tier"), [""; 0]);
    assert_eq!(labelled("namespace"), [""; 0]);
    breaks(
        &labelled("Example.com/tier"),
        "Label keys must be in the form of an optional DNS subdomain prefix",
    );
    breaks(&labelled(&format!("{}/x", "a".repeat(260))), "not longer than 253 characters in total");
}

#[test]
fn a_field_called_like_a_word_of_the_language_is_seen_by_rules() {
    let parents = |second: &str| {
        route(&format!("parentRefs: [{{name: a, namespace: one}}, {{name: a, namespace: {second}}}]"))
    };

    assert_eq!(parents("two"), [""; 0]);
    breaks(
        &parents("one"),
        "must be unique when parentRefs includes 2 or more references to the same parent",
    );
}

#[test]
fn parents_may_be_told_apart_by_port() {
    assert_eq!(route("parentRefs: [{name: a, port: 80}, {name: a, port: 81}]"), [""; 0]);
}

#[test]
fn lists_are_searched_counted_and_indexed() {
    let filters = |list: &str| route(&format!("rules: [{{filters: [{list}]}}]"));
    let rewrite = "{type: URLRewrite, urlRewrite: {hostname: a}}";
    let redirect = "{type: RequestRedirect, requestRedirect: {scheme: https}}";
    let prefix = "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}";
    let exact = format!("rules: [{{filters: [{prefix}], matches: [{{path: {{type: Exact, value: /a}}}}]}}]");

    assert_eq!(filters(rewrite), [""; 0]);
    assert_eq!(filters(prefix), [""; 0]);
    breaks(
        &filters(&format!("{rewrite}, {redirect}")),
        "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite",
    );
    breaks(&filters(&format!("{rewrite}, {rewrite}")), "URLRewrite filter cannot be repeated");
    breaks(&route(&exact), "exactly one PathPrefix match must be specified");
}

#[test]
fn numbers_are_added_and_compared() {
    let matches = vec!["{method: GET}"; 43].join(", ");
    let rule = format!("{{matches: [{matches}]}}");
    let mirror = |fraction: &str| {
        route(&format!(
            "rules: [{{filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{name: a, port: 80}}, {fraction}}}}}]}}]"
        ))
    };

    assert_eq!(route(&format!("rules: [{rule}, {rule}]")), [""; 0]);
    breaks(&route(&format!("rules: [{rule}, {rule}, {rule}]")), "total number of matches across all rules");
    assert_eq!(mirror("fraction: {numerator: 1, denominator: 3}"), [""; 0]);
    breaks(
        &mirror("fraction: {numerator: 4, denominator: 3}"),
        "numerator must be less than or equal to denominator",
    );
    breaks(
        &mirror("percent: 5, fraction: {numerator: 1}"),
        "Only one of percent or fraction may be specified",
    );
}

#[test]
fn listeners_of_a_gateway_exclude_each_other() {
    let listeners = |list: &str| gateway(&format!("listeners: [{list}]"));

    assert_eq!(
        listeners("{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP, hostname: x.y}"),
        [""; 0]
    );
    breaks(
        &listeners("{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP}"),
        "Combination of port, protocol and hostname must be unique for each listener",
    );
    breaks(
        &listeners("{name: a, port: 80, protocol: HTTP, tls: {certificateRefs: [{name: a}]}}"),
        "tls must not be specified",
    );
    breaks(
        &listeners("{name: a, port: 443, protocol: HTTPS, tls: {}}"),
        "certificateRefs or options must be specified",
    );
    breaks(
        &gateway(
            "addresses: [{type: Hostname, value: '*'}], listeners: [{name: a, port: 80, protocol: HTTP}]",
        ),
        "Hostname value must",
    );
}

#[test]
fn a_policy_has_anchors_of_exactly_one_sort() {
    let policy = |validation: &str| {
        problems(&format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {{name: a}}\nspec: {{targetRefs: [{{group: '', kind: Service, name: a}}], validation: {{hostname: a, {validation}}}}}\n"
        ))
    };

    assert_eq!(policy("wellKnownCACertificates: System"), [""; 0]);
    assert_eq!(policy("caCertificateRefs: [{group: '', kind: ConfigMap, name: a}]"), [""; 0]);
    breaks(
        &policy("subjectAltNames: []"),
        "must specify either CACertificateRefs or WellKnownCACertificates",
    );
    breaks(
        &policy(
            "wellKnownCACertificates: System, caCertificateRefs: [{group: '', kind: ConfigMap, name: a}]",
        ),
        "must not contain both CACertificateRefs and WellKnownCACertificates",
    );
}

#[test]
fn a_policy_says_only_what_its_targets_can_do() {
    let policy = |kind: &str, spec: &str| {
        problems(&format!(
            "apiVersion: policy.selvedge.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{{spec}}}\n"
        ))
    };
    let service = "targetRefs: [{group: '', kind: Service, name: a, sectionName: http}]";
    let route = "targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: a}]";
    let resilience = |spec: &str| policy("ResiliencePolicy", spec);
    let fault = |spec: &str| policy("FaultPolicy", spec);
    let telemetry = |spec: &str| policy("TelemetryPolicy", spec);
    let mesh = "targetRefs: [{group: mesh.selvedge.dev, kind: Mesh, name: a}]";

    assert_eq!(resilience(&format!("{service}, limits: {{requests: 1}}")), [""; 0]);
    assert_eq!(resilience(&format!("{route}, retries: {{retryOn: [503, '504', reset]}}")), [""; 0]);
    assert_eq!(fault(&format!("{route}, delay: {{fixed: 5m}}")), [""; 0]);
    for (found, words) in [
        (resilience(&format!("{route}, limits: {{requests: 1}}")), "are about a destination"),
        (resilience("targetRefs: [{group: a, kind: Service, name: a}]"), "group must be"),
        (
            resilience("targetRefs: [{group: mesh.selvedge.dev, kind: Backend, name: a, sectionName: b}]"),
            "sectionName names a rule",
        ),
        (resilience(&format!("{route}, retries: {{retryOn: [sometimes]}}")), "nothing that a request can be"),
        (resilience(&format!("{route}, retries: {{retryOn: [200]}}")), "200 is too small"),
        (resilience(&format!("{route}, retries: {{attempts: 11}}")), "11 is too large"),
        (resilience(&format!("{route}, timeouts: {{request: 1s, attempt: 2s}}")), "attempt cannot be longer"),
        (
            resilience(&format!("{route}, retries: {{backoff: {{base: 2s, max: 1s}}}}")),
            "base cannot be longer",
        ),
        (
            resilience(&format!("{service}, healthChecks: {{tcp: {{}}, http: {{path: /}}}}")),
            "exactly one of http, grpc and tcp",
        ),
        (resilience(&format!("{service}, healthChecks: {{tcp: {{}}, interval: 1ms}}")), "at least 100ms"),
        (fault(route), "set delay, abort or both"),
        (fault(&format!("{route}, delay: {{fixed: 6m}}")), "at most 5m"),
        (
            fault(&format!("{route}, abort: {{status: 503, grpcStatus: 14}}")),
            "exactly one of status and grpcStatus",
        ),
        (telemetry(&format!("{mesh}, tracing: {{endpoint: 'collector:4318'}}")), "is not"),
        (
            telemetry(&format!("{mesh}, tracing: {{endpoint: 'https://a/v1/traces', protocol: grpc}}")),
            "gRPC has no path",
        ),
        (
            telemetry(&format!("{mesh}, tracing: {{endpoint: 'http://a', tls: {{hostname: a}}}}")),
            "this one is http",
        ),
        (
            telemetry(&format!(
                "{mesh}, tracing: {{endpoint: 'http://a', credential: {{scheme: Bearer, secretRef: {{name: a}}}}}}"
            )),
            "everybody on the way reads",
        ),
        (
            telemetry(&format!(
                "{mesh}, tracing: {{endpoint: 'http://a', headers: [{{name: Content-Type, value: a}}]}}"
            )),
            "belongs to the message itself",
        ),
        (
            telemetry(&format!("{mesh}, tracing: {{endpoint: 'http://a', sampling: {{percent: 101}}}}")),
            "101 is too large",
        ),
        (
            telemetry(&format!(
                "{mesh}, tracing: {{endpoint: 'http://a', sampling: {{percent: 1, fraction: {{numerator: 1}}}}}}"
            )),
            "percent or fraction",
        ),
    ] {
        breaks(&found, words);
    }
}

#[test]
fn a_product_names_a_page_that_can_stand_in_a_header_field_or_none() {
    let page = |value: &str| {
        problems(&format!(
            "apiVersion: product.selvedge.dev/v1alpha1\nkind: APIProduct\nmetadata: {{name: a}}\n\
             spec: {{apis: [{{version: a-v1}}], page: {value:?}}}\n"
        ))
    };

    assert_eq!(page("https://developer.example/pets?from=429#plans"), [""; 0]);
    breaks(&page("/plans/of/pets"), "spec.page: is no URL of a page: it does not begin with `https://`");
    breaks(&page("https://a.example/>; rel=next"), "spec.page: is no URL of a page: `>` cannot stand in it");
    breaks(&page(&format!("https://a.example/{}", "a".repeat(1007))), "spec.page: ");
}
