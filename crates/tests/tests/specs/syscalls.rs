//! What the kernel is asked for: four system calls a GET, and no copy of many bytes.

use std::process::Stdio;

use crate::stage::{HOST, Stage};
use tests::bytes_upstream::{BytesUpstream, connect, say};
use tests::client::get;
use tests::gateway::Gateway;
use tests::lines::Lines;
use tests::scene::Scene;
use tests::tools;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const REQUESTS: usize = 200;
const MESSAGES: usize = 100;
const MANY_BYTES: usize = 32 << 20;

/// Writes down the system calls of a gateway.
struct Tracer {
    child: tokio::process::Child,
    folder: tempfile::TempDir,
}

impl Tracer {
    async fn of(gateway: &Gateway) -> Tracer {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = tokio::process::Command::new(tools::program("strace"))
            .args(["-f", "-e", "trace=network,read,write,readv,writev,splice", "-o"])
            .arg(folder.path().join("trace"))
            .args(["-p", &gateway.process().id().to_string()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("strace starts");
        let told = Lines::reading(child.stderr.take().expect("stderr is piped"));
        told.find("strace to attach", |line| line.contains("attached").then_some(()))
            .await
            .expect("it attaches");
        Tracer { child, folder }
    }

    async fn calls(mut self) -> Calls {
        let id = rustix::process::Pid::from_raw(self.child.id().expect("it runs").cast_signed());
        let _ = rustix::process::kill_process(id.expect("not zero"), rustix::process::Signal::INT);
        tests::until::within("strace to detach", self.child.wait()).await.expect("in time").expect("it ends");
        Calls(std::fs::read_to_string(self.folder.path().join("trace")).expect("a trace"))
    }
}

struct Calls(String);

impl Calls {
    fn count(&self, names: &[&str]) -> usize {
        let calls = self.0.lines().filter_map(|line| line.split_whitespace().nth(1)?.split('(').next());
        calls.filter(|call| names.contains(call)).count()
    }

    fn received(&self) -> usize {
        self.count(&["recvfrom", "recvmsg", "read", "readv"])
    }

    fn sent(&self) -> usize {
        self.count(&["sendto", "sendmsg", "write", "writev"])
    }

    fn beginning(&self) -> &str {
        &self.0[..self.0.len().min(3000)]
    }
}

/// One may be caught half-way at either end; wake-ups between threads are none of a steady state's.
fn about(calls: usize, wanted: usize) -> bool {
    (wanted..=wanted + wanted / 20).contains(&calls)
}

#[tokio::test]
async fn a_get_costs_recv_send_recv_send_and_nothing_else() {
    let stage = Stage::with_parameters(serde_json::json!({ "accessLog": false })).await;
    let mut client = stage.client().await;
    for _ in 0..50 {
        client.send(get(HOST, "/warm", "")).await;
        client.answer().await;
    }
    let tracer = Tracer::of(&stage.gateway).await;

    for _ in 0..REQUESTS {
        client.send(get(HOST, "/steady", "")).await;
        client.answer().await;
    }

    let calls = tracer.calls().await;
    let (received, sent) = (calls.received(), calls.sent());
    assert!(
        about(received, 2 * REQUESTS) && about(sent, 2 * REQUESTS),
        "{received} received and {sent} sent for {REQUESTS} requests:\n{}",
        calls.beginning()
    );
}

#[tokio::test]
async fn few_bytes_cost_one_receive_and_one_send_and_many_are_spliced() {
    let upstream = BytesUpstream::new().await;
    let mut scene = Scene::new();
    scene.tcp();
    scene.service("database", &[upstream.address]);
    scene.tcp_route("all", None, &[("database", 1)]);
    let gateway = scene.start().await;
    let mut client = connect(gateway.entry).await;
    let mut server = upstream.accepted().await;
    say(&mut client, &mut server, "warm").await;

    let tracer = Tracer::of(&gateway).await;
    for _ in 0..MESSAGES {
        say(&mut client, &mut server, "a question").await;
        say(&mut server, &mut client, "an answer").await;
    }
    let few = tracer.calls().await;
    assert!(
        about(few.received(), 2 * MESSAGES) && about(few.sent(), 2 * MESSAGES) && few.count(&["splice"]) == 0,
        "{}",
        few.beginning()
    );

    let tracer = Tracer::of(&gateway).await;
    let sending = tokio::spawn(async move {
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..MANY_BYTES / piece.len() {
            server.write_all(&piece).await.expect("the connection takes bytes");
        }
    });
    let (mut left, mut buffer) = (MANY_BYTES, vec![0; 1 << 20]);
    while left > 0 {
        let read = tests::until::within("bytes", client.read(&mut buffer)).await.expect("in time");
        left -= read.expect("bytes").max(1);
    }
    sending.await.expect("all was sent");
    let many = tracer.calls().await;
    let (copied, spliced) = (many.received() + many.sent(), many.count(&["splice"]));
    println!("{} MiB: {spliced} splices, {copied} receives and sends", MANY_BYTES >> 20);
    assert!(spliced > 2 * copied, "{spliced} splices, {copied} others:\n{}", many.beginning());
}
