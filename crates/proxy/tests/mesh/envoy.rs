//! Envoy in the place of either member: it verifies our certificates and is verified by us.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use engine::config::UpstreamProtocol;
use serde_json::{Value, json};

use crate::issuer::{Authority, Issued, id};
use crate::pair::{Client, Pair, SERVER_NAME, Side, application, free_address, outbound, until};

const TYPE: &str = "type.googleapis.com/envoy.extensions.";

/// Where `cargo xtask setup bench` puts it.
fn program() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/lib");
    let pythons = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    let mut places = pythons.map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    places.find(|envoy| envoy.exists()).expect("Envoy is installed; `cargo xtask setup bench` does that")
}

struct Envoy {
    child: Child,
    config: PathBuf,
}

impl Envoy {
    /// Passes requests from `listen` on to `onward`; one side is TLS as a member speaks it.
    fn start(listen: SocketAddr, onward: SocketAddr, tls: (Option<Value>, Option<Value>)) -> Envoy {
        let config = std::env::temp_dir().join(format!("selvedge-envoy-{}.json", listen.port()));
        let bootstrap = bootstrap(listen, onward, tls);
        std::fs::write(&config, bootstrap.to_string()).expect("a file");
        let mut envoy = Command::new(program());
        envoy.arg("-c").arg(&config).args(["--concurrency", "1", "-l", "off", "--use-dynamic-base-id"]);
        let child = envoy.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("envoy");
        let envoy = Envoy { child, config };
        until("envoy listens", || TcpStream::connect(listen).is_ok());
        envoy
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended by itself.
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config); // What is left in a temporary place harms nobody.
    }
}

fn address(of: SocketAddr) -> Value {
    json!({ "socket_address": { "address": of.ip().to_string(), "port_value": of.port() } })
}

fn bootstrap(
    listen: SocketAddr,
    onward: SocketAddr,
    (own, to_onward): (Option<Value>, Option<Value>),
) -> Value {
    let router = format!("{TYPE}filters.http.router.v3.Router");
    let manager = json!({
        "@type": format!("{TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "test",
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": { "uri": true, "dns": true },
        "route_config": { "virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "onward" } }],
        }] },
        "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": { "@type": router } }],
    });
    let filters =
        json!([{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }]);
    let mut chain = json!({ "filters": filters });
    let mut cluster = json!({
        "name": "onward", "type": "STATIC", "connect_timeout": "5s",
        "load_assignment": { "cluster_name": "onward", "endpoints": [
            { "lb_endpoints": [{ "endpoint": { "address": address(onward) } }] },
        ] },
    });
    if let Some(own) = own {
        chain["transport_socket"] = own;
    }
    if let Some(to_onward) = to_onward {
        cluster["transport_socket"] = to_onward;
    }
    json!({ "static_resources": {
        "listeners": [{ "name": "test", "address": address(listen), "filter_chains": [chain] }],
        "clusters": [cluster],
    } })
}

/// TLS 1.3 with this certificate, towards exactly this account.
fn member(direction: &str, authority: &Authority, issued: &Issued, account: &str) -> Value {
    let common = json!({
        "alpn_protocols": ["selvedge/1"],
        "tls_params": { "tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3" },
        "tls_certificates": [{
            "certificate_chain": { "inline_string": issued.chain },
            "private_key": { "inline_string": issued.key },
        }],
        "validation_context": {
            "trusted_ca": { "inline_string": authority.root },
            "match_typed_subject_alt_names": [{ "san_type": "URI", "matcher": { "exact": id(account) } }],
        },
    });
    let mut context = json!({
        "@type": format!("{TYPE}transport_sockets.tls.v3.{direction}TlsContext"),
        "common_tls_context": common,
    });
    match direction {
        "Downstream" => context["require_client_certificate"] = true.into(),
        _ => context["sni"] = SERVER_NAME.into(),
    }
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}

#[test]
#[ignore = "Envoy is installed for benchmarks only; `cargo xtask bench` runs this"]
fn envoy_calls_a_member_and_each_believes_the_other() {
    let pair = Pair::start();
    let issued = pair.authority.issue("web", "envoy-1");
    let listen = free_address();
    let tls = member("Upstream", &pair.authority, &issued, "cart");

    let _envoy = Envoy::start(listen, pair.sidecar.address, (None, Some(tls)));
    let answer = Client::of(listen).get();

    assert_eq!(answer.status, 200, "{answer:?}");
    let line = pair.sidecar.await_line("envoy-1");
    assert!(line.contains("\"source_workload\":\"shop/envoy-1\""), "{line}");
}

#[test]
#[ignore = "Envoy is installed for benchmarks only; `cargo xtask bench` runs this"]
fn a_member_calls_envoy_and_each_believes_the_other() {
    let authority = Authority::new();
    let issued = authority.issue("cart", "envoy-1");
    let inbound = free_address();
    let tls = member("Downstream", &authority, &issued, "web");
    let _envoy = Envoy::start(inbound, application(), (Some(tls), None));
    let listen = free_address();
    let config = outbound(listen, inbound, UpstreamProtocol::Http1);

    let gateway = Side::start(listen, authority.member("web", "web-1"), config);
    let answer = Client::of(gateway.address).get();

    assert_eq!(answer.status, 200, "{answer:?}");
    let field = answer.body.lines().find(|line| line.starts_with("x-forwarded-client-cert"));
    let field = field.unwrap_or_else(|| panic!("{}", answer.body));
    assert!(field.contains(&id("web")) && field.contains("web-1.shop.bank.example"), "{field}");
}
