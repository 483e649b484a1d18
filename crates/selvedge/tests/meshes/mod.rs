//! A whole mesh of real processes for one test: a control plane that can be killed, and sidecars on one machine, each
//! with addresses of its own.
#![allow(dead_code, reason = "each test binary uses a part of it")]

mod edge;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use tempfile::TempDir;

use super::plane::Ended;
use super::scene::{ask, free_address};
use super::sidecars::{Running, until};

/// The beginning of everybody's identity in shop.
pub const SHOP: &str = "spiffe://bank.example/ns/shop/sa";

/// A file that is too long is then an error like that of a full disk, and no signal that kills.
const WITHOUT_FILE_SIZE_SIGNAL: &str = "trap '' XFSZ; exec \"$@\"";

const MESH: &str = "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example, defaultAction: DEFAULT }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
";

/// What is spoken with an application.
#[derive(Clone, Copy)]
pub enum Speaks {
    Http,
    Tcp,
}

/// A control plane with a mesh.
pub struct Mesh {
    folder: TempDir,
    address: SocketAddr,
    control: Option<Running>,
    /// Of the proxies that come from here on.
    pub environment: Vec<(&'static str, PathBuf)>,
}

impl Mesh {
    /// Starts one in which calls that no policy speaks of are allowed.
    pub fn start() -> Mesh {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(["control", "--data", "control", "--listen", &address.to_string()]);
        command.args(["--name", &address.ip().to_string()]).current_dir(folder.path());
        let mut control = Running::start(&mut command);
        control.line("selvedge gateway --control");
        let mesh = Mesh { folder, address, control: Some(control), environment: Vec::new() };
        mesh.by_default("Allow");
        mesh
    }

    /// The folder in which everything is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its control plane is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what becomes of calls that no policy speaks of.
    pub fn by_default(&self, action: &str) {
        self.apply(&MESH.replace("DEFAULT", action));
    }

    /// Says how long certificates last that are given from here on.
    pub fn certificates_last(&self, lifetime: &str) {
        let certificates = format!("Allow, certificates: {{ lifetime: {lifetime} }}");
        self.apply(&MESH.replace("DEFAULT", &certificates));
    }

    /// When the certificate of a member ends; nothing while it has shown none.
    pub fn certificate_of(&self, name: &str) -> Option<String> {
        let told = self.must("mesh show -o json");
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        let mut parties = told["status"]["parties"].as_array()?.iter();
        let party = parties.find(|party| party["name"] == format!("shop/{name}"))?;
        Some(party["replicas"][0]["certificate"]["notAfter"].as_str()?.to_owned())
    }

    /// Makes these documents true.
    pub fn apply(&self, documents: &str) {
        std::fs::write(self.folder.path().join("documents.yaml"), documents).expect("a file");
        self.must("apply -f documents.yaml");
    }

