//! A PostgreSQL server for tests: Debian's, in a folder and on a port of its own, as a user who is not root.
//!
//! A shell holds it and waits for a line on its input: the way in which to stop. When the test process is killed, that
//! input ends and the server is stopped too, so none is left behind.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

/// How many ports are tried; somebody else may take one between our look and the server's.
const PORTS_TRIED_MAX: usize = 5;

/// Makes the folder and starts the server. `$1` programs, `$2` data, `$3` port, `$4` folder of the socket. A
/// certificate that lies in that folder is used.
const START: &str = r#"
set -e
[ -d "$2/base" ] || "$1/initdb" --no-sync -A trust -U selvedge -E UTF8 --locale=C.UTF-8 -D "$2" >"$4/initdb.log" 2>&1
tls=off
if [ -e "$4/tls.key" ]; then tls=on; chmod 600 "$4/tls.key"; fi
"$1/pg_ctl" -D "$2" -w -l "$4/server.log" \
    -o "-c ssl=$tls -c ssl_cert_file=$4/tls.crt -c ssl_key_file=$4/tls.key" \
    -o "-p $3 -k $4 -c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=32MB" \
    start >"$4/start.log" 2>&1
echo ready
read -r mode || mode=immediate
exec "$1/pg_ctl" -D "$2" -w -m "$mode" stop >"$4/stop.log" 2>&1
"#;

/// How a server is stopped.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Transactions are rolled back, all is written out.
    Fast,
    /// As if it had crashed: it recovers when it starts again.
    Immediate,
}

/// A server, stopped when it is dropped.
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    holder: Mutex<Option<Child>>,
}

impl Server {
    /// The server that tests share as long as one of them runs.
    pub fn shared() -> Arc<Server> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Server::start();
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A server for a test that does things to it.
    pub fn start() -> Arc<Server> {
        Server::start_in(tempfile::Builder::new().prefix("selvedge-pg-").tempdir().unwrap())
    }

    /// A server with a certificate and its key, both PEM.
    pub fn start_with_tls(certificate: &str, key: &str) -> Arc<Server> {
        let folder = tempfile::Builder::new().prefix("selvedge-pg-").tempdir().unwrap();
        std::fs::write(folder.path().join("tls.crt"), certificate).unwrap();
        std::fs::write(folder.path().join("tls.key"), key).unwrap();
        Server::start_in(folder)
    }

    fn start_in(folder: TempDir) -> Arc<Server> {
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder.path()));
        }
        let mut server = Server { folder, programs: programs(), port: 0, holder: Mutex::new(None) };
        let mut said = String::new();
        for _ in 0..PORTS_TRIED_MAX {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            match server.try_up() {
                Ok(()) => return Arc::new(server),
                Err(logs) => said = logs,
            }
        }
        panic!("PostgreSQL does not start:\n{said}");
    }

    /// Starts it again, on the same port.
    pub fn up(&self) {
        self.try_up().unwrap_or_else(|logs| panic!("PostgreSQL does not start again:\n{logs}"));
    }

    fn try_up(&self) -> Result<(), String> {
        let folder = self.folder.path();
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", START, "sh"]).arg(&self.programs).arg(folder.join("data"));
        command.arg(self.port.to_string()).arg(folder).current_dir(folder);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said.trim() == "ready" {
            *self.holder.lock().unwrap() = Some(holder);
            return Ok(());
        }
        holder.wait().unwrap();
        let logs =
            ["initdb.log", "start.log", "server.log"].map(|name| std::fs::read_to_string(folder.join(name)));
        Err(logs.into_iter().flatten().collect())
    }

    /// Stops it.
    pub fn down(&self, how: Stop) {
        let Some(mut holder) = self.holder.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let mode = match how {
            Stop::Fast => "fast\n",
            Stop::Immediate => "immediate\n",
        };
        holder.stdin.take().unwrap().write_all(mode.as_bytes()).unwrap();
        holder.wait().unwrap();
    }

    /// Where it listens on the loopback interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database, by TCP.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://selvedge@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a database, by the socket in the server's folder.
    pub fn socket_url(&self, database: &str) -> String {
        format!(
            "postgres://selvedge@localhost:{}/{database}?host={}",
            self.port,
            self.folder.path().display()
        )
    }

    /// Makes an empty database with a name that nobody had before.
    pub async fn database(&self) -> String {
        self.database_with("").await
    }

    /// Makes an empty database with settings of its own.
    pub async fn database_with(&self, settings: &str) -> String {
        static MADE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let name = format!("test_{}", MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name} {settings}");
        self.sql("postgres", &create).await;
        name
    }

    /// Runs statements in a database.
    pub async fn sql(&self, database: &str, script: &str) {
        let mut connection = self.connect(database).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(script.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Connects to a database.
    pub async fn connect(&self, database: &str) -> PgConnection {
        let options: PgConnectOptions = self.url(database).parse().unwrap();
        options.connect().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down(Stop::Immediate);
    }
}

/// The newest of Debian's versions.
fn programs() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is there: run `cargo xtask setup`");
    let newest = versions
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    newest.expect("a version of PostgreSQL: run `cargo xtask setup`").join("bin")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
