//! A wall clock that steps under running processes (F11): an hour and a day, forward and back.
//!
//! The clock of the sidecars, or of the gateway, is set by a library that is loaded before the system's; the control plane
//! keeps the right time. Limits, deadlines and durations are of the monotonic clock, so nothing of them moves. Certificates
//! are of the wall clock: beyond their time, a minute's leeway included, nobody is believed, and nothing else is lost.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::meshes::{Mesh, Speaks};
use crate::scene::{PATIENCE, echo, free_address, get};
use crate::sidecars::until;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The clock of the processes that are started with it.
struct Clock {
    offset: PathBuf,
}

impl Clock {
    fn of(mesh: &mut Mesh) -> Clock {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/beside/clock.c");
        let (library, offset) = (mesh.folder().join("clock.so"), mesh.folder().join("offset"));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(compiler.status().expect("a C compiler, which linking needs as well").success());
        let clock = Clock { offset };
        clock.is_off_by(0);
        mesh.environment.push(("LD_PRELOAD", library));
        mesh.environment.push(("STEPPED_CLOCK", clock.offset.clone()));
        clock
    }

    /// Steps to so many seconds beside the right time; whoever looks sees all of it or nothing.
    fn is_off_by(&self, seconds: i64) {
        let fresh = self.offset.with_extension("new");
        std::fs::write(&fresh, seconds.to_string()).expect("a file");
        std::fs::rename(&fresh, &self.offset).expect("a file");
    }
}

/// Three an hour: what a step of an hour would give back if it counted.
const LIMITED: &str = "apiVersion: policy.selvedge.dev/v1alpha1
kind: RateLimitPolicy
metadata: { namespace: shop, name: few }
spec:
  targetRefs: [{ group: '', kind: Service, name: few }]
  limits: [{ name: few, requests: 3, per: 1h }]
";

#[test]
fn a_wall_clock_that_steps_moves_certificates_alone() {
    let (mut mesh, upstream) = (Mesh::start(), echo("cart"));
    let clock = Clock::of(&mut mesh);
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut few = mesh.member("few", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, free_address());
    for member in [&mut cart, &mut few, &mut web] {
        member.run(&[]);
    }
    mesh.apply(LIMITED);
    until("the limit", || {
        let address = web.finds("few");
        (get(address, "GET / HTTP/1.1\r\nHost: few.shop").0 == 429).then_some(())
    });
    web.calls("cart", "/before", 200);

    // An hour, both ways, with the connections that are there: certificates last a day, and none is asked for anew.
    for (offset, path) in [(HOUR, "/later"), (-HOUR, "/earlier"), (0, "/again")] {
        clock.is_off_by(offset);
        web.calls("cart", path, 200);
        web.calls("few", path, 429);
    }
    // With a connection of its own: it is judged by the clock of now.
    clock.is_off_by(HOUR);
    cart.kill();
    cart.run(&[]);
    web.calls("cart", "/anew", 200);

    // Beyond their lifetime certificates are worth nothing, and what was believed is closed.
    clock.is_off_by(DAY + HOUR);
    until("nobody to be believed", || {
        let status = get(web.finds("cart"), "GET /tomorrow HTTP/1.1\r\nHost: cart.shop").0;
        (status >= 500).then_some(())
    });
    clock.is_off_by(-DAY);
    cart.kill();
    clock.is_off_by(0);
    cart.run(&[]);
    web.calls("cart", "/home", 200);
    web.calls("few", "/home", 429);

    for line in [web.logged(&["\"/anew\""]), web.logged(&["\"/later\""]), web.logged(&["\"/earlier\""])] {
        took_no_step(&line);
    }
}

/// A step is no duration, and none is negative.
fn took_no_step(line: &str) {
    let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
    let took = line["duration_us"].as_u64().expect("a duration that is not negative");
    assert!(took < HOUR.unsigned_abs() * 1_000_000, "a step is no duration: {line}");
}

