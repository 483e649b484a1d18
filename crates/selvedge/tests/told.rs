//! What a control plane tells about itself, as people see it: against a server that tells what a test wants, over
//! plain HTTP on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use serde_json::{Value, json};

/// An answer for a method and a path without its query; `None` for "an empty list".
type Answers = fn(&str, &str) -> Option<Value>;

/// Answers until the test ends; what it is asked for and does not know is an empty list.
fn serve(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || converse(stream, answers));
        }
    });
    address
}

/// One connection, request by request.
fn converse(stream: TcpStream, answers: Answers) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let (mut length, mut field) = (0, String::new());
        while reader.read_line(&mut field).ok().filter(|read| *read > 2).is_some() {
            if let Some(value) = field.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            field.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let path = target.split('?').next()?;
        let answer = answers(method, path).unwrap_or_else(
            || json!({ "kind": "List", "items": [], "metadata": { "resourceVersion": "4" } }),
        );
        let status = answer["code"].as_u64().unwrap_or(200);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}

/// Runs a command against a server; answers with code, stdout and stderr.
fn run(answers: Answers, arguments: &[&str]) -> (i32, String, String) {
    let root = tempfile::tempdir().expect("a directory");
    let kubeconfig = format!(
        "current-context: a\ncontexts: [{{ name: a, context: {{ cluster: a }} }}]\n\
         clusters: [{{ name: a, cluster: {{ server: 'http://{}' }} }}]\n",
        serve(answers)
    );
    std::fs::write(root.path().join("kubeconfig"), kubeconfig).expect("a file");
    std::fs::write(root.path().join("service.yaml"), SERVICE).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .args(arguments)
        .args(["--kubeconfig", "kubeconfig"])
        .current_dir(root.path())
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: { name: cart }\nspec: { ports: [{ port: 80 }] }\n";

/// The example of `docs/status-api.md` at this position.
fn documented(position: usize) -> Value {
    let page = include_str!("../../../docs/status-api.md");
    let example = page.split("```json\n").nth(position).and_then(|rest| rest.split("```").next());
    serde_json::from_str(example.expect("an example")).expect("JSON")
}

fn version(path: &str) -> Option<Value> {
    (path == "/version").then(|| json!({ "gitVersion": "v0.1.0" }))
}

#[test]
fn status_tells_of_every_proxy_and_ends_with_its_own_code_when_something_is_wrong() {
    let answers: Answers = |_, path| match path {
        "/apis/status.selvedge.dev/v1alpha1/proxies" => Some(documented(1)),
        _ => version(path),
    };

    let (code, stdout, stderr) = run(answers, &["status"]);

    assert_eq!(code, 6, "{stderr}");
    for part in [
        "v0.1.0  epoch 1289\nproxies        1 of 1 proxy connected\n",
        "  NAME     GATEWAYS    EPOCH   BEHIND           SEEN   STATE\n",
        "  edge-1   shop/edge   1280    9 changes (4s)   0s     1 rejection\n",
        "!!  proxy edge-1\n      rejected HTTPRoute shop/cart: its regular expression is too large\n",
        "      cannot listen on 127.0.0.1:80: Permission denied\n",
    ] {
        assert!(stdout.contains(part), "{part}\n--- is not in\n{stdout}");
    }
    let (_, stdout, _) = run(answers, &["status", "-o", "json"]);
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((&report["well"], &report["epoch"]), (&json!(false), &json!(1289)));
}

#[test]
fn status_of_a_server_that_knows_no_proxies_tells_of_objects_alone() {
    let answers: Answers = |method, path| match path {
        "/apis/status.selvedge.dev/v1alpha1/proxies" => {
            Some(json!({ "kind": "Status", "code": 404, "reason": "NotFound", "message": "no" }))
        }
        _ => version(path).or_else(|| applied(method)),
    };

    let (code, stdout, _) = run(answers, &["status"]);

    assert_eq!(code, 0);
    assert!(stdout.contains("proxies        not told of by this server\n\nok  every object"), "{stdout}");

    let (code, _, stderr) = run(answers, &["apply", "-f", "service.yaml", "--wait"]);
    assert_eq!(code, 4);
    assert!(stderr.contains("error: this control plane does not tell about its proxies\nhint: "), "{stderr}");
}

#[test]
fn top_shows_one_table_for_scripts() {
    let answers: Answers =
        |_, path| (path == "/apis/status.selvedge.dev/v1alpha1/routes").then(|| documented(2));

    let (code, stdout, _) = run(answers, &["top", "--once"]);

    assert_eq!(code, 0);
    assert!(stdout.contains("\nHTTPRoute shop/checkout   120.5 "), "{stdout}");
}

/// A control plane with two proxies that have applied everything up to this epoch.
fn proxies(epochs: [u64; 2]) -> Value {
    let proxy = |(name, epoch): (&str, u64)| json!({ "metadata": { "name": name }, "status": { "connected": true, "appliedEpoch": epoch } });
    let items: Vec<Value> = ["a", "b"].into_iter().zip(epochs).map(proxy).collect();
    json!({ "items": items, "metadata": { "resourceVersion": "5" } })
}

fn applied(method: &str) -> Option<Value> {
    (method == "PATCH").then(|| {
        json!({ "kind": "Service", "metadata": { "name": "cart", "namespace": "default", "resourceVersion": "5" } })
    })
}

#[test]
fn apply_waits_until_every_proxy_runs_on_it() {
    let answers: Answers = |method, path| match path {
        "/apis/status.selvedge.dev/v1alpha1/proxies" => Some(proxies([5, 7])),
        _ => applied(method),
    };

    let (code, stdout, stderr) = run(answers, &["apply", "-f", "service.yaml", "--wait"]);

    assert_eq!((code, stdout.as_str()), (0, "Service default/cart created\n"), "{stderr}");
    assert!(stderr.ends_with("programmed on 2 of 2 proxies\n"), "{stderr}");
}

#[test]
fn apply_that_waits_in_vain_names_who_is_late() {
    let answers: Answers = |method, path| match path {
        "/apis/status.selvedge.dev/v1alpha1/proxies" => Some(proxies([5, 4])),
        _ => applied(method),
    };

    let (code, _, stderr) = run(answers, &["apply", "-f", "service.yaml", "--wait", "--timeout", "1"]);

    assert_eq!(code, 6);
    assert!(stderr.contains("error: programmed on 1 of 2 proxies after 1 second\n"), "{stderr}");
    assert!(stderr.contains("not there yet: b"), "{stderr}");
}

#[test]
fn what_the_control_plane_refuses_is_told_with_file_and_line_before_anything_is_applied() {
    let answers: Answers = |method, path| {
        (method == "PATCH" && path.starts_with("/api/v1")).then(|| {
            json!({ "kind": "Status", "code": 422, "reason": "Invalid", "message": "no", "details": { "causes": [
                { "reason": "FieldValueInvalid", "field": "spec.ports[0].port", "message": "is taken" },
                { "reason": "FieldValueInvalid", "field": "metadata.name", "message": "is odd" },
            ]}})
        })
    };

    let (code, stdout, stderr) = run(answers, &["apply", "-f", "service.yaml"]);

    assert_eq!((code, stdout.as_str()), (1, ""));
    for part in [
        "error: 2 problems in service.yaml; nothing was applied\n",
        "service.yaml:4  Service default/cart  spec.ports[0].port\n    is taken\n",
        "service.yaml:3  Service default/cart  metadata.name\n    is odd\n",
    ] {
        assert!(stderr.contains(part), "{part}\n--- is not in\n{stderr}");
    }
}
