//! Promises of the SPIFFE Workload API: other people's client gets the workload's identity, and only at the socket.

mod plane;
mod scene;
mod sidecars;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose, SanType};
use selvedge::sidecar::workload_api::{Identity, WorkloadApi};
use sidecars::{ID, Mesh, python, until};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Prints who we are, whom we believe, and whether key and certificate are a pair.
const FETCH: &str = r#"
import sys
from spiffe import WorkloadApiClient, TrustDomain
with WorkloadApiClient("unix://" + sys.argv[1], default_timeout=20) as client:
    svid = client.fetch_x509_svid()
    assert svid.private_key.public_key() == svid.leaf.public_key()
    print(svid.spiffe_id, len(svid.cert_chain))
    bundles = client.fetch_x509_bundles()
    print(len(bundles.get_bundle_for_trust_domain(TrustDomain("bank.example")).x509_authorities))
"#;

/// Prints a serial number whenever there is another.
const FOLLOW: &str = r#"
import sys, threading
from spiffe import WorkloadApiClient
seen, wanted = [], int(sys.argv[2])
enough = threading.Event()
def took(context):
    seen.append(context.default_svid.leaf.serial_number)
    with open(sys.argv[3], "a") as file:
        file.write(f"{seen[-1]}\n")
    if len(seen) >= wanted:
        enough.set()
with WorkloadApiClient("unix://" + sys.argv[1], default_timeout=20) as client:
    handle = client.stream_x509_contexts(took, lambda error: print(error))
    assert enough.wait(60)
    handle.cancel()
"#;

/// Asks as no client should, and prints what it is told.
const RAW: &str = r#"
import sys, grpc
calls = {"no-header": ("FetchX509SVID", []), "wrong-header": ("FetchX509SVID", [("workload.spiffe.io", "yes")]),
         "jwt": ("FetchJWTSVID", [("workload.spiffe.io", "true")]), "unknown": ("Nothing", [])}
with grpc.insecure_channel("unix:" + sys.argv[1]) as channel:
    for name, (call, metadata) in calls.items():
        stream = channel.unary_stream("/SpiffeWorkloadAPI/" + call)(b"", metadata=metadata, timeout=20)
        try:
            next(iter(stream))
            print(name, "answered")
        except grpc.RpcError as error:
            print(name, error.code().name, error.details())
"#;

struct Issuer(rcgen::Issuer<'static, rcgen::KeyPair>, rcgen::Certificate);

impl Issuer {
    fn new() -> Issuer {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&key).expect("a root");
        Issuer(rcgen::Issuer::new(params, key), root)
    }

    fn identity(&self, serial: u64) -> Arc<Identity> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(ID.try_into().expect("a name"))];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(serial.into());
        let leaf = params.signed_by(&key, &self.0).expect("a leaf");
        Arc::new(Identity {
            id: ID.parse().expect("an identity"),
            chain: vec![leaf.der().clone()],
            key: key.serialize_der(),
            roots: vec![self.1.der().clone()],
            others: Vec::new(),
        })
    }
}

fn serve(path: &Path, identity: watch::Receiver<Option<Arc<Identity>>>) -> Runtime {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let inside = runtime.enter();
    let api = WorkloadApi::bind(path, identity).expect("a socket");
    drop(inside);
    runtime.spawn(api.run());
    runtime
}

#[test]
fn an_unmodified_client_gets_the_identity_and_what_to_believe() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spiffe/workload.sock");
    let (_told, identity) = watch::channel(Some(Issuer::new().identity(1)));
    let _runtime = serve(&path, identity);

    let said = python(FETCH, &[&path.display().to_string()]);

    assert_eq!(said, format!("{ID} 1\n1\n"));
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
}

#[test]
fn a_client_that_follows_gets_every_new_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, seen) = (folder.path().join("s/w.sock"), folder.path().join("seen"));
    let issuer = Issuer::new();
    let (told, identity) = watch::channel(Some(issuer.identity(11)));
    let _runtime = serve(&path, identity);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/python");
    let mut client = Command::new(python)
        .args(["-c", FOLLOW])
        .arg(&path)
        .arg("2")
        .arg(&seen)
        .stdout(Stdio::null())
        .spawn()
        .expect("python runs (`cargo xtask setup tests`)");
    let read = || std::fs::read_to_string(&seen).unwrap_or_default();
    until("the first certificate", || (read() == "11\n").then_some(()));

    told.send_replace(Some(issuer.identity(12)));

    until("the next certificate", || (read() == "11\n12\n").then_some(()));
    assert!(client.wait().expect("it ends").success());
}

#[test]
fn who_does_not_ask_as_the_standard_says_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s/w.sock");
    let (told, identity) = watch::channel(Some(Issuer::new().identity(1)));
    let _runtime = serve(&path, identity);
    let path = path.display().to_string();

    let said = python(RAW, &[&path]);

    let missing = "INVALID_ARGUMENT the metadata `workload.spiffe.io: true` is missing";
    let expected = format!(
        "no-header {missing}\nwrong-header {missing}\n\
         jwt UNIMPLEMENTED this workload has no JWT-SVIDs; use its X.509-SVID\n\
         unknown UNIMPLEMENTED no such call in the SPIFFE Workload API\n"
    );
    assert_eq!(said, expected);

    told.send_replace(None);
    let nobody = RAW.replace(
        "\"no-header\": (\"FetchX509SVID\", [])",
        "\"nobody\": (\"FetchX509SVID\", [(\"workload.spiffe.io\", \"true\")])",
    );
    let said = python(&nobody, &[&path]);
    assert!(said.starts_with("nobody UNAVAILABLE this workload has no identity yet"), "{said}");
}

#[test]
fn a_socket_of_the_dead_is_replaced_and_one_of_the_living_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workload.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let (_told, identity) = watch::channel(None);
    let runtime = serve(&path, identity.clone());

    let _inside = runtime.enter();
    let second = WorkloadApi::bind(&path, identity.clone()).expect_err("it is in use");
    assert_eq!(second.kind(), std::io::ErrorKind::AddrInUse);

    let file = folder.path().join("file");
    std::fs::write(&file, "mine").expect("a file");
    let refused = WorkloadApi::bind(&file, identity.clone()).expect_err("it is a file");
    assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
    let long = folder.path().join("x".repeat(120));
    assert!(
        WorkloadApi::bind(&long, identity).expect_err("it is too long").to_string().contains("107 bytes")
    );
}

#[test]
fn the_application_of_a_real_sidecar_gets_the_identity_that_its_mesh_gave_it() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let mut sidecar = mesh.sidecar(folder.path(), &[]);
    sidecar.line("a member of the mesh as");
    let path = folder.path().join("data/spiffe/workload.sock").display().to_string();

    let said = python(FETCH, &[&path]);

    assert!(said.starts_with(&format!("{ID} ")), "{said}");
}
