//! What reading promises beyond its messages.
#![allow(clippy::disallowed_methods, reason = "it measures how long reading takes")]

use std::fmt::Write as _;

use model::kinds::http_filter::HttpFilter;
use model::kinds::http_route::{PathMatchType, ValueMatchType};
use model::kinds::{HttpRoute, KindName};
use model::yaml::{self, Read};
use model::{Resource, Resources, schema};

fn sound(text: &str) -> Vec<Resource> {
    let Read { resources, violations } = yaml::read(text, "test.yaml");
    assert!(violations.is_empty(), "{violations}");
    resources
}

fn faults(text: &str) -> Vec<String> {
    let read = yaml::read(text, "test.yaml");
    read.violations
        .iter()
        .map(|found| format!("{}:{}: {}", found.line.unwrap_or(0), found.field, found.problem))
        .collect()
}

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: checkout}
spec:
  parentRefs: [{name: edge}]
  rules:
    - backendRefs: [{name: cart, port: 80}]
    - matches:
        - headers: [{name: x, value: why}]
      filters:
        - type: CORS
          cors: {allowOrigins: ['*']}
";

#[test]
fn every_schema_and_every_rule_in_it_compiles() {
    for kind in KindName::ALL {
        assert!(schema::of(*kind).fields().count() > 0, "{kind} has no fields");
    }
    assert!(schema::metadata().fields().any(|field| field == "name"));
}

#[test]
fn defaults_are_those_of_the_upstream_schemas() {
    let resources = sound(ROUTE);
    let route: &HttpRoute = resources[0].content().expect("a route");

    assert_eq!(resources[0].key.to_string(), "HTTPRoute/default/checkout");
    let parent = &route.spec.parent_refs[0];
    assert_eq!((&*parent.group, &*parent.kind), ("gateway.networking.k8s.io", "Gateway"));
    let [first, second] = route.spec.rules.as_slice() else { panic!("two rules") };
    assert_eq!(
        (first.matches[0].path.match_type, &*first.matches[0].path.value),
        (PathMatchType::PathPrefix, "/")
    );
    let backend = &first.backend_refs[0];
    assert_eq!((&*backend.target.group, &*backend.target.kind, backend.weight), ("", "Service", 1));
    assert_eq!(second.matches[0].path.match_type, PathMatchType::PathPrefix);
    assert_eq!(second.matches[0].headers[0].match_type, ValueMatchType::Exact);
    let HttpFilter::Cors { cors } = &second.filters[0] else { panic!("a CORS filter") };
    assert_eq!(cors.max_age, 5);
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
        "data": {"ca.crt": "line\nline \u00e4 \/ \ud83d\ude00"}}"#;

    let resources = sound(text);

    assert_eq!(resources[0].written.value()["data"]["ca.crt"], "line\nline ä / 😀");
}

#[test]
fn lists_are_unfolded_and_their_faults_keep_their_lines() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: B\n    labels: {x: yes}\n";

    let read = yaml::read(list, "test.yaml");

    assert_eq!(read.resources.len(), 1);
    let found: Vec<_> = read.violations.iter().map(ToString::to_string).collect();
    assert!(found[0].starts_with("  test.yaml:10  Namespace B  metadata.name\n"), "{}", found[0]);
    assert!(found[1].starts_with("  test.yaml:11  Namespace B  metadata.labels.x\n"), "{}", found[1]);
}

#[test]
fn nothing_is_read_from_nothing() {
    for text in ["", "---\n", "# words\n", "---\n---\n", "\u{feff}", "null\n"] {
        assert!(sound(text).is_empty(), "{text:?}");
    }
}

#[test]
fn an_object_defined_twice_is_a_violation_in_one_file_and_over_files() {
    let one = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let twice = format!("{one}---\n{one}");

    let within = faults(&twice);
    let over = yaml::join([yaml::read(one, "a.yaml"), yaml::read(one, "b.yaml")]);

    assert_eq!(within, ["7:metadata.name: Namespace/a is defined at test.yaml:1 already"]);
    assert_eq!(over.resources.len(), 1);
    assert!(
        over.violations.to_string().contains("b.yaml:3  Namespace a  metadata.name"),
        "{}",
        over.violations
    );
}

