//! `kubectl`: the one that Debian ships, which is years old, and the current one.
//!
//! Each promise is kept for both. The old one reads schemas in their binary form and asks discovery group by group; the
//! current one asks for everything at once and sends its own objects in binary.

use std::path::PathBuf;

use tests::binary::workspace;
use tests::control_plane::ControlPlane;
use tests::tools::{self, Output};

const SHOP: &str = "
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
  listeners: [{ name: http, protocol: HTTP, port: 8080 }]
---
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop, labels: { app: cart } }
spec:
  selector: { app: cart }
  ports: [{ name: http, port: 80 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart, namespace: shop }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ name: cart, port: 80 }] }]
";

/// A kubectl with the administrator's kubeconfig of a control plane.
struct Kubectl<'p> {
    program: PathBuf,
    plane: &'p ControlPlane,
}

impl Kubectl<'_> {
    async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "").await
    }

    async fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let kubeconfig = self.plane.kubeconfig().display().to_string();
        let cache = self.plane.folder().join("kubectl").display().to_string();
        let own = ["--kubeconfig", &kubeconfig, "--cache-dir", &cache];
        tools::run_with_input(&self.program, &[&own[..], arguments].concat(), input.as_bytes()).await
    }

    /// Standard output of a run that succeeds.
    async fn says(&self, arguments: &[&str]) -> String {
        fine(arguments, self.run(arguments).await)
    }

    async fn applies(&self, yaml: &str) -> String {
        let arguments = ["apply", "-f", "-"];
        fine(&arguments, self.run_with(&arguments, yaml).await)
    }
}

#[track_caller]
fn fine(arguments: &[&str], output: Output) -> String {
    assert!(output.success, "kubectl {arguments:?}: {}{}", output.stdout, output.stderr);
    output.stdout
}

/// Debian's and the current one.
fn programs() -> [PathBuf; 2] {
    ["target/clients/debian/usr/bin/kubectl", "target/clients/kubectl"].map(|path| {
        let program = workspace().join(path);
        assert!(program.is_file(), "there is no {path}\n  hint: run `cargo xtask setup`");
        program
    })
}

