//! A config made by hand, for tests and measurements of the bare data path.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Config;
use engine::authentication::Authentication;
use engine::config::{
    Access, Action, Backend, Backends, BindAddress, Carries, Cluster, ClusterSlot, Endpoint, Filter,
    InboundService, MeshPeer, MeshPort, Operation, OperationSlot, Origin, Port, Rule, RuleSlot, Security,
    Settings, Target, Timeouts, UpstreamProtocol,
};
use engine::matching::{
    Entry, HostMap, HostPattern, HostTable, Listener, ListenerTable, PathMatch, Requirements, Seniority,
};

/// Path prefixes of every host.
pub const PREFIXES: [&str; 5] = ["/api/v1/users/", "/api/v1/", "/api/", "/static/", "/"];

/// `svc0.example.com` … with five prefixes each, all for one upstream.
#[allow(dead_code, reason = "most of those who include this file ask for this")]
pub fn config(listen: SocketAddr, upstream: SocketAddr, hosts: u32) -> Config {
    config_with(listen, upstream, hosts, &[])
}

/// The same with filters in every rule.
pub fn config_with(listen: SocketAddr, upstream: SocketAddr, hosts: u32, filters: &[Filter]) -> Config {
    let cluster = Cluster {
        slot: ClusterSlot(0),
        name: "Backend/bench/upstream".into(),
        protocol: UpstreamProtocol::Http1,
        tls: None,
        endpoints: vec![Endpoint { address: upstream, mesh: None, locality: None }],
        names: Vec::new(),
        refuse: None,
        connect_timeout: Duration::from_secs(5),
        credential: None,
        resilience: None,
    };
    let tables: HostMap<Arc<HostTable>> = (0..hosts).map(|number| host(number, filters)).collect();
    let listener = Arc::new(Listener { name: "bench/bench/http".into(), hosts: tables });
    let port = Port {
        address: BindAddress { ip: listen.ip(), port: listen.port() },
        security: Security::Plain,
        carries: Carries::Http(ListenerTable::new(vec![(HostPattern::new(None), listener)])),
        settings: Arc::new(Settings { access_log: false, ..Settings::default() }),
    };
    Config {
        epoch: 1,
        ports: vec![Arc::new(port)],
        clusters: vec![Some(Arc::new(cluster))],
        sources: Arc::default(),
        names: Arc::default(),
        policies: Arc::default(),
        key_sources: Arc::default(),
    }
}

/// The same, where every rule asks who the caller is.
#[allow(dead_code, reason = "one test asks for this")]
pub fn asking(listen: SocketAddr, upstream: SocketAddr, authentication: Arc<Authentication>) -> Config {
    asking_for(listen, upstream, authentication, None)
}

/// The same, where every rule asks for a subscription too, and what it carries is counted for that.
#[allow(dead_code, reason = "one test asks for this")]
pub fn asking_for(
    listen: SocketAddr,
    upstream: SocketAddr,
    authentication: Arc<Authentication>,
    access: Option<Arc<Access>>,
) -> Config {
    let mut config = config(listen, upstream, 20);
    let hosts = (0..20).map(|number| {
        let (pattern, table) = host(number, &[]);
        let entries = table.entries().map(|entry| {
            let rule = Rule {
                authentication: Some(authentication.clone()),
                access: access.clone(),
                operation: access.as_ref().map(|_| Arc::new(operation(entry.rule.slot.0))),
                ..rule("asks", entry.rule.slot.0, &[])
            };
            Entry { rule: Arc::new(rule), ..entry.clone() }
        });
        (pattern, Arc::new(HostTable::new(entries.collect())))
    });
    let listener = Arc::new(Listener { name: "bench/bench/http".into(), hosts: hosts.collect() });
    let port = Arc::get_mut(&mut config.ports[0]).expect("the only owner");
    port.carries = Carries::Http(ListenerTable::new(vec![(HostPattern::new(None), listener)]));
    config
}

