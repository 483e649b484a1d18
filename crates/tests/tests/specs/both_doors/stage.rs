//! Two proxies from one set of documents, and what is to be seen of a request at each.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use engine::{Certificates, CompileOptions, Compiler, Config, PairState, Perspective};
use model::Resources;
use model::kinds::Secret;
use model::resources::Typed;
use proxy::{LogSink, Options, Proxy, ServiceBlock};
use serde_json::{Value, json};
use tests::bytes_upstream::first_byte;
use tests::client::exchange;
use tests::recorded::Recorded;
use tests::scene::Scene;
use tests::until::eventually_some;
use tests::upstream::Upstream;

/// The workload whose sidecar calls.
pub const CALLER: &str = "web-1";

/// A proxy behind one door.
pub struct Door {
    name: &'static str,
    proxy: Option<Proxy>,
    entry: SocketAddr,
    log: tempfile::TempDir,
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            std::thread::spawn(move || proxy.drain());
        }
    }
}

/// Names and values, sorted.
type Fields = Vec<(String, String)>;
/// What an upstream saw: its name, the request line, and all fields.
type Seen = (String, String, Fields);

/// All that is to be seen of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub status: u16,
    /// The failure, where the proxy itself answered.
    code: Option<String>,
    /// Fields of the answer, but for those that name the moment or the request.
    answer: Fields,
    body: String,
    /// What upstreams saw.
    pub seen: Vec<Seen>,
    /// What the log says of it.
    pub log: BTreeMap<&'static str, Value>,
}

/// Upstreams by the names of their Services.
pub type Upstreams = Vec<(&'static str, Upstream)>;

impl Door {
    /// The gateway of the scene.
    pub async fn gateway(scene: &Scene) -> Door {
        Door::open("gateway", scene, Perspective::Gateways, |_| scene.entry()).await
    }

    /// The sidecar of the caller: where it finds the Service `shop`.
    pub async fn outbound(scene: &Scene) -> Door {
        let found = |config: &Config| {
            let name = config.names.iter().find(|name| *name.service == *"shop").expect("it can be called");
            SocketAddr::new(name.virtual_address.into(), name.ports[0].open_at)
        };
        Door::open("sidecar", scene, beside(CALLER), found).await
    }

    /// The sidecar of a workload, by the door of those who prove nothing.
    pub async fn inbound(scene: &Scene, workload: &str, at: SocketAddr) -> Door {
        Door::open("inbound", scene, beside(workload), |_| at).await
    }

    async fn open(
        name: &'static str,
        scene: &Scene,
        perspective: Perspective,
        entry: impl Fn(&Config) -> SocketAddr,
    ) -> Door {
        let config = compile(&scene.yaml(), perspective);
        let entry = entry(&config);
        let log = tempfile::tempdir().expect("a folder");
        let options = Options {
            workers: 1,
            admin: None,
            access_log: LogSink::File(log.path().join("log")),
            drain: std::time::Duration::from_secs(1),
            member: None,
            locality: None,
            usage: None,
            deleted_ports: proxy::DeletedPorts::Drain,
        };
        let starting = tokio::task::spawn_blocking(move || {
            let proxy = Proxy::start(options).expect("it starts");
            let applied = proxy.apply(config);
            assert!(applied.bound.iter().all(|bound| bound.error.is_none()), "{:?}", applied.bound);
            proxy
        });
        let proxy = Some(starting.await.expect("it does not panic"));
        Door { name, proxy, entry, log }
    }

    /// Asks, and tells everything that can be seen of it. One request is asked at a time.
    pub async fn ask(&self, request: &str, upstreams: &Upstreams) -> Verdict {
        let before: Vec<usize> = upstreams.iter().map(|(_, upstream)| upstream.requests().len()).collect();
        let lines = self.lines().len();
        let answer = exchange(self.entry, request).await.unwrap_or_else(|problem| {
            panic!("the {} does not answer {request:?}: {problem}", self.name);
        });
        let logging = format!("the {} to log {request:?}", self.name);
        let line = eventually_some(&logging, || async { self.lines().get(lines).cloned() }).await;
        let code = answer.code();
        let body = if code.is_some() { String::new() } else { answer.text() };
        let fields = answer.headers.iter().filter(|(name, _)| code.is_none() || name != "content-length");
        Verdict {
            status: answer.status,
            body,
            answer: said(fields),
            code,
            seen: seen(upstreams, &before),
            log: LOGGED.iter().filter_map(|key| Some((*key, line.get(*key)?.clone()))).collect(),
        }
    }

    /// What somebody hears first who connects; nothing when it is reset.
    pub async fn first_byte(&self) -> Option<u8> {
        first_byte(self.entry).await
    }

    /// The line of the log with this failure, once it is there.
    pub async fn logged(&self, failure: &str) -> Value {
        let line = || async { self.lines().into_iter().find(|line| line["failure"] == failure) };
        eventually_some(failure, line).await
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log.path().join("log")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

/// What of a log line has to be the same.
const LOGGED: [&str; 10] =
    ["method", "path", "status", "failure", "route", "rule", "policy", "policy_rule", "audit", "attempts"];
/// Fields that are of a moment.
const OF_A_MOMENT: [&str; 3] = ["date", "x-request-id", "selvedge-timeout-ms"];

fn said<'f>(fields: impl Iterator<Item = &'f (String, String)>) -> Fields {
    let mut said: Vec<_> = fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| !OF_A_MOMENT.contains(&name.as_str()))
        .collect();
    said.sort();
    said
}

fn seen(upstreams: &Upstreams, before: &[usize]) -> Vec<Seen> {
    let new = |((name, upstream), before): (&(&str, Upstream), &usize)| {
        let requests = upstream.requests().split_off(*before);
        let one = |request: Recorded| ((*name).to_owned(), request.line(), said(request.headers.iter()));
        requests.into_iter().map(one).collect::<Vec<_>>()
    };
    upstreams.iter().zip(before).flat_map(new).collect()
}

fn beside(workload: &str) -> Perspective {
    Perspective::Sidecar { namespace: "default".into(), workload: workload.into() }
}

fn compile(yaml: &str, perspective: Perspective) -> Arc<Config> {
    let read = model::yaml::read(yaml, "scene.yaml");
    assert!(read.violations.is_empty(), "{}", read.violations);
    let mut resources = Resources::new();
    read.resources.into_iter().for_each(|resource| {
        resources.insert(resource);
    });
    let options = CompileOptions {
        controller_name: "selvedge.dev/gateway-controller".to_owned(),
        default_binds: Vec::new(),
        perspective,
    };
    Compiler::new(options).placing_services(block()).compile(&resources, &mut NoCertificates).config
}

/// Sixteen loopback addresses that no other block of this run has. Services are found at ports that nobody is given.
fn block() -> ServiceBlock {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static FIRST: OnceLock<u32> = OnceLock::new();
    let first = *FIRST.get_or_init(|| RandomState::new().build_hasher().finish() as u32);
    let number = first.wrapping_add(NEXT.fetch_add(16, Ordering::Relaxed));
    let [_, b, c, d] = number.to_be_bytes();
    let block = format!("127.{}.{c}.{}/28", b.max(1), d & 0xf0);
    ServiceBlock::try_from(block.parse::<model::ip_block::IpBlock>().expect("a block")).expect("of loopback")
}

struct NoCertificates;

impl Certificates for NoCertificates {
    fn pair(&mut self, _: Typed<'_, Secret>) -> PairState {
        PairState { usable: None, problem: None }
    }

    fn roots(&mut self, _: &str) -> Result<Vec<rustls_pki_types::CertificateDer<'static>>, String> {
        Err("there are none here".to_owned())
    }
}

