//! A wall clock that steps under running processes (F11): an hour and a day, forward and back.
//!
//! The clock of the sidecars and of the gateway is set by a library that is loaded before the system's; the control plane
//! keeps the right time. Limits, deadlines and durations are of the monotonic clock, so nothing of them moves. Certificates
//! are of the wall clock: beyond their time, a minute's leeway included, nobody is believed, and nothing else is lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::meshes::{Mesh, Speaks};
use crate::scene::{echo, free_address, get};
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
        let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let took = line["duration_us"].as_u64().expect("a duration that is not negative");
        assert!(took < HOUR.unsigned_abs() * 1_000_000, "a step is no duration: {line}");
    }
}
