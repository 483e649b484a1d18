//! Who called whom, in the metrics of both ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use engine::config::{
    Backend, Backends, Carries, ClusterSlot, InboundService, MeshPort, Origin, RuleSlot, Security, Target,
    TcpAction, TcpRule, UpstreamProtocol,
};

use crate::issuer::{Authority, id};
use crate::made;
use crate::pair::{self, Client, PATIENCE, Pair, SERVER_NAME, Side, free_address, until};

#[test]
fn both_ends_count_who_called_whom_and_what_for() {
    let pair = Pair::start();
    let mut client = Client::of(pair.gateway.address);

    for _ in 0..7 {
        assert_eq!(client.get().status, 200);
    }

    let who = format!("source=\"{}\",destination=\"{}\",service=\"shop/cart:8080\"", id("web"), id("cart"));
    for (side, proxy) in [("source", &pair.gateway), ("destination", &pair.sidecar)] {
        let labels = format!("side=\"{side}\",{who}");
        let counted = format!("{labels},status=\"2xx\"");
        until(&format!("the {side} counts"), || proxy.count("selvedge_mesh_requests_total", &counted) == 7);
        assert_eq!(proxy.count("selvedge_mesh_request_duration_seconds_count", &labels), 7);
        assert!(proxy.count("selvedge_mesh_request_bytes_total", &labels) > 7 * 40);
        assert!(proxy.count("selvedge_mesh_response_bytes_total", &labels) > 7 * 40);
        accepts(&proxy.metrics());
    }
}

#[test]
fn both_ends_count_the_connections_that_carry_bytes() {
    let authority = Authority::new();
    let application = free_address();
    let listener = TcpListener::bind(application).expect("the address is free");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut piece = [0; 5];
            while stream.read_exact(&mut piece).is_ok() && stream.write_all(&piece).is_ok() {}
        }
    });
    let (door, listen) = (free_address(), free_address());
    let mut inbound = made::inbound(door, application, SERVER_NAME, false);
    let port = Arc::get_mut(&mut inbound.ports[0]).expect("the only owner");
    let service = InboundService { name: "shop/cart:8080".into(), carries: bytes_to_the_first_cluster() };
    let services = [(Arc::from(SERVER_NAME), service)].into();
    port.security = Security::Mesh(MeshPort { services, ..MeshPort::default() });
    let mut outbound = pair::outbound(listen, door, UpstreamProtocol::Http1);
    let port = Arc::get_mut(&mut outbound.ports[0]).expect("the only owner");
    port.carries = bytes_to_the_first_cluster();
    let called = Side::start(door, authority.member("cart", "cart-1"), inbound);
    let caller = Side::start(listen, authority.member("web", "web-1"), outbound);

    let mut stream = TcpStream::connect(listen).expect("the caller's proxy listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    for _ in 0..3 {
        stream.write_all(b"bytes").expect("it is open");
        let mut back = [0; 5];
        stream.read_exact(&mut back).expect("the application's answer");
        assert_eq!(&back, b"bytes");
    }
    drop(stream);

    let who = format!("source=\"{}\",destination=\"{}\",service=\"shop/cart:8080\"", id("web"), id("cart"));
    for (side, proxy) in [("source", &caller), ("destination", &called)] {
        let labels = format!("side=\"{side}\",{who}");
        let count = |name: &str| proxy.count(&format!("selvedge_mesh_tcp_{name}"), &labels);
        until(&format!("the {side} to see the end"), || count("duration_seconds_count") == 1);
        assert_eq!(
            (count("connections_total"), count("connections_open"), count("failures_total")),
            (1, 0, 0)
        );
        assert_eq!((count("received_bytes_total"), count("sent_bytes_total")), (15, 15), "{side}");
        accepts(&proxy.metrics());
    }
}

fn bytes_to_the_first_cluster() -> Carries {
    let only = Backend { weight: 1, target: Target::Cluster(ClusterSlot(0)), filters: Vec::new() };
    Carries::Tcp(Arc::new(TcpRule {
        slot: RuleSlot(0),
        origin: Origin { kind: "Service", route: "shop/cart".into(), rule: 0, matched: 0, name: None },
        action: TcpAction::Forward(Backends { choices: vec![only], weight_total: 1 }),
        addresses: None,
        authorization: None,
    }))
}

/// promtool has nothing to remark.
fn accepts(page: &str) {
    let body = page.split_once("\r\n\r\n").map_or(page, |(_, body)| body);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed; `cargo xtask setup tests`");
    promtool.stdin.take().expect("stdin is piped").write_all(body.as_bytes()).expect("promtool reads");
    let said = promtool.wait_with_output().expect("promtool ends");
    let remarks = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && remarks.is_empty(), "{remarks}\n{body}");
}