#[test]
fn a_field_written_without_a_value_counts_as_not_written() {
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n  name: a\n  bad name:\nspec:\n  type:\n  ports: [{port: 0}]\n";

    assert_eq!(
        faults(text),
        ["6:metadata[\"bad name\"]: there is no field `bad name`", "9:spec.ports[0].port: 0 is too small"]
    );
}

#[test]
fn anchors_repeat_values_but_bombs_do_not_go_off() {
    let shared = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: &x word, b: *x}\n";
    assert_eq!(sound(shared)[0].written.value()["data"]["b"], "word");

    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..20 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(laughs, "a{level}: &a{level} [{aliases}]").expect("written");
    }
    assert_eq!(faults(&laughs), ["5:a4[7]: aliases repeat too much"]);

    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1000), vec!["*a"; 2000].join(", "));
    assert!(faults(&long)[0].contains("aliases repeat too much"));

    let own = "a: &a [*a]\n";
    assert!(faults(own)[0].contains("the alias repeats what it is part of"), "{:?}", faults(own));
}

#[test]
fn depth_and_size_are_bounded() {
    for text in
        ["[".repeat(100_000), "- ".repeat(100_000), format!("{}x", "{a: ".repeat(200)), "? ".repeat(10_000)]
    {
        assert_eq!(faults(&text).len(), 1, "{}", &text[..20]);
    }
    let large = "x".repeat(yaml::FILE_BYTES_MAX + 1);
    assert!(faults(&large)[0].contains("at most 16777216 are read"));
    let many = format!("a: [{}]", "1,".repeat(yaml::NODES_MAX));
    assert!(faults(&many)[0].contains("more than 2000000 values"), "{:?}", faults(&many));
}

#[test]
fn what_is_not_utf_8_is_refused_with_its_line() {
    let read = yaml::read_bytes(b"a: b\nc: \xff\n", "test.yaml");

    assert_eq!(read.violations.iter().next().and_then(|found| found.line), Some(2));
}

#[test]
fn values_of_secrets_are_never_repeated_in_messages() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: hunter2!, b: 31337}\nstringData: {c: [hunter2], d: 031337}\n";

    let report = yaml::read(text, "test.yaml").violations.to_string();

    assert_eq!(report.matches("test.yaml:").count(), 4, "{report}");
    assert!(!report.contains("hunter2") && !report.contains("31337"), "{report}");
}

#[test]
fn five_thousand_routes_are_five_thousand_resources() {
    let mut text = String::new();
    for number in 0..5_000 {
        text.push_str("---");
        text.push_str(&ROUTE.replace("checkout", &format!("route-{number}")));
    }

    let mut resources = Resources::new();
    sound(&text).into_iter().for_each(|resource| drop(resources.insert(resource)));

    assert_eq!(resources.http_routes().count(), 5_000);
}

