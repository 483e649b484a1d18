//! Promises of the mesh to programs that know nothing of it: databases and brokers, and their own clients, each through two
//! sidecars, while certificates are renewed and policies change.

mod meshes;
mod plane;
mod scene;
mod sidecars;

use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use meshes::{Member, Mesh, SHOP, Speaks};
use scene::free_address as nobody;
use sidecars::until;
use tests::servers::{Server, postgres_program};
use tests::tools::program;
use tokio::runtime::Runtime;

/// A server of somebody else's; it ends with the test.
struct Other {
    server: Server,
    /// Dropped last: the server's process is watched on it.
    _runtime: Runtime,
}

impl Other {
    fn start<F: Future<Output = Server>>(server: impl FnOnce() -> F) -> Other {
        let runtime = Runtime::new().expect("threads");
        let server = runtime.block_on(server());
        Other { server, _runtime: runtime }
    }
}

/// A client that stays connected and is asked line by line.
struct Session {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Session {
    fn open(client: &Path, arguments: &[&str]) -> Session {
        let mut child = Command::new(client)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the client runs");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Session { child, questions, answers }
    }

    /// The answer, which has one line; nothing once the client has ended.
    fn asks(&mut self, question: &str) -> Option<String> {
        let questions = self.questions.as_mut()?;
        writeln!(questions, "{question}").ok()?;
        questions.flush().ok()?;
        self.hears()
    }

    /// The same, and nothing follows: so a client ends that would otherwise wait for more, having told nobody what is
    /// wrong.
    fn asks_last(&mut self, question: &str) -> Option<String> {
        let mut questions = self.questions.take()?;
        writeln!(questions, "{question}").ok()?;
        drop(questions);
        self.hears()
    }

