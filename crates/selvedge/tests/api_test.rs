//! `selvedge api test` against services that keep to their description, and against those that do not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;

use apis::mock::{self, Answer};
use apis::{Description, Document};

const PETS: &str = include_str!("cases/pets-1.yaml");

/// A service that answers as its mock would, after `change` has been at the answer. It lives as long as the process.
fn service(change: fn(&str, &mut Answer)) -> SocketAddr {
    let description = Description::read(&[Document::new("pets-1.yaml", PETS)]).expect("readable");
    let description = Arc::new(description);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _gone = serve(stream, &description, change);
        }
    });
    address
}

fn serve(stream: TcpStream, description: &Description, change: fn(&str, &mut Answer)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let target = target.strip_prefix("/v1").unwrap_or(&target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let sent = apis::Request { path, query, headers: &headers, body: &body };
    let mut answer = match mock::route(description, &method, path) {
        Ok(operation) => mock::answer(operation, &mock::Request { sent, seed: 1 }),
        Err(answer) => answer,
    };
    change(query, &mut answer);
    let mut head = format!(
        "HTTP/1.1 {} -\r\ncontent-length: {}\r\nconnection: close\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    (&stream).write_all(format!("{head}\r\n").as_bytes())?;
    (&stream).write_all(&answer.body)
}

fn test(address: SocketAddr, more: &[&str]) -> Output {
    let url = format!("http://{address}/v1");
    Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .args(["api", "test", "tests/cases/pets-1.yaml", "--url", &url])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_service_that_keeps_to_its_description_passes() {
    let output = test(service(|_, _| {}), &[]);

    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(
        text(&output.stderr).contains(" requests, 0 answers break the description"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn an_answer_that_breaks_its_schema_is_told_with_its_place() {
    let output = test(
        service(|_, answer| {
            if answer.status == 200 {
                answer.body = b"[{\"kind\": \"dog\"}]".to_vec()
            }
        }),
        &[],
    );

    assert_eq!(output.status.code(), Some(6));
    assert!(text(&output.stdout).contains("body at /0 has no `name`"), "{}", text(&output.stdout));
}

#[test]
fn a_service_that_takes_everything_is_told_what_it_should_have_refused() {
    let lenient = service(|_, answer| {
        if answer.status != 200 {
            (answer.status, answer.body) = (200, b"[]".to_vec());
            answer.headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        }
    });

    let output = test(lenient, &["-o", "junit"]);

    assert_eq!(output.status.code(), Some(6));
    let report = text(&output.stdout);
    assert!(report.contains("name=\"query parameter limit above its maximum\">"), "{report}");
    assert!(report.contains("status is 200, but the request breaks the description"), "{report}");
}

#[test]
fn a_service_is_held_to_what_an_overlay_makes_of_its_description() {
    let service = service(|_, _| {});
    assert_eq!(test(service, &[]).status.code(), Some(0));

    // The public may ask for 50 pets at most, and is given 51.
    let output = test(service, &["--overlay", "tests/cases/pets-public.yaml"]);

    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("query parameter limit above its maximum"),
        "{}",
        text(&output.stdout)
    );
}

/// A way in which a service breaks its description.
struct Break {
    name: &'static str,
    change: fn(&str, &mut Answer),
    /// What schemathesis calls it.
    theirs: Option<&'static str>,
    ours: bool,
}

/// Both find all of them, but for one: a method that is not described is nobody's operation, so we send none.
const BREAKS: [Break; 6] = [
    Break { name: "keeps to it", change: |_, _| {}, theirs: None, ours: false },
    Break {
        name: "a property is missing",
        change: |_, answer| {
            if answer.status == 200 {
                answer.body = b"[{\"kind\": \"dog\"}]".to_vec();
            }
        },
        theirs: Some("Response violates schema"),
        ours: true,
    },
    Break {
        name: "everything is taken",
        change: |query, answer| {
            if !query.is_empty() && matches!(answer.status, 400 | 422) {
                *answer = pets();
            }
        },
        theirs: Some("Schema-violating request accepted"),
        ours: true,
    },
    Break {
        name: "it fails, where only `default` is described",
        change: |query, answer| {
            if !query.is_empty() && answer.status == 200 {
                answer.status = 500;
            }
        },
        theirs: Some("Server error"),
        ours: true,
    },
    Break {
        name: "another type",
        change: |_, answer| {
            if answer.status == 200 {
                answer.headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
            }
        },
        theirs: Some("Undocumented Content-Type"),
        ours: true,
    },
    Break {
        name: "a method that is not described is taken",
        change: |_, answer| {
            if answer.status == 405 {
                *answer = pets();
            }
        },
        theirs: Some("Wrong response to undeclared method"),
        ours: false,
    },
];

fn pets() -> Answer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Answer { status: 200, headers, body: b"[]".to_vec() }
}

/// Whether schemathesis is content with a service, and what it says.
fn schemathesis(address: SocketAddr) -> (bool, String) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("../../target/venv/bin/schemathesis").canonicalize();
    let program = program.expect("schemathesis is installed by `cargo xtask setup tests`");
    // It leaves files behind where it runs.
    let folder =
        std::env::temp_dir().join(format!("selvedge-api-test-{}-{}", std::process::id(), address.port()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let output = Command::new(program)
        .arg("run")
        .arg(root.join("tests/cases/pets-1.yaml"))
        .args([
            "--url",
            &format!("http://{address}/v1"),
            "--phases",
            "coverage,fuzzing",
            "--max-examples",
            "10",
        ])
        .args(["--seed", "1", "--no-shrink", "--generation-database", "none", "--workers", "1"])
        .args(["--request-timeout", "60", "--warnings", "off", "--no-color"])
        .current_dir(&folder)
        .output()
        .expect("schemathesis runs");
    std::fs::remove_dir_all(folder).expect("removed");
    (output.status.success(), text(&output.stdout))
}

#[test]
fn what_schemathesis_finds_we_find_but_for_what_is_no_operation() {
    std::thread::scope(|scope| {
        for Break { name, change, theirs, ours } in BREAKS {
            scope.spawn(move || {
                let address = service(change);
                let (content, said) = schemathesis(address);
                assert_eq!(content, theirs.is_none(), "{name}: {said}");
                assert!(theirs.is_none_or(|words| said.contains(words)), "{name}: {said}");
                let output = test(address, &[]);
                assert_eq!(
                    output.status.code(),
                    Some(if ours { 6 } else { 0 }),
                    "{name}: {}",
                    text(&output.stdout)
                );
            });
        }
    });
}

#[test]
fn nobody_there_is_no_failure_of_the_api() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);

    assert_eq!(test(address, &[]).status.code(), Some(4));
}

#[test]
fn a_description_that_refers_to_a_url_has_nobody_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    for url in [format!("http://{address}/pet.yaml"), format!("//{address}/pet.yaml#/Pet")] {
        let file = folder.path().join("pets.yaml");
        let refers = PETS.replace("#/components/schemas/Pet'", &format!("{url}'"));
        assert!(refers != PETS, "it refers to something");
        std::fs::write(&file, refers).expect("the folder can be written");

        let output = Command::new(env!("CARGO_BIN_EXE_selvedge"))
            .args(["api", "lint"])
            .arg(&file)
            .env("NO_COLOR", "1")
            .output()
            .expect("the binary runs");

        assert!(!output.status.success(), "{url}");
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(told.contains(&url), "{told}");
    }
    assert!(listener.accept().is_err(), "somebody has connected");
}
