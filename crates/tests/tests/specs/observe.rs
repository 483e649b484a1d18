//! What an operator sees: one log line a request, metrics that real tools accept, a dump without secrets.

use crate::stage::{HOST, Stage, get_with};
use serde_json::{Value, json};
use tests::certificates::Authority;
use tests::client::{exchange, fetch_with, get};
use tests::scene::Scene;
use tests::script::Step;
use tests::tools;
use tests::upstream::Upstream;

#[tokio::test]
async fn every_request_is_logged_once_however_it_ends() {
    let stage = Stage::attacked_by(|request| match request.target.as_str() {
        "/attack/cut" => {
            vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_vec()), Step::Reset]
        }
        _ => vec![Step::ReadBody, Step::Reset],
    })
    .await;
    let entry = stage.gateway.entry;
    let whole = exchange(entry, get(HOST, "/fine?q=1", "User-Agent: spec\r\n")).await.expect("an answer");
    let on_the_wire = whole.head.len() + 4 + whole.body.len();
    let _ = exchange(
        entry,
        format!("POST /attack/reset HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\n\r\nhi"),
    )
    .await;
    let _ = exchange(entry, get(HOST, "/attack/cut", "")).await;
    let _ = exchange(entry, get_with("Content-Length: x\r\n")).await;
    let _ = exchange(entry, get(HOST, "/a/%2e%2e/b", "")).await;
    let _ = tests::h2_client::H2Client::connect(entry).await.get(HOST, "/two").await;
    let _ = exchange(entry, get(HOST, "/last", "")).await;

    // Workers and versions of HTTP write their lines when they come to it.
    for path in ["/fine", "/attack/reset", "/attack/cut", "/two", "/last"] {
        stage.gateway.logged(path, |line| line["path"] == path).await;
    }
    for code in ["bad_framing", "ambiguous_path"] {
        stage.gateway.logged(code, |line| line["failure"] == code).await;
    }
    let log = stage.gateway.access_log();
    let of = |path: &str| log.iter().filter(|line| line["path"] == path).collect::<Vec<_>>();
    for path in ["/fine", "/attack/reset", "/attack/cut", "/two", "/last"] {
        assert_eq!(of(path).len(), 1, "{path}: {log:#?}");
    }
    let fine = of("/fine")[0];
    assert_eq!(
        (&fine["status"], &fine["method"], &fine["host"], &fine["query"]),
        (&json!(200), &json!("GET"), &json!(HOST), &json!("q=1"))
    );
    assert_eq!(fine["upstream"], json!(stage.upstream.address.to_string()));
    assert_eq!(fine["route"], "default/all");
    assert_eq!(fine["user_agent"], "spec");
    assert_eq!(fine["response_bytes"], on_the_wire, "head and body");
    assert!(fine["failure"].is_null() && fine["time"].is_string() && fine["duration_us"].is_u64(), "{fine}");
    assert_eq!(of("/attack/reset")[0]["failure"], "upstream_reset");
    assert_eq!(of("/attack/cut")[0]["failure"], "upstream_truncated");
    assert_eq!(of("/two")[0]["protocol"], "HTTP/2");
    for code in ["bad_framing", "ambiguous_path"] {
        assert_eq!(log.iter().filter(|line| line["failure"] == code).count(), 1, "{code}: {log:#?}");
    }
    assert_eq!(log.len(), 7, "{log:#?}");
}

#[tokio::test]
async fn nothing_a_client_writes_can_forge_a_log_line() {
    let stage = Stage::new().await;
    let nasty = "User-Agent: \u{1b}[31m\"},{\"status\":200}\t<script>\r\n";

    let answer = fetch_with(stage.gateway.entry, HOST, "/%0a%22nasty", nasty).await;
    fetch_with(stage.gateway.entry, HOST, "/q?a=%0a\"b\"", "User-Agent: \"quoted\\\"\r\n").await;
    stage.gateway.logged("the second request", |line| line["path"] == "/q").await;

    assert!(answer.status == 400 || answer.status == 200);
    for line in stage.gateway.process().stdout.all() {
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line:?}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}

