//! A control plane, a gateway that follows it, and an operator with the administrator's token.

use std::path::PathBuf;

use discovery::TokenFile;
use selvedge::gateway::GatewayOptions;
use serde_json::{Value, json};
use tests::client::fetch;
use tests::control::Follower;
use tests::control_plane::ControlPlane;
use tests::scene::Scene;
use tests::tools::{self, Output};
use tests::upstream::Upstream;
use tests::{binary, until};

use crate::sold;

/// All of it.
pub struct Stage {
    pub plane: ControlPlane,
    pub follower: Follower,
    pub scene: Scene,
    pub token: String,
    _upstream: Upstream,
}

/// What somebody wrote who means no good.
pub const HOSTILE: &str = "<script>document.title = 'taken'</script>\"'><img src=x>";

impl Stage {
    /// With a route that works and one that leads nowhere, both applied by the command line, which waited for them.
    pub async fn set() -> Stage {
        let upstream = Upstream::recording().await;
        let mut scene = Scene::forwarding(&upstream);
        scene.document(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": "lost", "namespace": "default", "annotations": { "note": HOSTILE } },
            "spec": {
                "parentRefs": [{ "name": "edge" }], "hostnames": ["lost.example"],
                "rules": [{ "backendRefs": [{ "name": "nowhere", "port": 80 }] }],
            },
        }));
        sold::objects().into_iter().for_each(|document| scene.document(document));
        mesh().into_iter().for_each(|document| scene.document(document));
        let plane = ControlPlane::start().await;
        let url = format!("https://{}", plane.address()).parse().expect("an address");
        let token: TokenFile = read(&plane.gateway_token()).parse().expect("a token file");
        let follower = Follower::start(GatewayOptions::new("edge-1", url, token), scene.entry()).await;
        let kubeconfig: Value = serde_json::from_str(&read(&plane.kubeconfig())).expect("JSON");
        let token = kubeconfig["users"][0]["user"]["token"].as_str().expect("a token").to_owned();
        let stage = Stage { plane, follower, scene, token, _upstream: upstream };
        stage.apply().await;
        stage
    }

    /// Applies the scene once the gateway has reported, and waits until it runs on it.
    async fn apply(&self) {
        until::eventually_some("the gateway to report", || async {
            self.told("proxies").await["items"].get(0).cloned()
        })
        .await;
        let file = self.plane.folder().join("scene.yaml");
        std::fs::write(&file, self.scene.yaml()).expect("a file");
        let file = file.to_str().expect("text");
        let applied = self.run(&["apply", "--allow-unresolved", "--wait", "-f", file]).await;
        assert!(applied.success, "{}\n{}", applied.stdout, applied.stderr);
        assert!(applied.stderr.contains("programmed on 1 of 1 proxy"), "{}", applied.stderr);
    }

    /// Runs `selvedge` as the administrator.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let kubeconfig = self.plane.kubeconfig();
        let mut all = arguments.to_vec();
        all.extend(["--kubeconfig", kubeconfig.to_str().expect("text")]);
        tools::run(binary::selvedge(), &all).await
    }

    /// What the control plane tells about itself.
    pub async fn told(&self, what: &str) -> Value {
        let bearer = format!("Authorization: Bearer {}", self.token);
        let path = format!("/apis/status.selvedge.dev/v1alpha1/{what}");
        serde_json::from_str(&self.curl(&path, &["--header", &bearer]).await).expect("JSON")
    }

    /// A page, as somebody who logs in first.
    pub async fn page(&self, path: &str) -> String {
        let cookies = self.plane.folder().join("cookies");
        let cookies = cookies.to_str().expect("text");
        let (form, to) = (format!("token={}", self.token), format!("to={path}"));
        let origin = format!("Origin: https://{}", self.plane.address());
        let arguments =
            ["--cookie-jar", cookies, "--header", &origin, "--location", "--data-urlencode", &form];
        let more = ["--data-urlencode", &to];
        self.curl("/console/login", &[&arguments[..], &more[..]].concat()).await
    }

    async fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let url = format!("https://{}{path}", self.plane.address());
        let all = [&["--silent", "--show-error", "--insecure"][..], arguments, &[&url]].concat();
        let output = tools::run(&tools::program("curl"), &all).await;
        assert!(output.success, "{}", output.stderr);
        output.stdout
    }

    /// Requests that work.
    pub async fn send_requests(&self, count: usize) {
        for _ in 0..count {
            assert_eq!(fetch(self.follower.entry, "any.example", "/").await.status, 200);
        }
    }
}

/// A small mesh, written by hand: the cart may be called by the web, and nobody stands for the ledger.
fn mesh() -> Vec<Value> {
    let group = "mesh.selvedge.dev/v1alpha1";
    let workload = |name: &str| {
        json!({
            "apiVersion": group, "kind": "Workload",
            "metadata": { "name": format!("{name}-1"), "namespace": "default", "labels": { "app": name } },
            "spec": {
                "address": "127.0.0.1", "serviceAccount": name, "sidecar": {},
                "ports": [{ "name": "http", "port": 8080, "protocol": "HTTP" }],
            },
        })
    };
    let service = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "default" },
            "spec": { "selector": { "app": name }, "ports": [{ "name": "http", "port": 8080 }] },
        })
    };
    let policy = json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
        "metadata": { "name": "readers", "namespace": "default" },
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": "cart" }], "action": "Allow",
            "rules": [{ "name": "web", "from": [{ "identities": ["spiffe://shop.example/ns/default/sa/web"] }] }],
        },
    });
    let mesh = json!({
        "apiVersion": group, "kind": "Mesh", "metadata": { "name": "default" },
        "spec": { "trustDomain": "shop.example" },
    });
    vec![mesh, workload("web"), workload("cart"), service("cart"), service("ledger"), policy]
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).expect("a file")
}