/// Shows a promise with each kubectl, each with a control plane of its own.
async fn with_each(promise: impl AsyncFn(&Kubectl<'_>)) {
    for program in programs() {
        let plane = ControlPlane::start().await;
        promise(&Kubectl { program, plane: &plane }).await;
    }
}

#[tokio::test]
async fn kubectl_finds_every_kind_and_every_name_for_it() {
    with_each(async |kubectl| {
        let resources = kubectl.says(&["api-resources", "-o", "name"]).await;
        let names: Vec<&str> = resources.lines().collect();

        for name in ["services", "httproutes.gateway.networking.k8s.io", "backends.mesh.selvedge.dev"] {
            assert!(names.contains(&name), "{resources}");
        }
        kubectl.says(&["get", "gtw,svc,ns", "--all-namespaces"]).await;
        assert!(kubectl.says(&["get", "--raw", "/version"]).await.contains("selvedge"));
    })
    .await;
}

#[tokio::test]
async fn kubectl_applies_and_applies_again_without_a_change() {
    with_each(async |kubectl| {
        let first = kubectl.applies(SHOP).await;
        let second = kubectl.applies(SHOP).await;

        assert_eq!(first.lines().filter(|line| line.ends_with("created")).count(), 4, "{first}");
        assert!(second.contains("service/cart unchanged"), "{second}");
        let changed = SHOP.replace("port: 80 }]\n---", "port: 81 }]\n---");
        assert!(kubectl.applies(&changed).await.contains("service/cart configured"));
        let port = ["-n", "shop", "get", "svc", "cart", "-o", "jsonpath={.spec.ports[*].port}"];
        assert_eq!(kubectl.says(&port).await, "81");
    })
    .await;
}

#[tokio::test]
async fn kubectl_shows_tables_yaml_and_descriptions() {
    with_each(async |kubectl| {
        kubectl.applies(SHOP).await;

        let table = kubectl.says(&["-n", "shop", "get", "svc"]).await;
        let yaml = kubectl.says(&["-n", "shop", "get", "httproute", "cart", "-o", "yaml"]).await;
        let described = kubectl.says(&["-n", "shop", "describe", "gateway", "edge"]).await;

        let words: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(words, ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"], "{table}");
        assert!(yaml.contains("kind: HTTPRoute") && yaml.contains("name: edge"), "{yaml}");
        assert!(described.contains("Gateway Class Name:  selvedge"), "{described}");
    })
    .await;
}

#[tokio::test]
async fn kubectl_explains_fields_from_our_schemas() {
    with_each(async |kubectl| {
        let listeners = kubectl.says(&["explain", "gateway.spec.listeners"]).await;
        let service = kubectl.says(&["explain", "service.spec"]).await;

        assert!(listeners.contains("protocol") && listeners.contains("hostname"), "{listeners}");
        assert!(service.contains("selector"), "{service}");
    })
    .await;
}

/// What is offered, and who calls it: the first are objects like all others, the last are rows of customers.
const OFFERED: &str = "
apiVersion: product.selvedge.dev/v1alpha1
kind: API
metadata: { name: petstore, namespace: shop }
spec: { title: Petstore, protocol: REST }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: APIProduct
metadata: { name: pets, namespace: shop }
spec: { title: Pets, state: Draft, apis: [{ version: petstore-v1 }] }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: Team
metadata: { name: phones, namespace: shop }
spec: { title: Phones }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: Application
metadata: { name: mobile, namespace: shop }
spec: { team: phones }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: Credential
metadata: { name: first, namespace: shop }
spec: { application: mobile }
";

#[tokio::test]
async fn kubectl_knows_products_and_customers_like_all_other_kinds() {
    with_each(async |kubectl| {
        let first = kubectl.applies(OFFERED).await;
        let second = kubectl.applies(OFFERED).await;
        let changed = kubectl.applies(&OFFERED.replace("title: Phones", "title: All phones")).await;
        let everything = "apis.product.selvedge.dev,apiproducts,teams,applications,credentials";
        let shown = kubectl.says(&["-n", "shop", "get", everything]).await;

        assert_eq!(first.lines().filter(|line| line.ends_with("created")).count(), 5, "{first}");
        assert_eq!(second.lines().filter(|line| line.ends_with("unchanged")).count(), 5, "{second}");
        assert_eq!(changed.lines().filter(|line| line.ends_with("configured")).count(), 1, "{changed}");
        for name in ["petstore", "pets", "phones", "mobile", "first"] {
            assert!(shown.contains(name), "{shown}");
        }
        let explained = kubectl.says(&["explain", "application.spec"]).await;
        assert!(explained.contains("team"), "{explained}");
        let patch = ["-n", "shop", "label", "application", "mobile", "tier=gold"];
        assert!(kubectl.says(&patch).await.contains("labeled"));
        // Its credential goes with the application, and a team stays as long as an application belongs to it.
        let all =
            ["application/mobile", "team/phones", "apiproduct/pets", "api.product.selvedge.dev/petstore"];
        for one in all {
            assert!(kubectl.says(&["-n", "shop", "delete", one]).await.contains("deleted"));
        }
        assert_eq!(kubectl.says(&["-n", "shop", "get", everything, "-o", "name"]).await, "");
    })
    .await;
}

#[tokio::test]
async fn kubectl_refuses_a_slip_before_it_is_sent_or_we_do() {
    with_each(async |kubectl| {
        let slip = SHOP.replace("backendRefs", "backendRef");

        let refused = kubectl.run_with(&["apply", "-f", "-"], &slip).await;

        assert!(!refused.success);
        assert!(refused.stderr.contains("backendRef"), "{}", refused.stderr);
    })
    .await;
}

#[tokio::test]
async fn kubectl_creates_patches_labels_and_edits() {
    with_each(async |kubectl| {
        kubectl.says(&["create", "namespace", "shop"]).await;
        kubectl.says(&["-n", "shop", "create", "configmap", "a", "--from-literal=key=1"]).await;
        kubectl.says(&["-n", "shop", "create", "secret", "generic", "b", "--from-literal=key=1"]).await;
        kubectl.says(&["-n", "shop", "create", "service", "clusterip", "c", "--tcp=80:8080"]).await;
        for (kind, patch) in [
            ("strategic", r#"{"data":{"s":"2"}}"#),
            ("merge", r#"{"data":{"m":"3"}}"#),
            ("json", r#"[{"op":"add","path":"/data/j","value":"4"}]"#),
        ] {
            kubectl.says(&["-n", "shop", "patch", "configmap", "a", "--type", kind, "-p", patch]).await;
        }
        kubectl.says(&["-n", "shop", "label", "configmap", "a", "color=red"]).await;

        let data = kubectl
            .says(&["-n", "shop", "get", "cm", "-l", "color=red", "-o", "jsonpath={.items[*].data}"])
            .await;
        let secret = kubectl.says(&["-n", "shop", "get", "secret", "b", "-o", "jsonpath={.data.key}"]).await;
        let port = kubectl
            .says(&["-n", "shop", "get", "svc", "c", "-o", "jsonpath={.spec.ports[0].targetPort}"])
            .await;

        for part in [r#""key":"1""#, r#""s":"2""#, r#""m":"3""#, r#""j":"4""#] {
            assert!(data.contains(part), "{data}");
        }
        assert_eq!((secret.as_str(), port.as_str()), ("MQ==", "8080"));
    })
    .await;
}

#[tokio::test]
async fn kubectl_shows_what_would_change() {
    with_each(async |kubectl| {
        kubectl.applies(SHOP).await;
        let changed = SHOP.replace("port: 80 }]\n---", "port: 81 }]\n---");

        let diff = kubectl.run_with(&["diff", "-f", "-"], &changed).await;

        assert!(
            diff.stdout.contains("+  - name: http\n") || diff.stdout.contains("+    port: 81"),
            "{}{}",
            diff.stdout,
            diff.stderr
        );
        let port = ["-n", "shop", "get", "svc", "cart", "-o", "jsonpath={.spec.ports[*].port}"];
        assert_eq!(kubectl.says(&port).await, "80", "nothing was changed");
    })
    .await;
}

#[tokio::test]
async fn kubectl_waits_for_conditions_and_for_the_end() {
    with_each(async |kubectl| {
        kubectl.applies(SHOP).await;

        let wait = ["-n", "shop", "wait", "gateway/edge", "--for=condition=Accepted", "--timeout=30s"];
        assert!(kubectl.says(&wait).await.contains("condition met"));
        kubectl.says(&["-n", "shop", "delete", "httproute", "cart", "--wait"]).await;
        let gone = kubectl.run(&["-n", "shop", "get", "httproute", "cart"]).await;

        assert!(gone.stderr.contains("\"cart\" not found"), "{}", gone.stderr);
    })
    .await;
}

#[tokio::test]
async fn kubectl_deletes_a_namespace_with_what_is_in_it() {
    with_each(async |kubectl| {
        kubectl.says(&["create", "namespace", "shop"]).await;
        kubectl.applies(SHOP).await;

        kubectl.says(&["delete", "namespace", "shop", "--timeout=30s"]).await;

        let left = kubectl.says(&["-n", "shop", "get", "svc,httproute,gateway", "-o", "name"]).await;
        assert_eq!(left, "");
    })
    .await;
}

#[tokio::test]
async fn kubectl_tells_what_its_user_may_do() {
    with_each(async |kubectl| {
        assert_eq!(kubectl.says(&["auth", "can-i", "delete", "secrets"]).await.trim(), "yes");
        assert!(kubectl.says(&["auth", "can-i", "--list"]).await.contains("*.*"));
    })
    .await;
}

#[tokio::test]
async fn the_current_kubectl_applies_on_the_servers_side_and_asks_who_it_is() {
    let plane = ControlPlane::start().await;
    let [_, program] = programs();
    let kubectl = Kubectl { program, plane: &plane };

    let arguments = ["apply", "--server-side", "-f", "-"];
    let applied = fine(&arguments, kubectl.run_with(&arguments, SHOP).await);
    let other = SHOP.replace("port: 8080", "port: 9090");
    let theirs = ["apply", "--server-side", "--field-manager=other", "-f", "-"];
    let conflict = kubectl.run_with(&theirs, &other).await;

    assert_eq!(applied.lines().filter(|line| line.ends_with("serverside-applied")).count(), 4, "{applied}");
    assert!(!conflict.success && conflict.stderr.contains("conflict"), "{}", conflict.stderr);
    assert!(kubectl.says(&["auth", "whoami"]).await.contains("admin"));
}

#[tokio::test]
async fn kubectl_describes_every_kind_it_knows_and_hears_that_there_are_no_events() {
    with_each(async |kubectl| {
        kubectl.applies(SHOP).await;
        kubectl.says(&["-n", "shop", "create", "configmap", "a", "--from-literal=key=1"]).await;
        kubectl.says(&["-n", "shop", "create", "secret", "generic", "b", "--from-literal=key=1"]).await;

        for what in ["service/cart", "configmap/a", "httproute/cart", "gateway/edge"] {
            let described = kubectl.says(&["-n", "shop", "describe", what]).await;
            assert!(described.contains("Events:") && described.contains("<none>"), "{what}: {described}");
        }
        // Of these it tells no events anywhere.
        kubectl.says(&["-n", "shop", "describe", "secret", "b"]).await;
        kubectl.says(&["describe", "namespace", "shop"]).await;
        kubectl.says(&["describe", "gatewayclass", "selvedge"]).await;
        let events = kubectl.run(&["-n", "shop", "get", "events"]).await;
        assert!(events.success && events.stderr.contains("No resources found"), "{}", events.stderr);
    })
    .await;
}