/// The least that can be said of each kind.
fn least(kind: KindName) -> &'static str {
    match kind {
        KindName::Namespace
        | KindName::Secret
        | KindName::ConfigMap
        | KindName::Pod
        | KindName::GatewayParameters
        | KindName::Mesh
        | KindName::Role
        | KindName::ClusterRole
        | KindName::Team
        | KindName::Developer
        | KindName::Application => "",
        KindName::Subscription => "spec: {application: a, product: shop/a, plan: b}",
        KindName::Credential => "spec: {application: a}",
        KindName::Service => "spec: {}",
        KindName::EndpointSlice => "addressType: IPv4",
        KindName::GatewayClass => "spec: {controllerName: selvedge.dev/gateway-controller}",
        KindName::Gateway => "spec: {gatewayClassName: a, listeners: [{name: a, port: 80, protocol: HTTP}]}",
        KindName::HttpRoute => "spec: {}",
        KindName::ReferenceGrant => {
            "spec: {from: [{group: '', kind: A, namespace: a}], to: [{group: '', kind: Secret}]}"
        }
        KindName::BackendTlsPolicy => {
            "spec: {targetRefs: [{group: '', kind: Service, name: a}], validation: {hostname: a, wellKnownCACertificates: System}}"
        }
        KindName::Backend => "spec: {endpoints: ['127.0.0.1:80']}",
        KindName::TcpRoute => "spec: {rules: [{backendRefs: [{name: a, port: 1}]}]}",
        KindName::ResiliencePolicy => "spec: {targetRefs: [{group: '', kind: Service, name: a}]}",
        KindName::TransformPolicy => {
            "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: a}], request: {}}"
        }
        KindName::RateLimitPolicy => {
            "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: a}], limits: [{name: a, requests: 1, per: 1s}]}"
        }
        KindName::IpPolicy => {
            "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: a}], deny: [10.0.0.0/8]}"
        }
        KindName::CorsPolicy => {
            "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: a}], allowOrigins: ['https://a.example']}"
        }
        KindName::ValidationPolicy => {
            "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: a}], limits: {depthMax: 8}}"
        }
        KindName::FaultPolicy => {
            "spec: {targetRefs: [{group: '', kind: Service, name: a}], abort: {status: 503}}"
        }
        KindName::AuthenticationPolicy => "spec: {methods: [{spiffe: {}}]}",
        KindName::TelemetryPolicy => {
            "spec: {targetRefs: [{group: mesh.selvedge.dev, kind: Mesh, name: a}], tracing: {endpoint: 'http://a:4318'}}"
        }
        KindName::ExternalAuthorizationPolicy => "spec: {grpc: {backendRef: {name: a, port: 9191}}}",
        KindName::AuthorizationPolicy => "spec: {}",
        KindName::Workload => "spec: {address: 10.0.0.1}",
        KindName::RoleBinding | KindName::ClusterRoleBinding => {
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: viewer}"
        }
        KindName::JoinToken => {
            "spec: {serviceAccount: cart, digest: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}"
        }
        KindName::TrustBundle => "spec: {trustDomain: bank.example, roots: []}",
        KindName::Api => "",
        KindName::ApiVersion => "spec: {api: pets, label: v1}",
        KindName::ApiRevision => {
            "spec: {api: pets, version: pets-v1, documents: [{name: openapi.yaml, content: '{}'}]}"
        }
        KindName::ApiBinding => "spec: {version: pets-v1, default: {mock: {}}}",
        KindName::ApiProduct => "spec: {apis: [{version: pets-v1}]}",
        KindName::Plan => "spec: {product: pets}",
        KindName::AccessToken => {
            "spec: {user: kim, digest: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}"
        }
    }
}

#[test]
fn every_kind_and_version_can_be_read_from_the_least_that_can_be_said() {
    for kind in KindName::ALL {
        for version in kind.versions() {
            let group = if kind.group().is_empty() { String::new() } else { format!("{}/", kind.group()) };
            let text = format!(
                "apiVersion: {group}{version}\nkind: {kind}\nmetadata: {{name: a}}\n{}\n",
                least(*kind)
            );

            let resources = sound(&text);

            assert_eq!(resources[0].kind_name(), *kind);
            assert_eq!(&*resources[0].key.kind, kind.as_str());
        }
    }
}

#[test]
fn the_whole_of_a_route_and_a_gateway_reaches_its_type() {
    let text = include_str!("whole.yaml");

    for resource in sound(text) {
        let serde_json::Value::Object(mut written) = resource.written.value() else { panic!("an object") };
        written.retain(|key, _| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));

        let typed = match &resource.kind {
            model::kinds::Kind::HttpRoute(route) => serde_json::to_value(route),
            model::kinds::Kind::Gateway(gateway) => serde_json::to_value(gateway),
            model::kinds::Kind::Backend(backend) => serde_json::to_value(backend),
            model::kinds::Kind::GatewayParameters(parameters) => serde_json::to_value(parameters),
            model::kinds::Kind::BackendTlsPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::ResiliencePolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::FaultPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::TransformPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::RateLimitPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::IpPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::CorsPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::ValidationPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::AuthenticationPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::ExternalAuthorizationPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::TelemetryPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::AuthorizationPolicy(policy) => serde_json::to_value(policy),
            model::kinds::Kind::Service(service) => serde_json::to_value(service),
            model::kinds::Kind::Pod(pod) => serde_json::to_value(pod),
            model::kinds::Kind::EndpointSlice(slice) => serde_json::to_value(slice),
            model::kinds::Kind::Mesh(mesh) => serde_json::to_value(mesh),
            model::kinds::Kind::Workload(workload) => serde_json::to_value(workload),
            other => panic!("{} is not part of this test", other.name()),
        };

        assert_eq!(typed.expect("json"), serde_json::Value::Object(written), "{} lost a field", resource.key);
    }
}
