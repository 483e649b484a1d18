//! OpenSSL in the place of either member: what we issue and speak is understood elsewhere.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use engine::config::UpstreamProtocol;

use crate::issuer::{Authority, Issued};
use crate::pair::{Client, Pair, SERVER_NAME, Side, free_address, outbound, until};

/// A chain, its key and the root, as files.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, issued: &Issued, authority: &Authority) -> Files {
        let place = std::env::temp_dir().join(format!("selvedge-mesh-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&place).expect("a directory");
        std::fs::write(place.join("chain.pem"), &issued.chain).expect("a file");
        std::fs::write(place.join("key.pem"), &issued.key).expect("a file");
        std::fs::write(place.join("root.pem"), &authority.root).expect("a file");
        Files(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // What is left in a temporary place harms nobody.
    }
}

fn openssl(command: &str, files: &Files) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.arg(command).arg("-cert").arg(files.path("chain.pem")).arg("-key").arg(files.path("key.pem"));
    openssl.arg("-CAfile").arg(files.path("root.pem")).arg("-verify_return_error");
    openssl.args(["-alpn", "selvedge/1", "-quiet", "-tls1_3"]);
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    openssl
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill(); // It may have ended by itself.
        let _ = self.0.wait();
    }
}

#[test]
fn openssl_calls_a_member_and_is_called_by_its_replica() {
    let pair = Pair::start();
    let files = Files::new("client", &pair.authority.issue("web", "openssl-1"), &pair.authority);

    let mut client = openssl("s_client", &files);
    client.args(["-servername", SERVER_NAME, "-connect", &pair.sidecar.address.to_string()]);
    // The one DNS name of our certificate is that of the replica.
    client.args(["-verify_hostname", "cart-1.shop.bank.example"]);
    let mut client =
        Running(client.spawn().expect("`openssl` starts; `cargo xtask setup tests` installs it"));
    let request = b"GET /api/v1/users/1 HTTP/1.1\r\nhost: svc7.example.com\r\nconnection: close\r\n\r\n";
    let mut stdin = client.0.stdin.take().expect("a pipe");
    stdin.write_all(request).expect("openssl reads");
    let mut answer = String::new();
    client.0.stdout.take().expect("a pipe").read_to_string(&mut answer).expect("openssl answers");

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = pair.sidecar.await_line("openssl-1");
    assert!(line.contains("\"source_workload\":\"shop/openssl-1\""), "{line}");
}

#[test]
fn a_member_calls_openssl_that_verifies_it() {
    let authority = Authority::new();
    let files = Files::new("server", &authority.issue("cart", "openssl-1"), &authority);
    let address: SocketAddr = free_address();
    let mut server = openssl("s_server", &files);
    server.args(["-accept", &address.to_string(), "-Verify", "3", "-naccept", "100"]);
    let mut server =
        Running(server.spawn().expect("`openssl` starts; `cargo xtask setup tests` installs it"));
    until("openssl listens", || std::net::TcpStream::connect(address).is_ok());
    let listen = free_address();
    let member = authority.member("web", "web-1");
    let gateway = Side::start(listen, member, outbound(listen, address, UpstreamProtocol::Http1));

    // What is typed is what it answers, whoever asks.
    let mut stdin = server.0.stdin.take().expect("a pipe");
    let mut stdout = server.0.stdout.take().expect("a pipe");
    let answering = std::thread::spawn(move || {
        let (mut asked, mut byte) = (Vec::new(), [0]);
        while !asked.ends_with(b"\r\n\r\n") {
            stdout.read_exact(&mut byte).expect("a request");
            asked.push(byte[0]);
        }
        stdin.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").expect("openssl reads");
        (stdin, stdout)
    });

    let answer = Client::of(listen).get();
    drop(answering.join().expect("openssl was asked"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    drop(gateway);
}