/// A scene with a mesh and a caller in it, Services for these upstreams, and a gateway that believes as many proxies
/// about a client as a sidecar believes its application.
pub fn scene(upstreams: &Upstreams) -> Scene {
    let mut scene = Scene::new();
    scene.http();
    scene.parameters(json!({ "trustedHops": 1 }));
    mesh(&mut scene);
    scene.document(json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": CALLER, "namespace": "default" },
        "spec": { "address": "127.0.0.1", "serviceAccount": "web" },
    }));
    for (name, upstream) in upstreams {
        scene.service(name, &[upstream.address]);
    }
    scene
}

pub fn mesh(scene: &mut Scene) {
    scene.document(json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Mesh", "metadata": { "name": "default" },
        "spec": { "trustDomain": "bank.example" },
    }));
}

/// A workload with a sidecar in front of an application; where it is called without proof.
pub fn workload(scene: &mut Scene, application: SocketAddr) -> SocketAddr {
    workload_speaking(scene, "HTTP", application)
}

/// The same with an application that speaks this protocol.
pub fn workload_speaking(scene: &mut Scene, protocol: &str, application: SocketAddr) -> SocketAddr {
    let spoken = protocol.to_ascii_lowercase();
    let (at, door) = (tests::address::free(), tests::address::free());
    scene.document(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "shop", "namespace": "default" },
        "spec": { "selector": { "app": "shop" }, "ports": [{ "name": spoken, "port": 80, "targetPort": spoken }] },
    }));
    scene.document(json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": "shop-1", "namespace": "default", "labels": { "app": "shop" } },
        "spec": {
            "address": at.ip().to_string(), "serviceAccount": "shop", "sidecar": { "port": door.port() },
            "ports": [{ "name": spoken, "port": at.port(), "protocol": protocol, "targetPort": application.port() }],
            "application": { "address": application.ip().to_string() },
        },
    }));
    at
}

/// A route called `same` that stands at the gateway and before callers of `shop`.
pub fn route(scene: &mut Scene, rules: &Value) {
    let parents = json!([{ "name": "edge" }, { "group": "", "kind": "Service", "name": "shop", "port": 80 }]);
    scene.route("same", json!({ "parentRefs": parents, "rules": rules }));
}

/// Asks both doors each of these requests, and finds the same. The verdicts, for more that is to be said of them.
pub async fn same(what: &str, doors: [&Door; 2], upstreams: &Upstreams, requests: &[String]) -> Vec<Verdict> {
    same_but_for(&[], what, doors, upstreams, requests).await
}

/// The same, where the log may name other things under these keys.
pub async fn same_but_for(
    keys: &[&'static str],
    what: &str,
    doors: [&Door; 2],
    upstreams: &Upstreams,
    requests: &[String],
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for request in requests {
        let [first, second] = doors;
        let mut verdict = first.ask(request, upstreams).await;
        let mut other = second.ask(request, upstreams).await;
        for key in keys {
            verdict.log.remove(key);
            other.log.remove(key);
        }
        assert_eq!(
            verdict, other,
            "{what}: the {} and the {} differ in {request:?}",
            first.name, second.name
        );
        verdicts.push(verdict);
    }
    verdicts
}

/// A request, from `METHOD target` and further lines of its head.
pub fn request(line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: shop.example\r\n{more}\r\n")
}