    /// Runs a command that must succeed, and returns what it wrote.
    pub fn must(&self, line: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(line.split(' ')).args(["--data", "control"]).current_dir(self.folder.path());
        command.env("NO_COLOR", "1").env("HOME", "/nonexistent").env_remove("KUBECONFIG");
        let ended = Ended::of(&command.output().expect("the binary runs"));
        assert_eq!(ended.code, 0, "selvedge {line}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// A proxy that serves one Gateway, `namespace/name`.
    pub fn gateway(&self, serves: &str) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(["gateway", "--control", &format!("https://{}", self.address)]);
        command.args(["--token-file", "control/gateway.token", "--serve", serves, "--admin", "127.0.0.1:0"]);
        command.args(["--access-log", "gateway.log", "--drain", "1"]);
        Running::start(command.current_dir(self.folder.path()))
    }

    /// Kills the control plane, as a machine that dies kills it.
    pub fn kill_control(&mut self) {
        drop(self.control.take().expect("it runs"));
    }

    /// Leaves the control plane there and lets it say nothing: it takes connections, and answers none.
    pub fn silence_control(&self) {
        self.control.as_ref().expect("it runs").signal("-STOP");
    }

    /// Lets it speak again.
    pub fn wake_control(&self) {
        self.control.as_ref().expect("it runs").signal("-CONT");
    }

    /// A workload that has joined, with a sidecar beside the application at this address.
    pub fn member(&self, name: &'static str, speaks: Speaks, application: SocketAddr) -> Member {
        let member = Member::new(self, name, speaks, application);
        self.apply(&member.documents());
        self.must(&format!("token create -n shop --service-account {name} --ttl 1h --out {name}.token"));
        member
    }

    /// A workload that registers itself as a replica of a Service, by a token that lets it, with these further words.
    pub fn replica(
        &self,
        service: &'static str,
        name: &'static str,
        application: SocketAddr,
        words: &[&'static str],
    ) -> Member {
        let mut member = Member::new(self, name, Speaks::Http, application);
        (member.label, member.words) = (service, words.to_vec());
        let grant = format!("--service-account {name} --label app={service} --ttl 1h --out {name}.token");
        self.must(&format!("token create -n shop {grant}"));
        member
    }
}

/// A workload with its sidecar.
pub struct Member {
    name: &'static str,
    speaks: Speaks,
    application: SocketAddr,
    /// Where others reach it, and the port they name.
    address: SocketAddr,
    mesh_port: u16,
    services: String,
    /// Its label `app`, and what else the sidecar is told.
    label: &'static str,
    words: Vec<&'static str>,
    folder: PathBuf,
    control: SocketAddr,
    environment: Vec<(&'static str, PathBuf)>,
    sidecar: Option<Running>,
}

impl Member {
    fn new(mesh: &Mesh, name: &'static str, speaks: Speaks, application: SocketAddr) -> Member {
        let folder = mesh.folder.path().to_owned();
        let (address, mesh_port) = (free_address(), free_address().port());
        let (services, control) = (free_block(), mesh.address);
        let (label, words, sidecar) = (name, Vec::new(), None);
        Member {
            name,
            speaks,
            application,
            address,
            mesh_port,
            services,
            label,
            words,
            folder,
            control,
            environment: mesh.environment.clone(),
            sidecar,
        }
    }

    /// Where others reach it in cleartext, where it asks for no proof.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It and its Service, written by hand.
    fn documents(&self) -> String {
        let Member { name, mesh_port, application, .. } = self;
        let (own, target) = (application.ip(), application.port());
        let (ip, port) = (self.address.ip(), self.address.port());
        let (protocol, spoken) = match self.speaks {
            Speaks::Http => ("HTTP", "http"),
            Speaks::Tcp => ("TCP", "tcp"),
        };
        format!(
            "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: {{ namespace: shop, name: {name}-1, labels: {{ app: {name} }} }}
spec:
  address: {ip}
  serviceAccount: {name}
  sidecar: {{ port: {mesh_port} }}
  ports: [{{ name: {spoken}, port: {port}, protocol: {protocol}, targetPort: {target} }}]
  application: {{ address: {own}, callerHeader: true }}
---
apiVersion: v1
kind: Service
metadata: {{ namespace: shop, name: {name} }}
spec:
  selector: {{ app: {name} }}
  ports: [{{ name: {spoken}, port: {port}, targetPort: {spoken} }}]
"
        )
    }

    /// Tells its sidecar more, from the next start on.
    pub fn is_told(&mut self, words: &[&'static str]) {
        self.words.extend(words);
    }

    /// Starts the sidecar, with an application if words name one, and waits until it is a member of the mesh.
    pub fn run(&mut self, application: &[&str]) {
        let name = self.name;
        let port = match self.speaks {
            Speaks::Http => format!("http:{}:http:{}", self.address.port(), self.application.port()),
            Speaks::Tcp => format!("tcp:{}:tcp:{}", self.address.port(), self.application.port()),
        };
        let mut command = Command::new("sh");
        command.args(["-c", WITHOUT_FILE_SIZE_SIGNAL, "sh", env!("CARGO_BIN_EXE_selvedge"), "sidecar"]);
        command.args(["--workload", &format!("shop/{name}-1"), "--service-account", name]);
        command.args(["--label", &format!("app={}", self.label), "--port", &port, "--health", "off"]);
        command.args(&self.words);
        command.args(["--control", &format!("https://{}", self.control)]);
        command.args(["--token-file", &format!("{name}.token"), "--data", name]);
        command.args(["--address", &self.address.ip().to_string()]);
        command.args(["--mesh-port", &self.mesh_port.to_string(), "--services", &self.services]);
        command.args(["--dns", "127.0.0.1:0", "--dns-others", "off", "--admin", "127.0.0.1:0"]);
        command.args(["--access-log", &format!("{name}.log"), "--drain", "1"]);
        command.args(["--tap", &format!("{name}.sock")]);
        if !application.is_empty() {
            command.arg("--").args(application);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut sidecar = Running::start(command.current_dir(&self.folder));
        sidecar.line(&format!("a member of the mesh as {SHOP}/{name}"));
        self.sidecar = Some(sidecar);
    }

    /// Bounds the files that its sidecar writes, in bytes, as a disk does that is full.
    pub fn writes_at_most(&self, bytes: &str) {
        let id = self.sidecar.as_ref().expect("it runs").id().to_string();
        let bounded = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={bytes}:")]).status();
        assert!(bounded.expect("prlimit runs").success());
    }

    /// Waits for the sidecar to say this after something was done.
    pub fn says(&mut self, part: &str, done: impl FnOnce()) -> String {
        done();
        self.sidecar.as_mut().expect("it runs").line(part)
    }

    /// Tells the sidecar to end.
    pub fn terminate(&self) {
        self.sidecar.as_ref().expect("it runs").signal("-TERM");
    }

    /// Where its sidecar takes what the mesh sends, and the port of its Service.
    pub fn mesh_place(&self) -> (SocketAddr, u16) {
        (SocketAddr::new(self.address.ip(), self.mesh_port), self.address.port())
    }

    /// The port that others name.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The socket at which one may watch.
    pub fn tap(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.name))
    }

    /// Kills the sidecar.
    pub fn kill(&mut self) {
        drop(self.sidecar.take().expect("it runs"));
    }

    /// A file that the application wrote, once it is there with a whole line.
    pub fn wrote(&self, file: &str) -> String {
        let path = self.folder.join(file);
        until(file, || read(&path).filter(|text| text.ends_with('\n')))
    }

    /// Where the application finds a Service of the shop, by what the sidecar tells everybody.
    pub fn finds(&self, service: &str) -> SocketAddr {
        let path = self.folder.join(self.name).join("services.env");
        let service = service.to_uppercase();
        let value = |text: &str, name: &str| {
            let start = format!("SHOP_{service}_{name}=");
            text.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        };
        until(&format!("the address of {service}"), || {
            let text = read(&path)?;
            let ip: IpAddr = value(&text, "HOST")?.parse().ok()?;
            Some(SocketAddr::new(ip, value(&text, "PORT")?.parse().ok()?))
        })
    }

    /// Waits until the application finds a Service of the shop no more.
    pub fn finds_no(&self, service: &str) {
        let path = self.folder.join(self.name).join("services.env");
        let start = format!("SHOP_{}_", service.to_uppercase());
        until(&format!("{service} to be found no more by {}", self.name), || {
            let text = read(&path)?;
            text.lines().all(|line| !line.starts_with(&start)).then_some(())
        });
    }

    /// Calls a Service of the shop until it answers with this status; what it said.
    pub fn calls(&self, service: &str, path: &str, status: u16) -> String {
        let address = self.finds(service);
        let head = format!("GET {path} HTTP/1.1\r\nHost: {service}.shop");
        until(&format!("{status} for {path} of {service} from {}", self.name), || {
            // The file is written before the port is open, and a port that leads nowhere is closed to who comes.
            let (found, body) = ask(address, &head).ok()?;
            (found == status).then_some(body)
        })
    }

    /// Whether a line of the access log has these words by now.
    pub fn has_logged(&self, words: &[&str]) -> bool {
        let text = read(&self.folder.join(format!("{}.log", self.name))).unwrap_or_default();
        text.lines().any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// The line of the access log with these words, once it is there.
    pub fn logged(&self, words: &[&str]) -> String {
        line_of(&self.folder.join(format!("{}.log", self.name)), words)
    }
}

/// The line with these words in a file, once it is there.
fn line_of(path: &Path, words: &[&str]) -> String {
    until(&format!("a line of {} with {words:?}", path.display()), || {
        let text = read(path)?;
        text.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
    })
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Fourteen loopback addresses of this process alone.
fn free_block() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let block = NEXT.fetch_add(16, Ordering::Relaxed);
    format!("{}/28", Ipv4Addr::new(127, 0x40 | (high & 0x3f), low, block))
}
