//! Promises of `selvedge up`, in-process: edits apply live, mistakes change nothing.
//!
//! No test of this file starts a process: between fork and exec a child holds copies of every socket, and an
//! address that was just found free would look taken.

mod scene;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use scene::{PATIENCE, echo, free_address, get, yaml};
use selvedge::up::{Event, Running, Source, StartError, UpOptions};

fn name_behind(address: SocketAddr) -> String {
    let (status, body) = get(address, "GET / HTTP/1.1\r\nHost: a.example");
    assert_eq!(status, 200, "{body}");
    for name in ["one", "two"] {
        if body.contains(&format!("\"name\":\"{name}\"")) {
            return name.to_owned();
        }
    }
    panic!("nobody known answered: {body}");
}

#[test]
fn a_change_applies_and_a_mistake_keeps_the_last_good() {
    let (one, two, address) = (echo("one"), echo("two"), free_address());
    let source = Source::Text(yaml(address, one.address()));
    let running = Running::start(UpOptions { source, ..UpOptions::default() }).expect("it starts");
    assert_eq!(name_behind(address), "one");
    assert!(running.conditions().all_good(), "{}", running.conditions());

    let broken = yaml(address, two.address()).replace("parentRefs", "parentRef");
    assert_eq!(running.apply_text(&broken).expect_err("a mistake").len(), 1);
    assert_eq!(name_behind(address), "one");

    running.apply_text(&yaml(address, two.address())).expect("sound");
    assert_eq!(name_behind(address), "two");
    running.stop();
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

#[test]
fn an_edit_of_a_file_is_live_once_it_is_told() {
    let (one, two, address) = (echo("one"), echo("two"), free_address());
    let root = tempfile::tempdir().expect("a directory");
    let replace = |text: &str| {
        std::fs::write(root.path().join("new"), text).expect("a file");
        std::fs::rename(root.path().join("new"), root.path().join("gateway.yaml")).expect("a rename");
    };
    replace(&yaml(address, one.address()));
    let (tell, told) = mpsc::sync_channel(1024);
    let source = Source::Files(vec![root.path().join("gateway.yaml")]);
    let options = UpOptions { source, ..UpOptions::default() };
    let running =
        Running::start_with(options, Box::new(move |event| tell.send(event.clone()).expect("a test")));
    let _running = running.expect("it starts");
    assert_eq!(name_behind(address), "one");

    replace(&yaml(address, two.address()).replace("kind: Backend\n", "kind: Backnd\n"));
    let event = told.recv_timeout(PATIENCE).expect("an event");
    assert!(
        matches!(&event, Event::Refused(violations) if violations.to_string().contains("Backnd")),
        "{event}"
    );
    assert_eq!(name_behind(address), "one");

    replace(&yaml(address, two.address()));
    let event = told.recv_timeout(PATIENCE).expect("an event");
    assert!(event.to_string().starts_with("applied change 2: 1 route, 1 gateway in "), "{event}");
    assert_eq!(name_behind(address), "two");
}

#[test]
fn an_address_that_is_taken_is_a_condition_and_heals() {
    let (one, free) = (echo("one"), free_address());
    let taken = TcpListener::bind(free_address()).expect("a free port");
    let blocked = taken.local_addr().expect("an address");
    let source = Source::Text(yaml(blocked, one.address()));
    let running = Running::start(UpOptions { source, ..UpOptions::default() }).expect("it starts");

    let said = running.conditions().to_string();
    assert!(said.contains("Programmed=False/AddressNotUsable: cannot listen on"), "{said}");
    assert!(running.bound()[0].error.is_some());

    running.apply_text(&yaml(free, one.address())).expect("sound");
    assert!(running.conditions().all_good(), "{}", running.conditions());
    assert_eq!(name_behind(free), "one");
}

#[test]
fn mistakes_at_the_start_are_all_reported_and_nothing_runs() {
    let source = Source::Text("kind: Gatewy\n---\nkind: HTTPRout\n".to_owned());

    match Running::start(UpOptions { source, ..UpOptions::default() }) {
        Err(StartError::Refused(violations)) => assert!(violations.len() >= 2, "{violations}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}
