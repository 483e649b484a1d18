//! Promises about two control planes that share one PostgreSQL: proxies know both, keep to one, and go to the other when
//! it dies.

mod plane;
mod scene;
mod sidecars;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, mpsc};

use control::clock::Clock;
use control::server::{self, Server, ServerOptions};
use proxy::{ControlAddress, Event};
use selvedge::gateway::{GatewayOptions, RunningGateway};
use tempfile::TempDir;
use tests::servers::Server as Database;
use tokio::runtime::{Builder, Runtime};

use plane::Ended;
use scene::{PATIENCE, free_address};
use sidecars::{ACCOUNT, ID};

/// Two control planes, and the database that they share.
struct Planes {
    planes: Vec<Plane>,
    folder: TempDir,
    _database: Database,
    /// Dropped last: the database's process is watched on it.
    _runtime: Runtime,
}

struct Plane {
    /// Gone once it is killed.
    running: Option<(Runtime, Server)>,
    address: SocketAddr,
    data: PathBuf,
}

impl Planes {
    fn start() -> Planes {
        let runtime = Runtime::new().expect("threads");
        let database = runtime.block_on(Database::postgres());
        let folder = tempfile::tempdir().expect("a folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let url = format!("postgres://selvedge@{}/postgres", database.address);
        let first = Plane::start(one.clone(), &url);
        copy(&one, &two);
        let planes = vec![first, Plane::start(two, &url)];
        Planes { planes, folder, _database: database, _runtime: runtime }
    }

    fn controls(&self) -> Vec<ControlAddress> {
        let url = |plane: &Plane| format!("https://{}", plane.address).parse().expect("an address");
        self.planes.iter().map(url).collect()
    }

    /// Kills the control plane at this address as a machine that dies kills it; the other one is what is left.
    fn kill(&mut self, control: &ControlAddress) {
        let at = self.controls().iter().position(|known| known == control).expect("one of ours");
        let (runtime, server) = self.planes[at].running.take().expect("it runs");
        runtime.shutdown_background();
        drop(server);
    }

    /// Asks whoever is alive to make a document true.
    fn apply(&self, documents: &str) {
        let file = self.folder.path().join("documents.yaml");
        std::fs::write(&file, documents).expect("a file");
        self.must(&["apply", "-f", &file.display().to_string()]);
    }

    fn must(&self, words: &[&str]) {
        let alive = self.planes.iter().find(|plane| plane.running.is_some()).expect("one is alive");
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command
            .args(words)
            .arg("--data")
            .arg(&alive.data)
            .env("HOME", "/nonexistent")
            .env_remove("KUBECONFIG");
        let ended = Ended::of(&command.output().expect("the binary runs"));
        assert_eq!(ended.code, 0, "selvedge {words:?}\n{}{}", ended.stdout, ended.stderr);
    }
}

impl Plane {
    fn start(data: PathBuf, database: &str) -> Plane {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let options = ServerOptions {
            data: data.clone(),
            database: Some(database.to_owned()),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            may_move: false,
            names: Vec::new(),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            keeps_config: false,
            clock: Clock::system(),
            beside: Vec::new(),
        };
        let server = runtime.block_on(server::start(options)).expect("a control plane");
        Plane { address: server.address(), data, running: Some((runtime, server)) }
    }
}

/// The second control plane of a database begins with a copy of the folder of the first.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(copied.success());
}

fn next<T>(told: &mpsc::Receiver<Event>, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(told.recv_timeout(PATIENCE).expect(what)) {
            return found;
        }
    }
}

fn documents(port: u16) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge }}
spec:
  gatewayClassName: selvedge
  listeners: [{{ name: http, port: {port}, protocol: HTTP }}]
"
    )
}

#[test]
fn the_edits_of_one_control_plane_arrive_when_the_one_that_was_followed_is_dead() {
    let mut planes = Planes::start();
    planes.apply(&documents(free_address().port()));
    let token = std::fs::read_to_string(planes.planes[0].data.join("gateway.token")).expect("a token file");
    let mut options =
        GatewayOptions::new("edge", planes.controls()[0].clone(), token.parse().expect("a token"));
    options.controls = planes.controls();
    options.bind = Ipv4Addr::LOCALHOST.into();
    let (tell, told) = mpsc::sync_channel(1024);
    let started = RunningGateway::start(options, Arc::new(move |event| tell.send(event).unwrap_or(())));
    let gateway = started.expect("a gateway");
    let followed = next(&told, "a connection", |event| match event {
        Event::Connected(control) => Some(control),
        Event::Lost { .. } | Event::Applied { .. } | Event::CacheUnusable(_) => None,
    });
    let is_new = |event| matches!(event, Event::Applied { is_new: true, .. }).then_some(());
    next(&told, "the first configuration", is_new);

    planes.kill(&followed);
    let other = next(&told, "the other one", |event| match event {
        Event::Connected(control) => Some(control),
        Event::Lost { .. } | Event::Applied { .. } | Event::CacheUnusable(_) => None,
    });
    assert_ne!(other, followed);
    planes.apply(&documents(free_address().port()));

    next(&told, "the edit", is_new);
    gateway.stop();
}

#[test]
fn a_sidecar_that_knows_two_control_planes_joins_by_the_one_that_lives() {
    let mut planes = Planes::start();
    planes.apply(
        "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
",
    );
    let token = planes.folder.path().join("cart.token");
    let out = token.display().to_string();
    planes.must(&[
        "token",
        "create",
        "-n",
        "shop",
        "--service-account",
        ACCOUNT,
        "--ttl",
        "0s",
        "--out",
        &out,
    ]);
    let [dead, alive] = [0, 1].map(|at| planes.controls()[at].clone());
    planes.kill(&dead);

    let folder = tempfile::tempdir().expect("a folder");
    let alive = alive.to_string();
    let mut sidecar = sidecars::sidecar(&dead.to_string(), &token, folder.path(), &["--control", &alive]);

    sidecar.line(&format!("a member of the mesh as {ID}"));
    sidecar.line(&format!("connected to the control plane {alive}"));
    sidecars::until("the workload to be known", || {
        let known = Command::new(env!("CARGO_BIN_EXE_selvedge"))
            .args(["get", "workload", "cart-1", "-n", "shop", "--data"])
            .arg(&planes.planes[1].data)
            .env("HOME", "/nonexistent")
            .output()
            .expect("the binary runs");
        known.status.success().then_some(())
    });
}
