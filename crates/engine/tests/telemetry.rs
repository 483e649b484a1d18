//! Whom a port tells of its requests.

mod support;

use engine::Perspective;
use engine::config::{CollectorProtocol, Config, Tracing};
use engine::status::{ConditionStatus, ObjectStatus};
use support::World;

const SHOP: &str = "
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  gatewayClassName: selvedge
  listeners: [{ name: http, protocol: HTTP, port: 80 }]
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: { name: cart-1, namespace: shop, labels: { app: cart } }
spec:
  address: 10.0.0.7
  sidecar: { port: 15443 }
  ports: [{ name: http, port: 8080, protocol: HTTP, targetPort: 3000 }]
---
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop }
spec:
  selector: { app: cart }
  ports: [{ name: http, port: 80, targetPort: http }]
";

const MESH: &str = "targetRefs: [{ group: mesh.selvedge.dev, kind: Mesh, name: default }]";
const EDGE: &str = "targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]";

fn policy(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: TelemetryPolicy
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  {spec}
"
    )
}

fn of_mesh(endpoint: &str) -> String {
    policy("selvedge-system", "mesh", &format!("{MESH}\n  tracing: {{ endpoint: '{endpoint}' }}"))
}

/// What every port tells, which must be the same for all.
fn told(config: &Config) -> Option<&Tracing> {
    assert!(!config.ports.is_empty());
    let mut all = config.ports.iter().map(|port| port.settings.tracing.as_deref());
    let first = all.next().flatten();
    assert!(all.all(|other| other == first));
    first
}

fn resource<'t>(tracing: &'t Tracing, key: &str) -> &'t str {
    tracing.resource.iter().find(|(known, _)| *known == key).map(|(_, value)| &**value).expect(key)
}

#[test]
fn a_policy_of_the_mesh_holds_at_gateways_and_sidecars_until_it_goes() {
    for (perspective, service, instance) in [
        (Perspective::Gateways, "edge", "gateway/shop/edge"),
        (Perspective::Sidecar { namespace: "shop".into(), workload: "cart-1".into() }, "cart", "shop/cart-1"),
    ] {
        let mut world = World::new();
        if perspective != Perspective::Gateways {
            world.see_as(perspective);
        }
        world.apply(SHOP);
        assert_eq!(told(&world.compile().config), None);

        world.apply(&of_mesh("http://first:4318"));
        let compiled = world.compile();
        let tracing = told(&compiled.config).expect("somebody is told");
        assert_eq!(&*tracing.collector.endpoint, "http://first:4318/v1/traces");
        assert_eq!((tracing.numerator, tracing.denominator), (1, 100));
        assert_eq!(resource(tracing, "service.name"), service);
        assert_eq!(resource(tracing, "service.namespace"), "shop");
        assert_eq!(resource(tracing, "service.instance.id"), instance);

        world.apply(&of_mesh("http://second:4318/otlp"));
        let compiled = world.compile();
        assert_eq!(
            told(&compiled.config).map(|tracing| &*tracing.collector.endpoint),
            Some("http://second:4318/otlp")
        );
        let again = world.compile();
        assert!(std::sync::Arc::ptr_eq(&compiled.config.ports[0], &again.config.ports[0]), "nothing changed");

        world.remove("TelemetryPolicy", "selvedge-system/mesh");
        assert_eq!(told(&world.compile().config), None);
    }
}

#[test]
fn a_policy_of_a_gateway_holds_there_instead_and_may_turn_traces_off() {
    let mut world = World::new();
    world.apply(SHOP).apply(&of_mesh("http://mesh:4318"));
    let own =
        "tracing: { endpoint: 'https://own', sampling: { fraction: { numerator: 3, denominator: 1000 } } }";

    world.apply(&policy("shop", "edge", &format!("{EDGE}\n  {own}")));
    let compiled = world.compile();
    let tracing = told(&compiled.config).expect("somebody is told");
    assert_eq!(
        (&*tracing.collector.endpoint, tracing.numerator, tracing.denominator),
        ("https://own/v1/traces", 3, 1000)
    );

    world.apply(&policy("shop", "edge", EDGE));
    assert_eq!(told(&world.compile().config), None);
}

#[test]
fn a_policy_of_the_mesh_counts_from_its_own_namespace_alone() {
    let mut world = World::new();
    world.apply(SHOP).apply(&policy(
        "shop",
        "mesh",
        &format!("{MESH}\n  tracing: {{ endpoint: 'http://a' }}"),
    ));

    let compiled = world.compile();

    assert_eq!(told(&compiled.config), None);
    let status = compiled.conditions.iter().find_map(|object| match &*object.status {
        ObjectStatus::Policy(status) => Some(status.clone()),
        _ => None,
    });
    let condition = &status.expect("a status").ancestors[0].conditions[0];
    assert_eq!(condition.status, ConditionStatus::False, "{condition:?}");
}

