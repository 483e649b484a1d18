//! Promises to a proxy that is not ours: Envoy believes our certificates and we believe its, in both directions, and neither
//! believes a certificate of the same names from another root.

mod meshes;
mod plane;
mod scene;
mod sidecars;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use meshes::{Mesh, SHOP, Speaks};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use scene::{echo, free_address, get};
use sidecars::{Running, until};

/// What one of Envoy's doors shows and whom it leads to.
struct Door<'a> {
    address: SocketAddr,
    /// Cluster to which requests go.
    to: &'a str,
    /// Files of chain and key, where it speaks TLS.
    shows: Option<&'a str>,
}

/// A server by whom Envoy's requests are answered.
struct Cluster<'a> {
    name: &'a str,
    address: SocketAddr,
    /// Files of chain and key, and the server name to ask for, where it speaks TLS.
    shows: Option<(&'a str, String)>,
}

/// Certificates, and whose names count at the other end.
fn tls(shows: &str, believes: &str) -> String {
    format!(
        "alpn_protocols: [selvedge/1]
tls_params: {{ tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }}
tls_certificates: [{{ certificate_chain: {{ filename: {shows}.pem }}, private_key: {{ filename: {shows}.key }} }}]
validation_context:
  trusted_ca: {{ filename: roots.pem }}
  match_typed_subject_alt_names: [{{ san_type: URI, matcher: {{ {believes} }} }}]
"
    )
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

impl Door<'_> {
    fn yaml(&self) -> String {
        let (ip, port, to) = (self.address.ip(), self.address.port(), self.to);
        let transport = self.shows.map(|shows| {
            let context = indented(&tls(shows, &format!("prefix: \"{SHOP}/\"")), 8);
            format!(
                "    transport_socket:
      name: tls
      typed_config:
        \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
        require_client_certificate: true
        common_tls_context:
  {}",
                context.replace('\n', "\n  ").trim_end()
            )
        });
        format!(
            "- address: {{ socket_address: {{ address: {ip}, port_value: {port} }} }}
  filter_chains:
  - filters:
    - name: http
      typed_config:
        \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: {to}
        codec_type: HTTP1
        route_config:
          virtual_hosts:
          - name: all
            domains: [\"*\"]
            request_headers_to_add:
            - {{ header: {{ key: x-peer, value: \"%DOWNSTREAM_PEER_URI_SAN%\" }} }}
            routes: [{{ match: {{ prefix: / }}, route: {{ cluster: {to} }} }}]
        http_filters:
        - name: router
          typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
{}
",
            transport.unwrap_or_default()
        )
    }
}

impl Cluster<'_> {
    fn yaml(&self) -> String {
        let (name, ip, port) = (self.name, self.address.ip(), self.address.port());
        let transport = self.shows.as_ref().map(|(shows, server_name)| {
            let context = indented(&tls(shows, &format!("exact: \"{SHOP}/cart\"")), 6);
            format!(
                "  transport_socket:
    name: tls
    typed_config:
      \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      sni: {server_name}
      common_tls_context:
  {}",
                context.replace('\n', "\n  ").trim_end()
            )
        });
        format!(
            "- name: {name}
  type: STATIC
  load_assignment:
    cluster_name: {name}
    endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: {ip}, port_value: {port} }} }} }} }}] }}]
{}
",
            transport.unwrap_or_default()
        )
    }
}

/// Starts Envoy, from the virtual environment of the tests.
fn envoy(folder: &Path, doors: &[Door<'_>], clusters: &[Cluster<'_>]) -> Running {
    let doors: String = doors.iter().map(Door::yaml).collect();
    let clusters: String = clusters.iter().map(Cluster::yaml).collect();
    let text = format!(
        "static_resources:\n  listeners:\n{}  clusters:\n{}",
        indented(&doors, 2),
        indented(&clusters, 2)
    );
    std::fs::write(folder.join("envoy.yaml"), text).expect("a file");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/envoy");
    let envoy = std::env::var_os("ENVOY").map_or(own, Into::into);
    assert!(envoy.is_file(), "there is no {}\n  hint: run `cargo xtask setup tests`", envoy.display());
    let mut command = Command::new(envoy);
    command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1", "-l", "info"]);
    let mut running = Running::start(command.current_dir(folder));
    running.line("all dependencies initialized. starting workers");
    running
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("it is installed");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Joins the mesh as a proxy that is not ours would: a key, a request, a token, and what is answered in files.
fn join(mesh: &Mesh, name: &str) {
    let folder = mesh.folder();
    mesh.must(&format!("token create -n shop --service-account {name} --ttl 1h --out {name}.token"));
    let key = format!("{name}.key");
    run(
        folder,
        "openssl",
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &key],
    );
    let csr = run(folder, "openssl", &["req", "-new", "-key", &key, "-subj", "/"]);
    let token = std::fs::read_to_string(folder.join(format!("{name}.token"))).expect("a file");
    let token = token.lines().find_map(|line| line.strip_prefix("token: ")).expect("a token");
    let body = serde_json::json!({ "csr": csr, "workload": format!("shop/{name}-1") }).to_string();
    let url = format!("https://{}/mesh.selvedge.dev/v1/certificates", mesh.address());
    let bearer = format!("Authorization: Bearer {token}");
    let answer = run(
        folder,
        "curl",
        &["-fsS", "--cacert", "control/pki/ca.crt", "-H", &bearer, "--data-binary", &body, &url],
    );
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    for (file, field) in [(format!("{name}.pem"), "certificate"), ("roots.pem".to_owned(), "bundle")] {
        std::fs::write(folder.join(file), answer[field].as_str().expect("PEM")).expect("a file");
    }
}

