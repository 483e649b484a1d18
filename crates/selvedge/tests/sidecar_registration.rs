//! Promises about the Workload of `selvedge sidecar`: it is there with its sidecar, ready with its application, and goes.

mod plane;
mod scene;
mod sidecars;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use sidecars::{ACCOUNT, Mesh, until};

/// An application that answers its health check as it is told to.
struct Application {
    address: SocketAddr,
    is_well: Arc<AtomicBool>,
}

impl Application {
    fn start() -> Application {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let is_well = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_well);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4096];
                if stream.read(&mut request).is_err() {
                    continue;
                }
                let status = if asked.load(Ordering::Relaxed) { "200 OK" } else { "503 Service Unavailable" };
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).ok();
            }
        });
        Application { address, is_well }
    }

    fn is_well(&self, is_well: bool) {
        self.is_well.store(is_well, Ordering::Relaxed);
    }
}

/// The Workload, if it is there.
fn workload(mesh: &Mesh) -> Option<Value> {
    let ended = mesh.plane.run("get workload cart-1 -n shop -o json");
    (ended.code == 0).then(|| serde_json::from_str(&ended.stdout).expect("JSON"))
}

/// Waits until its condition `Ready` has this reason; tells its status.
fn ready_for(mesh: &Mesh, reason: &str) -> String {
    until(reason, || {
        let workload = workload(mesh)?;
        let ready =
            workload["status"]["conditions"].as_array()?.iter().find(|said| said["type"] == "Ready")?;
        (ready["reason"] == reason).then(|| ready["status"].as_str().expect("text").to_owned())
    })
}

#[test]
fn a_workload_comes_with_its_sidecar_is_ready_with_its_application_and_goes_with_both() {
    let (mesh, folder) = (Mesh::start(), tempfile::tempdir().expect("a folder"));
    let application = Application::start();
    let port = format!("http:{}", application.address.port());
    let check = format!("http://{}/healthz", application.address);

    let mut sidecar =
        mesh.sidecar(folder.path(), &["--label", "app=cart", "--port", &port, "--health", &check]);

    assert_eq!(ready_for(&mesh, "ApplicationNotReady"), "False");
    let registered = workload(&mesh).expect("it is there");
    assert_eq!(registered["spec"]["serviceAccount"], ACCOUNT);
    assert_eq!(registered["metadata"]["labels"]["app"], "cart");
    application.is_well(true);
    assert_eq!(ready_for(&mesh, "ApplicationReady"), "True");
    assert!(workload(&mesh).expect("it is there")["status"]["lastSeen"].is_string());
    application.is_well(false);
    assert_eq!(ready_for(&mesh, "ApplicationNotReady"), "False");

    sidecar.signal("-TERM");
    until("the Workload to go", || workload(&mesh).is_none().then_some(()));
    sidecar.ended();
}