#[tokio::test]
async fn the_access_log_can_be_turned_off() {
    let stage = Stage::with_parameters(json!({ "accessLog": false })).await;

    stage.get("/unlogged", "").await;
    let mut gateway = stage.gateway;
    gateway.terminate();
    assert!(gateway.ended().await);

    assert_eq!(gateway.access_log(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_request_id_is_made_once_and_said_everywhere() {
    let stage = Stage::new().await;

    stage.get("/one", "").await;
    stage.get("/two", "X-Request-Id: mine-1\r\n").await;
    let refused = stage.get("/a%00", "").await;

    let ids: Vec<String> = stage
        .upstream
        .requests()
        .iter()
        .map(|one| one.header("x-request-id").expect("an id").to_owned())
        .collect();
    assert!(ids[0].len() >= 16 && ids[0] != ids[1], "{ids:?}");
    let logged = stage.gateway.logged("the first request", |line| line["path"] == "/one").await;
    assert_eq!(logged["id"], json!(ids[0]));
    let problem: Value = serde_json::from_slice(&refused.body).expect("a problem document");
    let id = problem["requestId"].clone();
    stage.gateway.logged("the refused request by its id", |line| line["id"] == id).await;
}

#[tokio::test]
async fn trace_context_is_carried_on() {
    let stage = Stage::new().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    stage.get("/traced", &format!("traceparent: {trace}\r\ntracestate: a=1,b=2\r\n")).await;
    let traced = stage.upstream.last();

    let carried = traced.header("traceparent").expect("a traceparent");
    assert!(
        carried.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && carried.ends_with("-01"),
        "{carried}"
    );
    assert_eq!(traced.header("tracestate"), Some("a=1,b=2"));
}

#[tokio::test]
async fn metrics_pass_promtool_and_count_what_happened() {
    let stage = Stage::new().await;
    for _ in 0..7 {
        stage.get("/counted", "").await;
    }
    stage.get("/%00", "").await;
    exchange(stage.gateway.entry, get_with("Content-Length: x\r\n")).await.expect("an answer");

    let page = stage.gateway.admin("/metrics").await;
    let promtool = tools::program("promtool");
    let checked = tools::run_with_input(&promtool, &["check", "metrics"], &page.body).await;

    assert!(checked.success, "{}{}", checked.stdout, checked.stderr);
    assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("", ""), "promtool has remarks");
    let text = page.text();
    let count = |labels: &[&str]| -> f64 {
        let lines = text.lines().filter(|line| line.contains("requests_total") && !line.starts_with('#'));
        let wanted = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
        wanted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    assert_eq!(count(&["default/all", "2"]), 7.0, "{text}");
    for code in ["ambiguous_path", "bad_framing"] {
        let line = text.lines().find(|line| line.contains(&format!("\"{code}\"")) && line.ends_with(" 1"));
        assert!(line.is_some(), "{code} is not counted once:\n{text}");
    }
}

#[tokio::test]
async fn what_clients_choose_never_becomes_a_label() {
    let stage = Stage::new().await;
    let size = |text: &str| text.lines().count();
    let mut before = 0;

    for number in 0..300 {
        if number == 10 {
            before = size(&stage.gateway.admin("/metrics").await.text());
        }
        let bytes = format!(
            "M{number} /{number} HTTP/1.1\r\nHost: h{number}.example\r\nUser-Agent: u{number}\r\n\r\n"
        );
        let _ = exchange(stage.gateway.entry, bytes).await;
    }

    let after = stage.gateway.admin("/metrics").await.text();
    assert!(before > 0 && size(&after) < before + 5, "from {before} to {} lines", size(&after));
    assert!(!after.contains("h299.example") && !after.contains("M299"));
}

#[tokio::test]
async fn the_config_dump_shows_routes_and_no_secret() {
    let authority = Authority::new();
    let pair = authority.pair(&["a.example"]);
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.https("a.example", "cert");
    scene.secret("cert", &pair);
    scene.service("shop", &[upstream.address]);
    scene.route(
        "all",
        json!({ "hostnames": ["a.example"], "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }),
    );
    let gateway = scene.start().await;

    let dump = gateway.admin("/config").await;

    assert_eq!(dump.status, 200);
    let parsed: Value = serde_json::from_slice(&dump.body).expect("JSON");
    let text = parsed.to_string();
    for known in ["default/all", "a.example", "default/cert", &upstream.address.to_string()] {
        assert!(text.contains(known), "`{known}` is not shown:\n{parsed:#}");
    }
    let key_lines = pair.key_pem.lines().filter(|line| !line.starts_with("-----"));
    for secret in key_lines.chain(["PRIVATE KEY"]) {
        assert!(!dump.text().contains(secret), "a piece of the key is shown");
    }
}

#[tokio::test]
async fn admin_pages_are_not_reached_through_a_listener() {
    let stage = Stage::new().await;
    let admin = stage.gateway.admin.to_string();
    for (host, target) in [(admin.as_str(), "/metrics"), ("localhost", "/config"), (HOST, "/ready")] {
        let answer = exchange(stage.gateway.entry, get(host, target, "")).await.expect("an answer");
        assert_eq!(answer.text(), format!("GET {target}"), "the upstream answers, not the admin pages");
    }
    let absolute = format!("GET http://{admin}/config HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    let answer = exchange(stage.gateway.entry, absolute).await.expect("an answer");
    assert!(!answer.text().contains("epoch"));
}