/// A client that keeps its connection.
struct Kept(TcpStream);

impl Kept {
    fn open(address: SocketAddr) -> Kept {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Kept(stream)
    }

    /// The status of a GET; the answer is read to its end.
    fn get(&mut self, path: &str, host: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.0.write_all(request.as_bytes()).expect("it reads");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).expect("the connection is kept");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.and_then(|text| text.parse().ok()).expect("a length")];
        self.0.read_exact(&mut body).expect("a body");
        head[9..12].parse().expect("a status")
    }
}

/// Three routes of a gateway: into the mesh, out of it, and out of it thrice an hour.
fn routes(member: u16, outside: SocketAddr) -> String {
    let outward = "{ group: mesh.selvedge.dev, kind: Backend, name: outside }".to_owned();
    let route = |name: &str, backend: &str| {
        format!(
            "---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ namespace: shop, name: {name} }}
spec:
  parentRefs: [{{ name: edge, sectionName: http }}]
  hostnames: [{name}.example]
  rules: [{{ backendRefs: [{backend}] }}]
"
        )
    };
    let inward = format!("{{ name: cart, port: {member} }}");
    let routes = [route("cart", &inward), route("outside", &outward), route("few", &outward)].concat();
    format!(
        "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: {{ namespace: shop, name: outside }}
spec: {{ endpoints: [\"{outside}\"] }}
{routes}---
apiVersion: policy.selvedge.dev/v1alpha1
kind: RateLimitPolicy
metadata: {{ namespace: shop, name: few }}
spec:
  targetRefs: [{{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: few }}]
  limits: [{{ name: few, requests: 3, per: 1h, scope: EachProxy }}]
"
    )
}

#[test]
fn a_gateway_whose_clock_steps_serves_on_and_is_a_member_again_when_the_time_is_right() {
    let (mut mesh, upstream, outside) = (Mesh::start(), echo("cart"), echo("outside"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    cart.run(&[]);
    let clock = Clock::of(&mut mesh);
    let edge = mesh.edge();
    mesh.apply(&routes(cart.port(), outside.address()));
    edge.answers("GET /before HTTP/1.1\r\nHost: cart.example", 200);
    edge.answers("GET /outside HTTP/1.1\r\nHost: outside.example", 200);
    edge.answers("GET /few HTTP/1.1\r\nHost: few.example", 429);

    // An hour, both ways: the connection is kept, nothing fails, and no limit is given back.
    let mut client = Kept::open(edge.http);
    for (offset, path) in [(HOUR, "/later"), (-HOUR, "/earlier"), (0, "/again")] {
        clock.is_off_by(offset);
        assert_eq!(client.get(path, "cart.example"), 200, "{path}");
        assert_eq!(client.get(path, "few.example"), 429, "{path}");
    }

    // Beyond the time of its certificate it calls no member. Whoever needs none is served, and edits still come.
    clock.is_off_by(DAY + HOUR);
    let told = edge.answers("GET /tomorrow HTTP/1.1\r\nHost: cart.example", 503);
    assert!(told.contains("identity_missing"), "{told}");
    assert_eq!(client.get("/tomorrow", "outside.example"), 200);
    assert_eq!(client.get("/tomorrow", "few.example"), 429);
    mesh.apply(&routes(cart.port(), outside.address()).replace("outside.example", "abroad.example"));
    edge.answers("GET /tomorrow HTTP/1.1\r\nHost: abroad.example", 200);

    clock.is_off_by(-DAY);
    assert_eq!(client.get("/yesterday", "abroad.example"), 200);
    assert_eq!(client.get("/yesterday", "few.example"), 429);

    clock.is_off_by(0);
    edge.answers("GET /home HTTP/1.1\r\nHost: cart.example", 200);
    assert_eq!(client.get("/home", "few.example"), 429);
    for path in ["\"/later\"", "\"/earlier\"", "\"/yesterday\""] {
        took_no_step(&edge.logged(&[path]));
    }
}