/// Files of a certificate with the names of a member, from a root that nobody believes.
fn forge(folder: &Path, name: &str) {
    let (root, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(DnType::CommonName, "another root");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let san = |text: String| text.try_into().expect("a name");
    params.subject_alt_names = vec![
        SanType::URI(san(format!("{SHOP}/{name}"))),
        SanType::DnsName(san(format!("{name}-1.shop.bank.example"))),
    ];
    let leaf = params.signed_by(&key, &Issuer::new(authority, root)).expect("a leaf");
    std::fs::write(folder.join("forged.pem"), leaf.pem()).expect("a file");
    std::fs::write(folder.join("forged.key"), key.serialize_pem()).expect("a file");
}

/// A Workload whose proxy is Envoy, and its Service.
fn documents(name: &str, address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: {{ namespace: shop, name: {name}-1, labels: {{ app: {name} }} }}
spec:
  address: {ip}
  serviceAccount: envoy
  sidecar: {{ port: {port} }}
  ports: [{{ name: http, port: 9080, protocol: HTTP }}]
---
apiVersion: v1
kind: Service
metadata: {{ namespace: shop, name: {name} }}
spec:
  selector: {{ app: {name} }}
  ports: [{{ name: http, port: 9080 }}]
"
    )
}

#[test]
fn envoy_and_we_believe_each_others_certificates_and_no_forged_ones() {
    let (mesh, behind) = (Mesh::start(), echo("behind-envoy"));
    let upstream = echo("cart");
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, free_address());
    cart.run(&[]);
    web.run(&[]);
    join(&mesh, "envoy");
    forge(mesh.folder(), "envoy");
    let [good, bad, out, forging] = [(); 4].map(|()| free_address());
    mesh.apply(&documents("envoy", good));
    mesh.apply(&documents("impostor", bad));
    let (sidecar, port) = cart.mesh_place();
    let name = format!("{port}.cart.shop.svc.bank.example");
    let _envoy = envoy(
        mesh.folder(),
        &[
            Door { address: good, to: "behind", shows: Some("envoy") },
            Door { address: bad, to: "behind", shows: Some("forged") },
            Door { address: out, to: "cart", shows: None },
            Door { address: forging, to: "cart-forging", shows: None },
        ],
        &[
            Cluster { name: "behind", address: behind.address(), shows: None },
            Cluster { name: "cart", address: sidecar, shows: Some(("envoy", name.clone())) },
            Cluster { name: "cart-forging", address: sidecar, shows: Some(("forged", name)) },
        ],
    );

    // We call Envoy, which tells whom it has verified.
    let told = web.calls("envoy", "/inwards", 200);
    assert!(told.contains(&format!("{SHOP}/web")), "{told}");
    // Envoy calls us.
    let ask = |address, path: &str| get(address, &format!("GET {path} HTTP/1.1\r\nHost: cart"));
    let (status, told) =
        until("the cart's answer", || Some(ask(out, "/outwards")).filter(|told| told.0 == 200));
    assert!(status == 200 && told.contains("\"cart\""), "{told}");
    let line = cart.logged(&["\"/outwards\"", "\"status\":200"]);
    assert!(line.contains(&format!("\"source_identity\":\"{SHOP}/envoy\"")), "{line}");
    assert!(line.contains("\"source_workload\":\"shop/envoy-1\""), "{line}");

    // The same names from another root are nobody's.
    web.calls("impostor", "/forged", 502);
    assert_eq!(ask(forging, "/forged").0, 503);
    assert_eq!(ask(out, "/still").0, 200);
}
