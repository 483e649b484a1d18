//! Promises of a control plane and a gateway that follows it, in one process of the test.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use control::clock::Clock;
use control::server::{self, Server, ServerOptions};
use proxy::Event;
use selvedge::gateway::{GatewayOptions, RunningGateway};
use tokio::runtime::Runtime;

/// Longest a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

struct Plane {
    server: Server,
    runtime: Runtime,
}

impl Plane {
    fn start(data: &Path) -> Plane {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        let options = ServerOptions {
            data: data.to_owned(),
            database: None,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            may_move: false,
            names: Vec::new(),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            keeps_config: false,
            clock: Clock::system(),
            beside: Vec::new(),
        };
        let server = runtime.block_on(server::start(options)).expect("a control plane");
        Plane { server, runtime }
    }

    fn gateway(&self) -> (RunningGateway, mpsc::Receiver<Event>) {
        let token = std::fs::read_to_string(self.server.gateway_token()).expect("a token file");
        let control = format!("https://{}", self.server.address()).parse().expect("an address");
        let options = GatewayOptions::new("edge", control, token.parse().expect("a token"));
        let (tell, told) = mpsc::sync_channel(1024);
        // The receiver may go before the last event comes.
        let started = RunningGateway::start(options, Arc::new(move |event| tell.send(event).unwrap_or(())));
        (started.expect("a gateway"), told)
    }

    fn stop(self) {
        self.runtime.block_on(self.server.stop());
    }
}

fn next<T>(told: &mpsc::Receiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(told.recv_timeout(PATIENCE).expect("something happens")) {
            return found;
        }
    }
}

#[test]
fn a_gateway_with_the_token_file_of_the_data_folder_is_let_in() {
    let root = tempfile::tempdir().expect("a folder");
    let plane = Plane::start(root.path());

    let (gateway, told) = plane.gateway();

    next(&told, |event| matches!(event, Event::Applied { .. }).then_some(()));
    gateway.stop();
    plane.stop();
}

#[test]
fn a_damaged_store_is_put_aside_and_gateways_are_not_handed_its_emptiness() {
    let root = tempfile::tempdir().expect("a folder");
    Plane::start(root.path()).stop();
    // A header that promises a store, and nothing that keeps the promise; the log beside it could mend it.
    for log in ["store.db-wal", "store.db-shm"] {
        std::fs::remove_file(root.path().join(log)).ok();
    }
    let mut damaged = std::fs::read(root.path().join("store.db")).expect("a store");
    damaged.truncate(4096);
    damaged[100..].fill(0xff);
    std::fs::write(root.path().join("store.db"), damaged).expect("a file");

    let plane = Plane::start(root.path());

    let said = plane.server.set_aside().expect("people are told").to_owned();
    assert!(said.contains("store.db is damaged"), "{said}");
    let (gateway, told) = plane.gateway();
    let problem = next(&told, |event| match event {
        Event::Lost { problem, .. } => Some(problem),
        Event::Applied { .. } => panic!("it was handed an empty world"),
        Event::Connected(_) | Event::CacheUnusable(_) => None,
    });
    assert!(problem.contains("aside as damaged"), "{problem}");
    gateway.stop();
    plane.stop();
}