const CART: &str = "targetRefs: [{ group: '', kind: Service, name: cart }]";

#[test]
fn a_policy_of_a_service_holds_at_the_sidecars_of_its_replicas_instead() {
    let mut world = World::new();
    world.see_as(Perspective::Sidecar { namespace: "shop".into(), workload: "cart-1".into() });
    world.apply(SHOP).apply(&of_mesh("http://mesh:4318"));
    let endpoint = |world: &mut World| {
        told(&world.compile().config).map(|tracing| tracing.collector.endpoint.to_string())
    };

    world.apply(&policy("shop", "cart", &format!("{CART}\n  tracing: {{ endpoint: 'http://cart:4318' }}")));
    assert_eq!(endpoint(&mut world).as_deref(), Some("http://cart:4318/v1/traces"));
    let other = SHOP.replace("selector: { app: cart }", "selector: { app: other }");
    world.apply(&other);
    assert_eq!(
        endpoint(&mut world).as_deref(),
        Some("http://mesh:4318/v1/traces"),
        "it is no replica any more"
    );
    world.apply(SHOP).apply(&policy("shop", "cart", CART));
    assert_eq!(endpoint(&mut world), None, "the policy turns traces off");
}

#[test]
fn a_policy_of_a_service_without_a_sidecar_says_that_nobody_goes_by_it() {
    for (shop, status) in [
        (SHOP.to_owned(), ConditionStatus::True),
        (SHOP.replace("  sidecar: { port: 15443 }\n", ""), ConditionStatus::False),
    ] {
        let mut world = World::new();
        world.apply(&shop).apply(&policy("shop", "cart", CART));

        let compiled = world.compile();

        let told = compiled.conditions.iter().find_map(|object| match &*object.status {
            ObjectStatus::Policy(status) => Some(status.clone()),
            _ => None,
        });
        let condition = &told.expect("a status").ancestors[0].conditions[0];
        assert_eq!(condition.status, status, "{condition:?}");
        assert_eq!(
            condition.message.contains("has a sidecar"),
            status == ConditionStatus::False,
            "{condition:?}"
        );
    }
}

/// What its collector is shown, and who it must be.
const PROTECTED: &str = "tracing:
    endpoint: https://10.0.0.9:4317
    protocol: grpc
    headers: [{ name: X-Scope-OrgID, value: shop }]
    credential: { scheme: Bearer, secretRef: { name: collector } }
    tls: { hostname: collector.internal, caCertificateRefs: [{ name: own-ca }] }";

#[test]
fn a_collector_is_told_nothing_until_it_can_be_verified_and_shown_what_the_policy_names() {
    let mut world = World::new();
    world.apply(SHOP).apply(&policy("shop", "edge", &format!("{EDGE}\n  {PROTECTED}")));

    let compiled = world.compile();
    assert!(told(&compiled.config).expect("somebody is told").collector.refuse);
    let said = compiled.conditions.iter().find_map(|object| match &*object.status {
        ObjectStatus::Policy(status) => status.ancestors[0].conditions.get(1).cloned(),
        _ => None,
    });
    let said = said.expect("a second condition");
    assert!(said.message.contains("own-ca") && said.message.contains("told nothing"), "{said:?}");

    world.apply(
        "apiVersion: v1
kind: ConfigMap
metadata: { namespace: shop, name: own-ca }
data: { ca.crt: ca of the house }
---
apiVersion: v1
kind: Secret
type: policy.selvedge.dev/upstream-credential
metadata: { namespace: shop, name: collector }
stringData: { token: hunter2 }
",
    );
    let compiled = world.compile();
    let collector = &told(&compiled.config).expect("somebody is told").collector;
    assert!(!collector.refuse, "{collector:?}");
    let call = "https://10.0.0.9:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    assert_eq!((&*collector.endpoint, collector.protocol), (call, CollectorProtocol::Grpc));
    assert_eq!(collector.headers, [("x-scope-orgid".into(), "shop".into())]);
    let tls = collector.tls.as_deref().expect("TLS");
    assert_eq!((&*tls.hostname, tls.roots.len()), ("collector.internal", 1));
    let credential = collector.credential.as_ref().expect("a credential");
    assert_eq!(credential.value.as_deref(), Some(&b"Bearer hunter2"[..]));
    assert!(!format!("{collector:?}").contains("hunter2"));
}
