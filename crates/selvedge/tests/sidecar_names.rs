//! Promises of the resolver, asked by other people's client over real sockets.

mod plane;
mod scene;
mod sidecars;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use selvedge::sidecar::dns::Resolver;
use selvedge::sidecar::dns::forward::Others;
use selvedge::sidecar::names::{Names, Reachable, ReachablePort, Speaks};
use sidecars::python;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Prints the answers to `NAME TYPE` pairs, over UDP (checked to be all of it) or TCP.
const ASK: &str = r#"
import sys, dns.message, dns.query, dns.rdatatype, dns.flags, dns.rcode
port, transport = int(sys.argv[1]), sys.argv[2]
for question in sys.argv[3:]:
    name, kind = question.split(" ")
    query = dns.message.make_query(name, kind, use_edns="edns" in transport)
    ask = dns.query.tcp if "tcp" in transport else dns.query.udp
    answer = ask(query, "127.0.0.1", port=port, timeout=20)
    records = sorted(str(record) for rrset in answer.answer for record in rrset)
    flags = [flag for flag, bit in (("TC", dns.flags.TC), ("AA", dns.flags.AA)) if answer.flags & bit]
    print(name, kind, dns.rcode.to_text(answer.rcode()), " ".join(flags + records))
"#;

/// Sends what is no question and prints what comes back for the one question that follows.
const GARBAGE: &str = r#"
import sys, socket, struct, dns.message, dns.query
port = int(sys.argv[1])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(20)
    for bytes in (b"", b"\x00", b"\xff" * 600, struct.pack(">6H", 7, 0, 9, 0, 0, 0)):
        sock.sendto(bytes, ("127.0.0.1", port))
    query = dns.message.make_query("cart.shop", "A")
    sock.sendto(query.to_wire(), ("127.0.0.1", port))
    told = set()
    while not {7, query.id} <= told:
        told.add(struct.unpack(">H", sock.recv(4096)[:2])[0])
    print(True)
with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
    sock.sendall(struct.pack(">H", 65535) + b"x" * 100)
    try:
        print(sock.recv(1) == b"")
    except ConnectionResetError:
        print(True)
"#;

fn names(services: &[(&str, &str, [u8; 4], usize)]) -> Arc<Names> {
    let port = |number: usize| ReachablePort {
        name: format!("port-with-a-rather-long-name-{number}").into(),
        port: 8000 + u16::try_from(number).expect("a small number"),
        speaks: Speaks::Http,
    };
    let service = |(namespace, service, address, ports): &(&str, &str, [u8; 4], usize)| Reachable {
        namespace: (*namespace).into(),
        service: (*service).into(),
        address: Ipv4Addr::from(*address),
        ports: (0..*ports).map(port).collect(),
    };
    Arc::new(Names {
        trust_domain: "bank.example".into(),
        namespace: "shop".into(),
        services: services.iter().map(service).collect(),
    })
}

struct Scene {
    runtime: Runtime,
}

impl Scene {
    fn new() -> Scene {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Scene { runtime: runtime.expect("threads") }
    }

    fn resolver(&self, others: Others, names: watch::Receiver<Arc<Names>>) -> SocketAddr {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let resolver = self.runtime.block_on(Resolver::bind(any, others, names)).expect("a port");
        let address = resolver.address().expect("an address");
        self.runtime.spawn(resolver.run());
        address
    }
}

fn ask(address: SocketAddr, transport: &str, questions: &[&str]) -> Vec<String> {
    let port = address.port().to_string();
    let arguments: Vec<&str> =
        [port.as_str(), transport].into_iter().chain(questions.iter().copied()).collect();
    python(ASK, &arguments).lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn names_of_the_mesh_are_answered_and_follow_what_can_be_reached() {
    let scene = Scene::new();
    let (said, heard) = watch::channel(names(&[("shop", "cart", [127, 128, 7, 1], 1)]));
    let resolver = scene.resolver(Others::Nobody, heard);
    let questions = ["cart.shop A", "cart.shop AAAA", "x.shop.svc.bank.example A", "example.com A"];

    for transport in ["udp", "tcp", "udp-edns"] {
        let expected = [
            "cart.shop A NOERROR AA 127.128.7.1",
            "cart.shop AAAA NOERROR AA",
            "x.shop.svc.bank.example A NXDOMAIN AA",
            "example.com A REFUSED",
        ];
        assert_eq!(ask(resolver, transport, &questions), expected, "{transport}");
    }
    said.send_replace(names(&[("shop", "x", [127, 128, 0, 9], 1)]));

    let now = ask(resolver, "udp", &["cart.shop A", "x.shop.svc.bank.example A"]);
    assert_eq!(now, ["cart.shop A REFUSED", "x.shop.svc.bank.example A NOERROR AA 127.128.0.9"]);
}

#[test]
fn what_is_not_of_the_mesh_is_asked_of_the_systems_servers_the_way_it_came() {
    let scene = Scene::new();
    // The system's server is one of ours that knows another mesh.
    let mut elsewhere = Names::clone(&names(&[("web", "site", [127, 1, 2, 3], 1)]));
    elsewhere.trust_domain = "elsewhere.example".into();
    let (_theirs, theirs) = watch::channel(Arc::new(elsewhere));
    let system = scene.resolver(Others::Nobody, theirs);
    let dead = scene::free_address();
    let (_ours, ours) = watch::channel(names(&[("shop", "cart", [127, 128, 7, 1], 1)]));
    let resolver = scene.resolver(Others::Servers(vec![dead, system]), ours);

    for transport in ["udp", "tcp", "udp-edns"] {
        let questions = ["site.web.svc.elsewhere.example A", "no.web.svc.elsewhere.example A", "cart A"];
        let expected = [
            "site.web.svc.elsewhere.example A NOERROR AA 127.1.2.3",
            "no.web.svc.elsewhere.example A NXDOMAIN AA",
            "cart A NOERROR AA 127.128.7.1",
        ];
        assert_eq!(ask(resolver, transport, &questions), expected, "{transport}");
    }
    let (_ours, ours) = watch::channel(names(&[]));
    let alone = scene.resolver(Others::Servers(vec![dead]), ours);
    assert_eq!(ask(alone, "udp", &["example.com A"]), ["example.com A SERVFAIL"]);
}

#[test]
fn an_answer_that_does_not_fit_a_datagram_says_so_and_comes_whole_over_tcp() {
    let scene = Scene::new();
    let (_said, heard) = watch::channel(names(&[("shop", "cart", [127, 128, 7, 1], 40)]));
    let resolver = scene.resolver(Others::Nobody, heard);

    for transport in ["udp", "udp-edns"] {
        assert_eq!(
            ask(resolver, transport, &["cart.shop SRV"]),
            ["cart.shop SRV NOERROR TC AA"],
            "{transport}"
        );
    }
    let whole = &ask(resolver, "tcp", &["cart.shop SRV"])[0];
    assert_eq!(whole.matches("cart.shop.svc.bank.example.").count(), 40, "{whole}");
}

#[test]
fn what_is_no_question_harms_nobody() {
    let scene = Scene::new();
    let (_said, heard) = watch::channel(names(&[("shop", "cart", [127, 128, 7, 1], 1)]));
    let resolver = scene.resolver(Others::Nobody, heard);

    assert_eq!(python(GARBAGE, &[&resolver.port().to_string()]), "True\nTrue\n");
}
