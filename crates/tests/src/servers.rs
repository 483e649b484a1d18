//! Other people's servers: Debian's, each in a folder and on a port of its own, ended with the spec that started it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::address;
use crate::binary::workspace;
use crate::tools::{self, program};

/// A server that takes connections. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Redis, without anything on disk.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn redis() -> Server {
        let (address, folder) = (address::free(), folder());
        let mut command = Command::new(program("redis-server"));
        command.args(["--save", "", "--appendonly", "no", "--bind", &address.ip().to_string()]);
        command.args(["--port", &address.port().to_string()]).arg("--dir").arg(folder.path());
        Server::started(command, address, folder).await
    }

    /// Mosquitto, which lets everybody in.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn mosquitto() -> Server {
        let (address, folder) = (address::free(), folder());
        let file = folder.path().join("mosquitto.conf");
        let text = format!("listener {} {}\nallow_anonymous true\n", address.port(), address.ip());
        std::fs::write(&file, text).expect("the folder can be written");
        let mut command = Command::new(program("mosquitto"));
        command.arg("-c").arg(file);
        Server::started(command, address, folder).await
    }

    /// PostgreSQL with the user `selvedge`, who needs no password.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn postgres() -> Server {
        let (address, folder) = (address::free(), folder());
        let data = folder.path().join("data");
        give_away(folder.path(), "postgres").await;
        let mut initdb = as_user("postgres", &postgres_program("initdb"));
        initdb.args(["--no-sync", "-A", "trust", "-U", "selvedge", "-E", "UTF8", "--locale=C.UTF-8", "-D"]);
        done(initdb.arg(&data).current_dir(folder.path())).await;
        let mut command = as_user("postgres", &postgres_program("postgres"));
        command.arg("-D").arg(&data).args(["-p", &address.port().to_string(), "-k"]).arg(folder.path());
        command.args(["-c", &format!("listen_addresses={}", address.ip())]).current_dir(folder.path());
        command.args(["-c", "shared_buffers=16MB", "-c", "fsync=off"]);
        let server = Server::started(command, address, folder).await;
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        // It listens before it lets anybody in.
        crate::until::eventually_some("PostgreSQL to be ready", || async {
            let ready = tools::run(&postgres_program("pg_isready"), &["-h", &host, "-p", &port]).await;
            ready.success.then_some(())
        })
        .await;
        server
    }

    /// MariaDB with the user `selvedge`, who needs no password.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn mariadb() -> Server {
        let (address, folder) = (address::free(), folder());
        let data = folder.path().join("data");
        give_away(folder.path(), "mysql").await;
        let mut install = as_user("mysql", &program("mariadb-install-db"));
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        done(install.arg(format!("--datadir={}", data.display())).current_dir(folder.path())).await;
        let mut command = as_user("mysql", &program("mariadbd"));
        command.args(["--no-defaults", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]);
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--socket={}", folder.path().join("socket").display()));
        command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
        command.arg(format!("--port={}", address.port())).arg(format!("--bind-address={}", address.ip()));
        let init = folder.path().join("init.sql");
        // A statement a line, as the server wants it.
        let text = "CREATE USER selvedge@'%';\nGRANT ALL ON *.* TO selvedge@'%';\nCREATE DATABASE shop;\n";
        std::fs::write(&init, text).expect("the folder can be written");
        command.arg(format!("--init-file={}", init.display())).current_dir(folder.path());
        Server::started(command, address, folder).await
    }

    /// An issuer of opaque tokens: Authlib's introspection endpoint, with one client. What else it takes is said in its
    /// script.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn issuer() -> Server {
        let (address, folder) = (address::free(), folder());
        let mut command = Command::new(tools::python(&["authlib"]).await);
        let script = workspace().join("crates/tests/clients/introspection.py");
        command.args(["-W", "ignore"]).arg(script).arg(address.to_string());
        Server::started(command, address, folder).await
    }

    /// An external authorizer over `grpc` (grpcio with Envoy's own definitions) or `http`. It says what requests ask it
    /// to; what it was shown stands as JSON lines in the file `shown` of its folder.
    ///
    /// # Panics
    /// When it does not start, or Envoy's definitions are missing.
    pub async fn authorizer(spoken: &str) -> Server {
        let (address, folder) = (address::free(), folder());
        let definitions = workspace().join("target/clients/xds");
        assert!(
            definitions.is_dir(),
            "there is no target/clients/xds\n  hint: run `cargo xtask setup tests`"
        );
        let mut command = Command::new(tools::python(&["grpc"]).await);
        let script = workspace().join("crates/tests/clients/authorizer.py");
        command.arg(script).arg(spoken).arg(address.to_string()).arg(definitions);
        command.env("SHOWN", folder.path().join("shown"));
        Server::started(command, address, folder).await
    }

    /// Envoy with this configuration, which must have it listen at the address that it is given.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn envoy(config: impl FnOnce(SocketAddr) -> String) -> Server {
        let (address, folder) = (address::free(), folder());
        let file = folder.path().join("envoy.yaml");
        std::fs::write(&file, config(address)).expect("the folder can be written");
        let mut command = Command::new(workspace().join("target/venv/bin/envoy"));
        command.arg("-c").arg(file).args([
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warn",
        ]);
        Server::started(command, address, folder).await
    }

    async fn started(mut command: Command, address: SocketAddr, folder: TempDir) -> Server {
        let log = folder.path().join("server.log");
        let file = std::fs::File::create(&log).expect("the folder can be written");
        let errors = file.try_clone().expect("a file can be shared");
        command.stdin(Stdio::null()).stdout(file).stderr(errors).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|failure| panic!("{command:?}: {failure}"));
        let ready = async {
            // Most of a server's start is work that a busy machine takes its time for.
            while TcpStream::connect(address).await.is_err() {
                if let Ok(Some(status)) = child.try_wait() {
                    return Err(format!("it ended ({status})"));
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Ok(())
        };
        let patience = std::time::Duration::from_secs(90);
        let ready =
            crate::until::within_time(patience, "the server to listen", ready).await.and_then(|ready| ready);
        if let Err(problem) = ready {
            panic!("{command:?}: {problem}\n{}", std::fs::read_to_string(log).unwrap_or_default());
        }
        Server { address, child, folder }
    }

    /// A folder that goes away with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("selvedge-server-").tempdir().expect("a folder can be made")
}

/// A program of the newest PostgreSQL; most of them are not on the path.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn postgres_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.is_file()).max();
    found.unwrap_or_else(|| panic!("PostgreSQL's `{name}` is not installed\n  hint: run `cargo xtask setup`"))
}

/// Some servers refuse to run as root, who then has to be somebody else.
fn as_user(user: &str, program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]).arg(program);
    command
}

async fn give_away(folder: &Path, user: &str) {
    if rustix::process::geteuid().is_root() {
        done(Command::new("chown").arg("-R").arg(format!("{user}:{user}")).arg(folder)).await;
    }
}

async fn done(command: &mut Command) {
    let output = command.kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|failure| panic!("{command:?}: {failure}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
}

/// Runs a client program to its end.
///
/// # Panics
/// When it fails.
pub async fn client(program: &PathBuf, arguments: &[&str]) -> String {
    let output = tools::run(program, arguments).await;
    let shown = program.display();
    assert!(output.success, "{shown} {arguments:?}: {}{}", output.stderr, output.stdout);
    output.stdout
}
