//! Promises of a mesh over several machines: network namespaces stand for them, each with loopback addresses and ports of
//! its own, so that everything has the place that it has by default.
//!
//! Only root may make namespaces; where it may not, this says so and shows nothing: the other tests of the mesh show the
//! same on loopback addresses.

mod plane;
mod scene;
mod sidecars;

use std::path::Path;
use std::process::Command;

use plane::Ended;
use sidecars::{Running, until};
use tempfile::TempDir;

const WANTED: &str = "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example, defaultAction: Deny, mtls: { mode: Strict } }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Service
metadata: { namespace: shop, name: cache }
spec: { selector: { app: cache }, ports: [{ name: tcp, port: 6379 }] }
---
apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { namespace: shop, name: cache }
spec:
  targetRefs: [{ group: \"\", kind: Service, name: cache }]
  action: Allow
  rules: [{ name: web, from: [{ identities: [\"spiffe://bank.example/ns/shop/sa/web\"] }] }]
";

/// Two machines on one wire.
struct Hosts {
    names: [String; 2],
    addresses: [String; 2],
}

impl Hosts {
    /// Makes them; says why not, where nobody may.
    fn make() -> Result<Hosts, String> {
        let id = std::process::id();
        let names = ["a", "b"].map(|end| format!("selvedge-{id}{end}"));
        let network = format!("10.{}.{}", 64 + (id >> 8) % 128, id % 256);
        let hosts = Hosts { names, addresses: [1, 2].map(|host| format!("{network}.{host}")) };
        let wires = ["a", "b"].map(|end| format!("sv{}{end}", id % 100_000));
        ip(&["netns", "add", &hosts.names[0]])?;
        ip(&["netns", "add", &hosts.names[1]])?;
        ip(&["link", "add", &wires[0], "type", "veth", "peer", "name", &wires[1]])?;
        for ((name, wire), address) in hosts.names.iter().zip(&wires).zip(&hosts.addresses) {
            ip(&["link", "set", wire, "netns", name])?;
            ip(&["-n", name, "address", "add", &format!("{address}/24"), "dev", wire])?;
            ip(&["-n", name, "link", "set", wire, "up"])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        Ok(hosts)
    }

    /// A command on one of them.
    fn on(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[host], program]);
        command.env("NO_COLOR", "1").env("HOME", "/nonexistent").env_remove("KUBECONFIG");
        command
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&["netns", "delete", name]).ok();
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    let wrong = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("ip {}: {wrong}", arguments.join(" "))) }
}

/// One whose sidecar has everything where it is by default, and whose application is these words.
fn joined(hosts: &Hosts, host: usize, folder: &Path, name: &str, words: &[&str]) -> Running {
    let mut command = hosts.on(host, env!("CARGO_BIN_EXE_selvedge"));
    command.args(["sidecar", "--workload", &format!("shop/{name}-1"), "--service-account", name]);
    command.args(["--label", &format!("app={name}"), "--dns-others", "off", "--data", name]);
    command.args(["--control", &format!("https://{}:19443", hosts.addresses[0])]);
    command.args(["--token-file", &format!("{name}.token"), "--drain", "1", "--grace", "5"]).args(words);
    Running::start(command.current_dir(folder))
}

#[test]
fn two_machines_with_everything_where_it_is_by_default_are_a_mesh() {
    let hosts = match Hosts::make() {
        Ok(hosts) => hosts,
        Err(why) => {
            eprintln!("not shown here, because this machine lets nobody make network namespaces: {why}");
            return;
        }
    };
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let mut control = hosts.on(0, env!("CARGO_BIN_EXE_selvedge"));
    let address = &hosts.addresses[0];
    control.args([
        "control",
        "--data",
        "control",
        "--listen",
        &format!("{address}:19443"),
        "--name",
        address,
    ]);
    let mut control = Running::start(control.current_dir(folder.path()));
    control.line("selvedge gateway --control");
    let told = |line: &str| {
        let mut command = hosts.on(0, env!("CARGO_BIN_EXE_selvedge"));
        command.args(line.split(' ')).args(["--data", "control"]).current_dir(folder.path());
        let ended = Ended::of(&command.output().expect("the binary runs"));
        assert_eq!(ended.code, 0, "selvedge {line}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout
    };
    std::fs::write(folder.path().join("wanted.yaml"), WANTED).expect("a file");
    told("apply -f wanted.yaml");
    for name in ["cache", "web"] {
        told(&format!("token create -n shop --service-account {name} --out {name}.token"));
    }

    let redis = ["--port", "tcp:6379:tcp", "--", "redis-server", "--save", "", "--bind", "127.0.0.1"];
    let mut cache = joined(&hosts, 0, folder.path(), "cache", &redis);
    cache.line("a member of the mesh as");
    // It is an address and a port of its environment, and nothing more, by which it finds the cache.
    let say = "redis-cli -h $SHOP_CACHE_HOST -p $SHOP_CACHE_PORT";
    let script = format!(
        "until {say} set through mesh | grep -q OK; do sleep 0.2; done; {say} get through > said; exec {say} subscribe news"
    );
    let mut web = joined(&hosts, 1, folder.path(), "web", &["--", "sh", "-c", &script]);
    web.line("a member of the mesh as");

    let said = until("what the cache says", || {
        std::fs::read_to_string(folder.path().join("said")).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(said, "mesh\n");
    until("the call to be seen", || {
        let picture = told("mesh show");
        picture.lines().any(|line| line.starts_with("shop/web ") && line.contains("==>")).then_some(())
    });
    // Nobody comes by the wire but through a sidecar.
    let mut around = hosts.on(1, "redis-cli");
    let around = around.args(["-h", address, "-p", "6379", "ping"]).output().expect("redis-cli runs");
    assert!(!String::from_utf8_lossy(&around.stdout).contains("PONG"));
}
