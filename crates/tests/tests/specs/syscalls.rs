//! Four system calls carry a GET: receive, send, receive, send.

use std::process::Stdio;

use crate::stage::{HOST, Stage};
use tests::client::get;
use tests::lines::Lines;
use tests::tools;

const REQUESTS: usize = 200;

#[tokio::test]
async fn a_get_costs_recv_send_recv_send_and_nothing_else() {
    let strace = tools::program("strace");
    let stage = Stage::with_parameters(serde_json::json!({ "accessLog": false })).await;
    let mut client = stage.client().await;
    for _ in 0..50 {
        client.send(get(HOST, "/warm", "")).await;
        client.answer().await;
    }
    let folder = tempfile_folder();
    let trace = folder.path().join("trace");
    let mut tracer = tokio::process::Command::new(strace)
        .args(["-f", "-e", "trace=network,read,write,readv,writev", "-o"])
        .arg(&trace)
        .args(["-p", &stage.gateway.process().id().to_string()])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("strace starts");
    let told = Lines::reading(tracer.stderr.take().expect("stderr is piped"));
    told.find("strace to attach", |line| line.contains("attached").then_some(())).await.expect("it attaches");

    for _ in 0..REQUESTS {
        client.send(get(HOST, "/steady", "")).await;
        client.answer().await;
    }
    let id = rustix::process::Pid::from_raw(tracer.id().expect("it runs").cast_signed()).expect("not zero");
    let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
    tests::until::within("strace to detach", tracer.wait()).await.expect("in time").expect("it ends");

    let text = std::fs::read_to_string(&trace).expect("a trace");
    let calls: Vec<&str> =
        text.lines().filter_map(|line| line.split_whitespace().nth(1)?.split('(').next()).collect();
    let count = |names: &[&str]| calls.iter().filter(|call| names.contains(call)).count();
    let received = count(&["recvfrom", "recvmsg", "read", "readv"]);
    let sent = count(&["sendto", "sendmsg", "write", "writev"]);
    // One request may be caught half-way at either end; wake-ups between threads are none of a steady state's.
    let exact = |calls: usize| (2 * REQUESTS..=2 * REQUESTS + REQUESTS / 20).contains(&calls);
    assert!(
        exact(received) && exact(sent),
        "{received} received and {sent} sent for {REQUESTS} requests:\n{}",
        &text[..text.len().min(3000)]
    );
}

fn tempfile_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}
