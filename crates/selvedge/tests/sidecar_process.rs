//! Promises of `selvedge sidecar` as a process: when its application begins, what reaches it, and how both end.

mod plane;
mod scene;
mod sidecars;

use std::net::SocketAddr;
use std::path::Path;

use scene::free_address;
use sidecars::{ID, Mesh, sidecar as start, signal, until};

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'))
}

/// Whether a process runs: one that has ended and was not waited for does not.
fn runs(id: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    state.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

#[test]
fn the_application_starts_with_an_identity_and_its_exit_code_is_ours() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));

    let mut sidecar = mesh.sidecar(folder.path(), &["--", "sh", "-c", "env > env.txt; exit 7"]);

    sidecar.line(&format!("a member of the mesh as {ID}"));
    sidecar.line("started");
    assert_eq!(sidecar.ended().code(), Some(7));
    let environment = read(&folder.path().join("env.txt")).expect("the application ran");
    let socket = folder.path().join("data/spiffe/workload.sock");
    for wanted in [
        "SELVEDGE_WORKLOAD=shop/cart-1\n".to_owned(),
        "SELVEDGE_DNS=127.0.0.1:".to_owned(),
        format!("SPIFFE_ENDPOINT_SOCKET=unix://{}\n", socket.display()),
    ] {
        assert!(environment.contains(&wanted), "no {wanted} in\n{environment}");
    }
    assert!(!socket.exists(), "the socket went with the sidecar");
}

#[test]
fn an_application_that_a_signal_ends_is_told_as_shells_tell_it() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));

    let mut sidecar = mesh.sidecar(folder.path(), &["--", "sh", "-c", "kill -9 $$"]);

    assert_eq!(sidecar.ended().code(), Some(128 + 9));
}

#[test]
fn signals_reach_the_application() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let script = "for each in HUP USR1 USR2 WINCH QUIT; do trap \"echo $each >> heard\" $each; done
        trap 'exit 3' TERM; echo ready > ready; while :; do sleep 0.05; done";

    let mut sidecar = mesh.sidecar(folder.path(), &["--", "sh", "-c", script]);
    until("the application", || read(&folder.path().join("ready")));
    for (count, name) in (1..).zip(["HUP", "USR1", "USR2", "WINCH", "QUIT"]) {
        sidecar.signal(&format!("-{name}"));
        let heard =
            until(name, || read(&folder.path().join("heard")).filter(|text| text.lines().count() == count));
        assert_eq!(heard.lines().last(), Some(name));
    }
    sidecar.signal("-TERM");

    assert_eq!(sidecar.ended().code(), Some(3));
}

#[test]
fn nobody_is_let_in_any_more_when_the_application_is_asked_to_end_and_it_still_reaches_its_sidecar() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let admin = free_address().to_string();
    // On its way out the application looks at what its sidecar says of itself, which takes a sidecar that still serves.
    let script = format!(
        "trap 'curl -s -o answer -w \"%{{http_code}}\\n\" http://{admin}/ready > status; exit 0' TERM
         curl -s -o first -w '%{{http_code}}\\n' http://{admin}/ready > before
         echo ready > ready; while :; do sleep 0.05; done"
    );

    let mut sidecar = mesh.sidecar(folder.path(), &["--admin", &admin, "--", "sh", "-c", &script]);
    until("the application", || read(&folder.path().join("ready")));
    sidecar.signal("-TERM");
    sidecar.line("SIGTERM: draining");
    sidecar.line("the application is asked to end");

    assert_eq!(sidecar.ended().code(), Some(0));
    assert_eq!(read(&folder.path().join("before")).as_deref(), Some("200\n"));
    assert_eq!(read(&folder.path().join("status")).as_deref(), Some("503\n"));
    assert_eq!(read(&folder.path().join("answer")).as_deref(), Some("draining\n"));
}

#[test]
fn an_application_that_does_not_end_in_its_time_is_killed() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let script = "trap '' TERM; echo ready > ready; while :; do sleep 0.05; done";

    let mut sidecar = mesh.sidecar(folder.path(), &["--grace", "1", "--", "sh", "-c", script]);
    until("the application", || read(&folder.path().join("ready")));
    sidecar.signal("-TERM");
    sidecar.line("has not ended within 1 s and is killed");

    assert_eq!(sidecar.ended().code(), Some(128 + 9));
}

