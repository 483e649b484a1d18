//! A real PostgreSQL, and its own client, which knows of no mesh.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tests::servers::{Server, postgres_program};
use tokio::runtime::Runtime;

/// A database server; it ends with the test.
pub struct Database {
    server: Server,
    /// Dropped last: the server's process is watched on it.
    _runtime: Runtime,
}

impl Database {
    pub fn start() -> Database {
        let runtime = Runtime::new().expect("threads");
        let server = runtime.block_on(Server::postgres());
        Database { server, _runtime: runtime }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }
}

/// A psql that stays connected.
pub struct Session {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Session {
    /// Connects, unless nobody lets it in.
    pub fn open(address: SocketAddr) -> Option<Session> {
        let mut child = Command::new(postgres_program("psql"))
            .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
            .args(["-U", "selvedge", "-X", "-A", "-t", "-q", "postgres"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql runs");
        let questions = child.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut session = Session { child, questions, answers };
        session.asks("select 'here'").map(|_| session)
    }

    /// The answer to a statement that has one line of it; nothing once the connection is gone.
    pub fn asks(&mut self, statement: &str) -> Option<String> {
        writeln!(self.questions, "{statement};").ok()?;
        self.questions.flush().ok()?;
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