    /// The next line of what it says.
    fn hears(&mut self) -> Option<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        (!line.is_empty()).then(|| line.trim_end().to_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A kind of server with its client: how to open a session, and a question whose answer tells it from all others.
struct Kind {
    service: &'static str,
    client: PathBuf,
    arguments: &'static [&'static str],
    /// Between host and port, as the client wants them.
    flags: [&'static str; 2],
    who_am_i: &'static str,
}

fn kinds() -> [Kind; 3] {
    [
        Kind {
            service: "db",
            client: postgres_program("psql"),
            arguments: &["-U", "selvedge", "-X", "-A", "-t", "-q", "postgres"],
            flags: ["-h", "-p"],
            who_am_i: "select pg_backend_pid();",
        },
        Kind {
            service: "cache",
            client: program("redis-cli"),
            arguments: &[],
            flags: ["-h", "-p"],
            who_am_i: "client id",
        },
        Kind {
            service: "goods",
            client: program("mariadb"),
            arguments: &["--protocol=TCP", "-u", "selvedge", "-N", "-B", "-n"],
            flags: ["-h", "-P"],
            who_am_i: "select connection_id();",
        },
    ]
}

impl Kind {
    fn open(&self, address: SocketAddr) -> Session {
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        // MariaDB reads what keeps it from reading files only as its first argument.
        let first: &[&str] = if self.service == "goods" { &["--no-defaults"] } else { &[] };
        let place = [self.flags[0], &host, self.flags[1], &port];
        Session::open(&self.client, &[first, &place, self.arguments].concat())
    }

    /// Whether a newcomer is let in.
    fn lets_in(&self, address: SocketAddr) -> bool {
        let mut session = self.open(address);
        session.asks_last(self.who_am_i).is_some_and(|answer| answer.parse::<u64>().is_ok())
    }
}

fn run(client: &Path, arguments: &[&str]) -> String {
    let output = Command::new(client).args(arguments).stdin(Stdio::null()).output().expect("the client runs");
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {arguments:?}: {said}{wrong}", client.display());
    said.into_owned()
}

/// A policy that keeps the tool from these Services.
fn denied(live: &str) -> String {
    let targets: Vec<String> = ["db", "cache", "goods", "broker"]
        .map(|name| format!("{{ group: \"\", kind: Service, name: {name} }}"))
        .into();
    format!(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {{ namespace: shop, name: no-tool }}
spec:
  targetRefs: [{}]
  action: Deny
  live: {live}
  rules: [{{ name: tool, from: [{{ identities: [\"{SHOP}/tool\"] }}] }}]
",
        targets.join(", ")
    )
}

/// A member that has its sidecar.
fn joined(mesh: &Mesh, name: &'static str, speaks: Speaks, application: SocketAddr) -> Member {
    let mut member = mesh.member(name, speaks, application);
    member.run(&[]);
    member
}

#[test]
fn clients_as_they_are_go_on_while_roots_and_certificates_are_renewed_and_policies_change() {
    let mesh = Mesh::start();
    // Longer than the test: nothing is renewed by itself, and what was opened under it may stay.
    mesh.certificates_last("4m");
    let servers = [
        ("db", Other::start(Server::postgres)),
        ("cache", Other::start(Server::redis)),
        ("goods", Other::start(Server::mariadb)),
    ];
    let _members: Vec<Member> =
        servers.iter().map(|(name, other)| joined(&mesh, name, Speaks::Tcp, other.server.address)).collect();
    let tool = joined(&mesh, "tool", Speaks::Http, nobody());
    let mut sessions: Vec<(Kind, SocketAddr, Session, String)> = Vec::new();
    for kind in kinds() {
        let address = tool.finds(kind.service);
        until(kind.service, || kind.lets_in(address).then_some(()));
        let mut session = kind.open(address);
        let who = session.asks(kind.who_am_i).expect("an answer");
        sessions.push((kind, address, session, who));
    }
    let go_on = |sessions: &mut Vec<(Kind, SocketAddr, Session, String)>, when: &str| {
        for (kind, _, session, who) in sessions {
            assert_eq!(session.asks(kind.who_am_i).as_ref(), Some(&*who), "{} {when}", kind.service);
        }
    };

    mesh.certificates_last("20s");
    let rotated = mesh.must("mesh rotate");
    assert!(rotated.contains("has retired"), "{rotated}");
    go_on(&mut sessions, "after a rotation");
    // Everybody's certificate is replaced twice: longer than anything takes that is cut when its root goes.
    let members = ["db", "cache", "goods", "tool"];
    for _ in 0..2 {
        let before = members.map(|name| mesh.certificate_of(name));
        for (name, before) in members.iter().zip(before) {
            until(&format!("another certificate of {name}"), || {
                let now = mesh.certificate_of(name);
                (now.is_some() && now != before).then_some(())
            });
        }
        go_on(&mut sessions, "after a renewal");
    }
    mesh.apply(&denied("Keep"));
    for (kind, address, ..) in &sessions {
        until(&format!("newcomers at {} to be denied", kind.service), || {
            (!kind.lets_in(*address)).then_some(())
        });
    }
    go_on(&mut sessions, "after a policy that denies newcomers");
    mesh.apply(&denied("Enforce"));
    // redis-cli connects again by itself and says nothing of it.
    for (kind, _, session, _) in sessions.iter_mut().filter(|(kind, ..)| kind.service != "cache") {
        until(&format!("the session at {} to be cut", kind.service), || {
            session.asks(kind.who_am_i).is_none_or(|answer| answer.parse::<u64>().is_err()).then_some(())
        });
    }
}

#[test]
fn load_of_the_kind_that_servers_are_measured_with_passes_two_sidecars_whole() {
    let mesh = Mesh::start();
    let (database, cache) = (Other::start(Server::postgres), Other::start(Server::redis));
    let _db = joined(&mesh, "db", Speaks::Tcp, database.server.address);
    let _cache = joined(&mesh, "cache", Speaks::Tcp, cache.server.address);
    let tool = joined(&mesh, "tool", Speaks::Http, nobody());
    let [psql, redis, _] = kinds();
    let at = |kind: &Kind| {
        let address = tool.finds(kind.service);
        until(kind.service, || kind.lets_in(address).then_some(()));
        (address.ip().to_string(), address.port().to_string())
    };

    let (host, port) = at(&psql);
    let pgbench = postgres_program("pgbench");
    let place = ["-h", &host, "-p", &port, "-U", "selvedge", "postgres"];
    run(&pgbench, &[&["-i", "-q", "-s", "1"], &place[..]].concat());
    let told = run(&pgbench, &[&["-n", "-c", "4", "-j", "2", "-t", "50"], &place[..]].concat());
    assert!(told.contains("number of transactions actually processed: 200/200"), "{told}");

    let (host, port) = at(&redis);
    let load = ["-t", "set,get", "-n", "2000", "-c", "20", "-P", "4", "-d", "4096", "--csv"];
    let told = run(&program("redis-benchmark"), &[&["-h", &host, "-p", &port], &load[..]].concat());
    assert!(told.contains("SET") && told.contains("GET"), "{told}");
}

#[test]
fn a_subscriber_of_a_broker_hears_everything_through_two_sidecars_also_after_newcomers_are_denied() {
    let mesh = Mesh::start();
    let broker = Other::start(Server::mosquitto);
    let _broker = joined(&mesh, "broker", Speaks::Tcp, broker.server.address);
    let tool = joined(&mesh, "tool", Speaks::Http, nobody());
    let publish = |address: SocketAddr, text: &str| {
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let arguments = ["-h", &host, "-p", &port, "-t", "goods", "-q", "1", "-m", text];
        let mut client = Command::new(program("mosquitto_pub"));
        client.args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let address = tool.finds("broker");
    until("the broker", || publish(address, "early").then_some(()));
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let arguments = ["-h", &host, "-p", &port, "-t", "goods", "-q", "1"];
    let mut subscriber = Session::open(&program("mosquitto_sub"), &arguments);
    // It is told nothing of when it has subscribed; what it hears first says so.
    let (heard, first) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(|| heard.send(subscriber.hears()));
        until("the subscriber", || {
            assert!(publish(address, "tea"));
            first.try_recv().ok()
        });
    });

    mesh.apply(&denied("Keep"));
    until("newcomers to be denied", || (!publish(address, "nothing")).then_some(()));
    // Past the sidecars: the broker has it from somebody of its own machine.
    assert!(publish(broker.server.address, "coffee"));

    let mut said = subscriber.hears();
    while said.as_deref() == Some("tea") || said.as_deref() == Some("nothing") {
        said = subscriber.hears();
    }
    assert_eq!(said.as_deref(), Some("coffee"));
}
