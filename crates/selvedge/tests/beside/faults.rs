//! Faults around a sidecar, as processes (F2, F8, F10, F11): a control plane that says nothing more, what breaks behind it
//! is told alike by both hops, a disk that takes nothing costs it what it would have kept, and a clock that steps is heard
//! of by certificates alone.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::meshes::{Mesh, Speaks};
use crate::scene::{echo, free_address as nobody};
use crate::sidecars::until;

/// An application that breaks in the way that the path says.
fn moody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let Ok(length) = stream.read(&mut request) else { return };
                let line = String::from_utf8_lossy(&request[..length]).into_owned();
                let answer: &[u8] = match line.split(' ').nth(1) {
                    Some("/close") => b"",
                    Some("/garbage") => b"SSH-2.0-x\r\n\r\n",
                    Some("/two") => b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
                    Some("/busy") => {
                        b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy"
                    }
                    _ => b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine",
                };
                stream.write_all(answer).ok();
            });
        }
    });
    address
}

#[test]
fn what_breaks_behind_a_sidecar_is_said_by_it_and_passed_on_by_the_callers() {
    let mesh = Mesh::start();
    let mut cart = mesh.member("cart", Speaks::Http, moody());
    let mut gone = mesh.member("gone", Speaks::Http, nobody());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    for member in [&mut cart, &mut gone, &mut web] {
        member.run(&[]);
    }
    assert_eq!(web.calls("cart", "/fine", 200), "fine");

    for (path, status, code) in [
        ("/close", 502, "upstream_reset"),
        ("/garbage", 502, "upstream_protocol"),
        ("/two", 502, "upstream_protocol"),
    ] {
        let said = web.calls("cart", path, status);
        assert!(said.contains(code), "{path}: {said}");
        assert!(cart.logged(&[path, "\"failure\""]).contains(code), "{path}");
        assert!(!web.logged(&[&format!("\"{path}\"")]).contains("\"failure\""), "the caller's saw an answer");
    }
    assert_eq!(web.calls("cart", "/busy", 503), "busy", "the application's own words");
    let said = web.calls("gone", "/", 503);
    assert!(said.contains("connect_refused"), "its sidecar is there and the application is not: {said}");

    cart.kill();
    let said = web.calls("cart", "/fine", 503);
    assert!(said.contains("connect_refused"), "nobody is there: {said}");
    cart.run(&[]);
    assert_eq!(web.calls("cart", "/fine", 200), "fine");
}

#[test]
fn a_data_folder_that_takes_nothing_costs_a_sidecar_what_it_would_have_kept_and_no_call() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    cart.run(&[]);
    web.run(&[]);
    web.calls("cart", "/before", 200);
    let was = web.finds("cart");

    web.writes_at_most("64");
    mesh.by_default("Deny");
    // Where its Services are cannot be written either, so it is asked where cart was.
    until("cart to be found no more", || TcpStream::connect(was).is_err().then_some(()));
    mesh.by_default("Allow");
    web.calls("cart", "/allowed", 200);
    web.says("hint: see the folder of --data", || mesh.apply(NEW));

    web.writes_at_most("unlimited");
    mesh.apply(&NEW.replace("later", "latest"));
    web.finds("latest");
}

#[test]
fn a_control_plane_that_says_nothing_more_costs_no_call_and_no_start() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    cart.run(&[]);
    web.run(&[]);
    web.calls("cart", "/before", 200);

    mesh.silence_control();
    web.calls("cart", "/silent", 200);
    for restarted in [&mut cart, &mut web] {
        restarted.kill();
        restarted.run(&[]);
    }
    web.calls("cart", "/restarted", 200);

    mesh.wake_control();
    mesh.apply(NEW);
    web.finds("later");
}

/// A Service of which the files of names must tell.
const NEW: &str = "apiVersion: v1
kind: Service
metadata: { namespace: shop, name: later }
spec: { ports: [{ name: http, port: 8080 }] }
";

#[test]
fn a_workload_that_cannot_be_taken_back_is_said() {
    let mesh = Mesh::start();
    let mut cart = mesh.member("cart", Speaks::Http, nobody());
    cart.run(&[]);

    // It was written by hand, so it is not the sidecar's to delete.
    cart.terminate();
    cart.says("the workload is not taken back", || {});

    assert!(mesh.must("get workloads -n shop -o name").contains("cart-1"));
}