#[allow(dead_code, reason = "one test asks for this")]
fn operation(slot: u32) -> Operation {
    let (key, version) = (format!("GET /{slot}").into(), "shop/pets-v1".into());
    Operation { key, slot: OperationSlot(slot), version, is_counted: true }
}

/// The same, where a member of the mesh must answer at the upstream's address.
#[allow(dead_code, reason = "tests of the mesh ask for this")]
pub fn outbound(
    listen: SocketAddr,
    upstream: SocketAddr,
    peer: MeshPeer,
    protocol: UpstreamProtocol,
) -> Config {
    outbound_with(listen, upstream, 20, peer, protocol)
}

/// The same for so many hosts.
#[allow(dead_code, reason = "tests of the mesh ask for this")]
pub fn outbound_with(
    listen: SocketAddr,
    upstream: SocketAddr,
    hosts: u32,
    peer: MeshPeer,
    protocol: UpstreamProtocol,
) -> Config {
    let mut config = config(listen, upstream, hosts);
    let cluster = config.clusters[0].as_mut().and_then(Arc::get_mut).expect("the only owner");
    cluster.protocol = protocol;
    cluster.endpoints[0].mesh = Some(Arc::new(peer));
    config
}

/// The same, behind the door of the mesh: one service, which goes by this server name. Where cleartext is let in, it
/// gets the same routes.
#[allow(dead_code, reason = "tests of the mesh ask for this")]
pub fn inbound(listen: SocketAddr, application: SocketAddr, server_name: &str, cleartext: bool) -> Config {
    inbound_with(listen, application, 20, server_name, cleartext)
}

/// The same for so many hosts.
#[allow(dead_code, reason = "tests of the mesh ask for this")]
pub fn inbound_with(
    listen: SocketAddr,
    application: SocketAddr,
    hosts: u32,
    server_name: &str,
    cleartext: bool,
) -> Config {
    let carried = || {
        let port = config(listen, application, hosts).ports.remove(0);
        Arc::into_inner(port).expect("the only owner").carries
    };
    let mut config = config(listen, application, hosts);
    let port = Arc::get_mut(&mut config.ports[0]).expect("the only owner");
    port.carries = if cleartext { carried() } else { Carries::Http(ListenerTable::default()) };
    let service = InboundService { name: "shop/cart:8080".into(), carries: carried() };
    let services = [(Arc::from(server_name), service)].into();
    port.security = Security::Mesh(MeshPort { services, cleartext, ..MeshPort::default() });
    config
}

fn host(number: u32, filters: &[Filter]) -> (HostPattern, Arc<HostTable>) {
    let name = format!("svc{number}.example.com");
    let pattern = HostPattern::new(Some(&name));
    let entries = PREFIXES
        .iter()
        .enumerate()
        .map(|(index, prefix)| Entry {
            hostname: pattern.clone(),
            path: PathMatch::Prefix((*prefix).into()),
            requirements: Requirements::default(),
            seniority: Arc::new(Seniority {
                created: 0,
                seen: 0,
                route: name.as_str().into(),
                rule: index as u16,
                matched: 0,
            }),
            rule: Arc::new(rule(&name, number * 5 + index as u32, filters)),
        })
        .collect();
    (pattern, Arc::new(HostTable::new(entries)))
}

fn rule(route: &str, slot: u32, filters: &[Filter]) -> Rule {
    Rule {
        slot: RuleSlot(slot),
        origin: Origin { kind: "HTTPRoute", route: route.into(), rule: 0, matched: 0, name: None },
        filters: filters.to_vec(),
        action: Action::Forward(Backends {
            choices: vec![Backend {
                weight: 1,
                target: Target::Cluster(ClusterSlot(0)),
                filters: Vec::new(),
            }],
            weight_total: 1,
        }),
        timeouts: Timeouts::default(),
        retry: None,
        fault: None,
        rates: None,
        addresses: None,
        validation: None,
        authentication: None,
        authorizers: None,
        authorization: None,
        transforms: None,
        access: None,
        operation: None,
    }
}
