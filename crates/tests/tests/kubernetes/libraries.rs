//! Client libraries: Python's, and informers, controllers and watchers in Go and Rust, which live through a restart of
//! the control plane.

use std::path::PathBuf;
use std::process::Stdio;

use tests::binary::workspace;
use tests::control_plane::ControlPlane;
use tests::lines::Lines;
use tests::tools;
use tokio::process::{Child, Command};

/// A program that goes on until its standard input ends.
struct Running {
    lines: Lines,
    _child: Child,
}

impl Running {
    fn start(name: &str, arguments: &[&str], plane: &ControlPlane) -> Running {
        let program = workspace().join("target/clients").join(name);
        assert!(program.is_file(), "there is no target/clients/{name}\n  hint: run `cargo xtask setup`");
        let mut child = Command::new(program)
            .arg(plane.kubeconfig())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let lines = Lines::reading(child.stdout.take().expect("stdout is piped"));
        Running { lines, _child: child }
    }

    /// Waits for a line.
    async fn says(&self, line: &str) {
        let found = self.lines.find(line, |said| (said == line).then_some(())).await;
        found.unwrap_or_else(|problem| panic!("{problem}\n    {}", self.lines.all().join("\n    ")));
    }
}

fn kubectl() -> PathBuf {
    workspace().join("target/clients/kubectl")
}

async fn apply(plane: &ControlPlane, yaml: &str) {
    let kubeconfig = plane.kubeconfig().display().to_string();
    let arguments = ["--kubeconfig", &kubeconfig, "apply", "-f", "-"];
    let output = tools::run_with_input(&kubectl(), &arguments, yaml.as_bytes()).await;
    assert!(output.success, "{}{}", output.stdout, output.stderr);
}

async fn delete(plane: &ControlPlane, what: &str) {
    let kubeconfig = plane.kubeconfig().display().to_string();
    let output = tools::run(&kubectl(), &["--kubeconfig", &kubeconfig, "-n", "shop", "delete", what]).await;
    assert!(output.success, "{}{}", output.stdout, output.stderr);
}

fn route(name: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{ name: {name}, namespace: shop }}\n\
         spec: {{ parentRefs: [{{ name: edge }}] }}\n"
    )
}

fn map(name: &str, keys: &[&str]) -> String {
    let data: String = keys.iter().map(|key| format!("{key}: x, ")).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, namespace: shop }}\ndata: {{ {data} }}\n"
    )
}

#[tokio::test]
async fn the_python_client_makes_watches_and_is_refused_in_order() {
    let plane = ControlPlane::start().await;
    let python = tools::python(&["kubernetes"]).await;
    let script = workspace().join("crates/tests/clients/python.py").display().to_string();

    let output = tools::run(&python, &[&script, &plane.kubeconfig().display().to_string()]).await;

    assert!(output.success, "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("a watch sees it all"), "{}", output.stdout);
}

#[tokio::test]
async fn an_informer_sees_every_change_across_a_restart() {
    let plane = ControlPlane::start().await;
    apply(&plane, &route("before")).await;
    let informer = Running::start("informer", &[], &plane);
    informer.says("synced 1").await;
    apply(&plane, &route("during")).await;
    informer.says("added during").await;

    let plane = plane.restart().await;
    apply(&plane, &route("after")).await;
    delete(&plane, "httproute/before").await;

    informer.says("added after").await;
    informer.says("deleted before").await;
}

#[tokio::test]
async fn a_controller_goes_on_after_a_restart() {
    let plane = ControlPlane::start().await;
    let controller = Running::start("controller", &[], &plane);
    apply(&plane, &map("first", &["a", "b"])).await;
    controller.says("counted first 2").await;

    let plane = plane.restart().await;
    apply(&plane, &map("first", &["a", "b", "c"])).await;
    apply(&plane, &map("second", &[])).await;

    controller.says("counted first 3").await;
    controller.says("counted second 0").await;
}

#[tokio::test]
async fn kube_rs_watches_from_a_list_or_from_a_stream_across_a_restart() {
    for begins in ["list", "stream"] {
        let plane = ControlPlane::start().await;
        apply(&plane, &map("before", &[])).await;
        let watcher = Running::start("rust/debug/watcher", &[begins], &plane);
        watcher.says("has before").await;
        watcher.says("that is all").await;
        apply(&plane, &map("during", &[])).await;
        watcher.says("put during").await;

        let plane = plane.restart().await;
        apply(&plane, &map("after", &[])).await;
        watcher
            .lines
            .find("`after` to be seen", |line| line.ends_with(" after").then_some(()))
            .await
            .expect("seen");
        delete(&plane, "configmap/after").await;

        watcher.says("deleted after").await;
    }
}
