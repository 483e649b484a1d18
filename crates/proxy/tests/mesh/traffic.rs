//! Who called whom, in the metrics of both ends.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::issuer::id;
use crate::pair::{Client, Pair, until};

#[test]
fn both_ends_count_who_called_whom_and_what_for() {
    let pair = Pair::start();
    let mut client = Client::of(pair.gateway.address);

    for _ in 0..7 {
        assert_eq!(client.get().status, 200);
    }

    let who = format!("source=\"{}\",destination=\"{}\",service=\"shop/cart:8080\"", id("web"), id("cart"));
    for (side, proxy) in [("source", &pair.gateway), ("destination", &pair.sidecar)] {
        let labels = format!("side=\"{side}\",{who}");
        let counted = format!("{labels},status=\"2xx\"");
        until(&format!("the {side} counts"), || proxy.count("selvedge_mesh_requests_total", &counted) == 7);
        assert_eq!(proxy.count("selvedge_mesh_request_duration_seconds_count", &labels), 7);
        assert!(proxy.count("selvedge_mesh_request_bytes_total", &labels) > 7 * 40);
        assert!(proxy.count("selvedge_mesh_response_bytes_total", &labels) > 7 * 40);
        accepts(&proxy.metrics());
    }
}

/// promtool has nothing to remark.
fn accepts(page: &str) {
    let body = page.split_once("\r\n\r\n").map_or(page, |(_, body)| body);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed; `cargo xtask setup tests`");
    promtool.stdin.take().expect("stdin is piped").write_all(body.as_bytes()).expect("promtool reads");
    let said = promtool.wait_with_output().expect("promtool ends");
    let remarks = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && remarks.is_empty(), "{remarks}\n{body}");
}