#[test]
fn a_sidecar_that_is_killed_takes_its_application_along() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));

    let mut sidecar = mesh.sidecar(folder.path(), &["--", "sh", "-c", "echo $$ > id; exec sleep 600"]);
    let id: u32 =
        until("the application", || read(&folder.path().join("id"))).trim().parse().expect("a number");
    assert!(runs(id));
    sidecar.signal("-KILL");
    sidecar.ended();

    until("the application to end", || (!runs(id)).then_some(()));
}

#[test]
fn without_a_control_plane_the_application_starts_late_and_that_is_said() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let (nowhere, token) = (format!("https://{}", free_address()), &mesh.token);

    let words = ["--start-within", "1", "--", "true"];
    let mut sidecar = start(&nowhere, token, folder.path(), &words);

    sidecar.line("warning: the application is started without a configuration, after 1 s");
    assert_eq!(sidecar.ended().code(), Some(0));
}

#[test]
fn a_signal_before_the_start_ends_a_sidecar_without_its_application() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let (nowhere, token) = (format!("https://{}", free_address()), &mesh.token);

    let mut sidecar = start(&nowhere, token, folder.path(), &["--", "sh", "-c", "echo > started"]);
    sidecar.line("selvedge sidecar of `shop/cart-1`");
    sidecar.signal("-INT");

    sidecar.line("SIGINT: the application was not started");
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(!folder.path().join("started").exists());
}

#[test]
fn a_program_that_is_not_there_is_said_with_a_hint() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));

    let mut sidecar = mesh.sidecar(folder.path(), &["--", "/nonexistent/cart"]);

    sidecar.line("error: cannot start `/nonexistent/cart`: No such file");
    sidecar.line("hint: ");
    assert_eq!(sidecar.ended().code(), Some(3));
}

#[test]
fn with_the_control_plane_dead_it_starts_from_what_it_kept() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let control = mesh.plane.control();
    let mut first = mesh.sidecar(folder.path(), &["--", "true"]);
    assert_eq!(first.ended().code(), Some(0), "{:#?}", first.all());
    let Mesh { plane, token } = mesh;
    let _files = plane.stop();

    let mut second = start(&control, &token, folder.path(), &["--", "sh", "-c", "exit 5"]);

    second.line(&format!("a member of the mesh as {ID}"));
    second.line("started");
    assert_eq!(second.ended().code(), Some(5), "{:#?}", second.all());
    assert!(!second.all().iter().any(|line| line.contains("is started without")), "{:#?}", second.all());
}

#[test]
fn beside_a_process_it_tells_when_that_is_ready_and_drains_at_a_signal() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let application = free_address();
    let health = format!("http://{application}/healthz");

    let mut sidecar = mesh.sidecar(folder.path(), &["--health", &health]);
    sidecar.line("the application is not ready: Connection refused");
    let listen = SocketAddr::from((application.ip(), application.port()));
    let options = selvedge::echo::Options { listen, name: "cart".to_owned(), tls_names: None };
    let running = selvedge::echo::Echo::start(options).expect("the application");
    sidecar.line("the application is ready");
    drop(running);
    sidecar.line("the application is not ready");
    sidecar.signal("-TERM");

    sidecar.line("drained");
    assert_eq!(sidecar.ended().code(), Some(0));
}

#[test]
fn a_program_says_when_the_application_is_ready() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let flag = folder.path().join("open");
    let health = format!("exec:test -e {}", flag.display());

    let mut sidecar = mesh.sidecar(folder.path(), &["--health", &health]);
    sidecar.line("the application is not ready: `test` ended with 1");
    std::fs::write(&flag, "").expect("a file");

    sidecar.line("the application is ready");
}

#[test]
fn two_sidecars_of_one_folder_or_address_are_told_apart() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let other = tempfile::tempdir().expect("a folder");
    let dns = free_address().to_string();
    let mut first = mesh.sidecar(folder.path(), &["--dns", &dns]);
    first.line("data");

    let mut same_dns = mesh.sidecar(other.path(), &["--dns", &dns]);
    same_dns.line(&format!("error: cannot answer questions for names on {dns}: Address already in use"));
    same_dns.line("hint: is another sidecar running? choose another address with --dns, or `off`");
    assert_eq!(same_dns.ended().code(), Some(3));

    let mut same_folder = mesh.sidecar(folder.path(), &[]);
    same_folder.line("error: ");
    same_folder.line("hint: ");
    assert_eq!(same_folder.ended().code(), Some(3));
    signal(first.id(), "-TERM");
    assert!(first.ended().success());
}
