//! Promises of `selvedge up --data`, in-process: what is wanted outlives the process, whoever wanted it.
//!
//! No test of this file starts a process, see `up.rs`.

#![allow(clippy::disallowed_methods, reason = "the patience of a test is real time")]

mod scene;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use scene::{PATIENCE, echo, free_address, get, yaml};
use selvedge::up::kept::{Kept, KeptEvent, KeptOptions};
use selvedge::up::{Source, UpOptions};

struct Up {
    kept: Kept,
    told: mpsc::Receiver<KeptEvent>,
}

impl Up {
    fn start(file: &Path, data: &Path) -> Up {
        let (tell, told) = mpsc::sync_channel(1024);
        let options = UpOptions { source: Source::Files(vec![file.to_owned()]), ..UpOptions::default() };
        let kept = KeptOptions { data: data.to_owned(), listen: ([127, 0, 0, 1], 0).into(), may_move: false };
        // The receiver may go before the last event comes.
        let listener = Arc::new(move |event| tell.send(event).unwrap_or(()));
        Up { kept: Kept::start(options, kept, listener).expect("it starts"), told }
    }

    fn wait_for<T>(&self, mut wanted: impl FnMut(KeptEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.told.recv_timeout(PATIENCE).expect("something happens")) {
                return found;
            }
        }
    }

    /// Waits until a change is in use.
    fn applied(&self) {
        self.wait_for(|event| match event {
            KeptEvent::Gateway(proxy::Event::Applied { is_new: true, .. }) => Some(()),
            KeptEvent::Gateway(_)
            | KeptEvent::Refused(_)
            | KeptEvent::Delayed(_)
            | KeptEvent::Landed
            | KeptEvent::Problems { .. }
            | KeptEvent::Published(_) => None,
        });
    }
}

fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).expect("a file");
    std::fs::rename(new, file).expect("a rename");
}

/// Waits until a service answers: what was applied last may have been the statuses of the edit before.
fn answers(address: SocketAddr, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = get(address, "GET / HTTP/1.1\r\nHost: a.example");
        if status == 200 && body.contains(&format!("\"name\":\"{name}\"")) {
            return;
        }
        assert!(Instant::now() < deadline, "{status} {body}");
    }
}

#[test]
fn an_edit_is_served_a_mistake_is_not_and_a_restart_finds_what_was_there() {
    let (one, two, address) = (echo("one"), echo("two"), free_address());
    let root = tempfile::tempdir().expect("a directory");
    let (file, data) = (root.path().join("gateway.yaml"), root.path().join("data"));
    replace(&file, &yaml(address, one.address()));

    let up = Up::start(&file, &data);
    answers(address, "one");
    while up.told.try_recv().is_ok() {}
    replace(&file, &yaml(address, two.address()));
    up.applied();
    answers(address, "two");
    replace(&file, &yaml(address, one.address()).replace("endpoints", "endpoint"));
    let said = up.wait_for(|event| match event {
        KeptEvent::Refused(said) => Some(said),
        KeptEvent::Gateway(_)
        | KeptEvent::Delayed(_)
        | KeptEvent::Landed
        | KeptEvent::Problems { .. }
        | KeptEvent::Published(_) => None,
    });
    assert!(said.contains("there is no field `endpoint`"), "{said}");
    answers(address, "two");
    replace(&file, &yaml(address, two.address()).replace("name: service }]", "name: other }]"));
    let said = up.wait_for(|event| match event {
        KeptEvent::Problems { problems, .. } => Some(problems.join("\n")),
        KeptEvent::Gateway(_)
        | KeptEvent::Refused(_)
        | KeptEvent::Delayed(_)
        | KeptEvent::Landed
        | KeptEvent::Published(_) => None,
    });
    assert!(said.contains("no Backend `default/other` exists"), "{said}");
    assert!(said.contains("gateway.yaml:25)"), "the line of the name: {said}");
    let revision = up.kept.server().world().now().revision;
    up.kept.stop();

    replace(&file, &yaml(address, two.address()));
    let up = Up::start(&file, &data);
    answers(address, "two");
    let now = up.kept.server().world().now();
    assert!(now.resources.find::<model::kinds::Gateway>("default", "edge").is_some());
    assert!(now.revision >= revision, "revisions never go back");
    up.kept.stop();
}

#[test]
fn two_of_them_cannot_share_a_folder() {
    let (one, address) = (echo("one"), free_address());
    let root = tempfile::tempdir().expect("a directory");
    let (file, data) = (root.path().join("gateway.yaml"), root.path().join("data"));
    replace(&file, &yaml(address, one.address()));
    let _first = Up::start(&file, &data);

    let options = UpOptions { source: Source::Files(vec![file]), ..UpOptions::default() };
    let kept = KeptOptions { data, listen: ([127, 0, 0, 1], 0).into(), may_move: false };
    let refused = Kept::start(options, kept, Arc::new(|_| {})).err().expect("refused");

    assert!(refused.to_string().contains("another"), "{refused}");
    answers(address, "one");
}

#[test]
fn who_named_no_address_gets_another_port_where_somebody_has_the_usual_one() {
    let (one, address) = (echo("one"), free_address());
    let root = tempfile::tempdir().expect("a directory");
    let file = root.path().join("gateway.yaml");
    replace(&file, &yaml(address, one.address()));
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let listen = taken.local_addr().expect("an address");
    let start = |data: &str, may_move| {
        let options = UpOptions { source: Source::Files(vec![file.clone()]), ..UpOptions::default() };
        let kept = KeptOptions { data: root.path().join(data), listen, may_move };
        Kept::start(options, kept, Arc::new(|_| {}))
    };

    let refused = start("named", false).err().expect("refused");
    let kept = start("private", true).expect("it starts");

    assert!(refused.to_string().contains("Address already in use"), "{refused}");
    let reachable: SocketAddr = kept.server().reachable().to_string().parse().expect("an address");
    assert_ne!(reachable.port(), listen.port());
    answers(address, "one");
    kept.stop();
}
