//! How the application is asked, as the command line says it, and one question.
//!
//! Whoever writes an application has decided already how it tells its health: a page, gRPC's own service, an open port,
//! or a program that looks (`pg_isready`). All of them are taken, so that nothing has to be built for the mesh.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::ANSWER_WITHIN;

/// Most bytes of an answer that are read to find its status. Past it the question has failed.
const STATUS_LINE_BYTES_MAX: usize = 256;
/// What can be written.
const FORMS: &str = "/PATH, http://ADDRESS:PORT/PATH, grpc, grpc://ADDRESS:PORT/SERVICE, tcp, tcp://ADDRESS:PORT, \
                     exec:PROGRAM ARGUMENT… or off";

/// How it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// A GET that must be answered with 2xx or 3xx.
    Http {
        /// Where.
        address: SocketAddr,
        /// The path, with its query.
        path: String,
    },
    /// gRPC's `grpc.health.v1.Health/Check`, in cleartext, that must be answered with `SERVING`.
    Grpc {
        /// Where.
        address: SocketAddr,
        /// The service that is asked about; all of the server when empty.
        service: String,
    },
    /// A connection that must be accepted.
    Tcp(SocketAddr),
    /// A program that must end with 0. It is started anew for each question, without a shell.
    Exec {
        /// Which one.
        program: String,
        /// What it is told.
        arguments: Vec<String>,
    },
    /// Not at all: it is ready as long as it runs.
    Off,
}

impl Check {
    /// Reads `off`, `tcp`, `tcp://ADDRESS:PORT`, `/PATH`, `http://ADDRESS:PORT/PATH`, `grpc`,
    /// `grpc://ADDRESS:PORT/SERVICE` or `exec:PROGRAM ARGUMENT…`. What names no address means `first`, the
    /// application's first port.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn read(text: &str, first: Option<SocketAddr>) -> Result<Check, String> {
        let first = || first.ok_or_else(|| format!("`{text}` means the first --port, and there is none"));
        let place = |rest: &str| match rest {
            "" => first(),
            rest => rest.parse().map_err(|_| format!("`{rest}` is no ADDRESS:PORT, such as 127.0.0.1:8080")),
        };
        let halves =
            |rest: &'_ str| rest.find('/').map_or((rest.len(), rest.len()), |slash| (slash, slash + 1));
        if let Some(line) = text.strip_prefix("exec:") {
            return Check::exec(line);
        }
        match text {
            "off" => return Ok(Check::Off),
            "tcp" => return Ok(Check::Tcp(first()?)),
            "grpc" => return Ok(Check::Grpc { address: first()?, service: String::new() }),
            path if path.starts_with('/') => return Check::http(first()?, path),
            _ => {}
        }
        match text.split_once("://") {
            Some(("tcp", rest)) if !rest.is_empty() => Ok(Check::Tcp(place(rest)?)),
            Some(("http", rest)) => {
                let (host, _) = halves(rest);
                let path = if rest[host..].is_empty() { "/" } else { &rest[host..] };
                Check::http(place(&rest[..host])?, path)
            }
            Some(("grpc", rest)) => {
                let (host, service) = halves(rest);
                Check::grpc(place(&rest[..host])?, &rest[service..])
            }
            _ => Err(format!("`{text}` is no check; write {FORMS}")),
        }
    }

    fn http(address: SocketAddr, path: &str) -> Result<Check, String> {
        match path.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Check::Http { address, path: path.to_owned() }),
            false => Err(format!("the path `{path}` has a letter that must be %-encoded")),
        }
    }

    fn grpc(address: SocketAddr, service: &str) -> Result<Check, String> {
        match service.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
            true => Ok(Check::Grpc { address, service: service.to_owned() }),
            false => Err(format!("`{service}` is no service of gRPC, such as shop.Cart")),
        }
    }

    fn exec(line: &str) -> Result<Check, String> {
        let mut words = line.split_ascii_whitespace().map(str::to_owned);
        let program = words.next().ok_or("`exec:` names no program, such as exec:pg_isready -q")?;
        Ok(Check::Exec { program, arguments: words.collect() })
    }

    /// Asks once.
    pub(super) async fn ask(&self) -> Result<(), String> {
        let asked = async {
            match self {
                Check::Off => Ok(()),
                Check::Tcp(address) => TcpStream::connect(address).await.map(drop).map_err(|e| e.to_string()),
                Check::Http { address, path } => get(*address, path).await,
                Check::Grpc { address, service } => {
                    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
                    proxy::ask_health_of_grpc(stream, &address.to_string(), false, service).await
                }
                Check::Exec { program, arguments } => run(program, arguments).await,
            }
        };
        let late = |_| format!("no answer within {} s", ANSWER_WITHIN.as_secs());
        timeout(ANSWER_WITHIN, asked).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Check::Http { address, path } => write!(f, "http://{address}{path}"),
            Check::Grpc { address, service } => write!(f, "grpc://{address}/{service}"),
            Check::Tcp(address) => write!(f, "tcp://{address}"),
            Check::Exec { program, arguments } => {
                write!(f, "exec:{program}")?;
                arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
            }
            Check::Off => f.write_str("off"),
        }
    }
}

/// Runs a program to its end. One that is not waited for any more is killed.
async fn run(program: &str, arguments: &[String]) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = command.kill_on_drop(true).status().await;
    match ended.map_err(|error| format!("`{program}` cannot be run: {error}"))?.code() {
        Some(0) => Ok(()),
        Some(code) => Err(format!("`{program}` ended with {code}")),
        None => Err(format!("`{program}` was ended by a signal")),
    }
}

async fn get(address: SocketAddr, path: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: selvedge-health\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < STATUS_LINE_BYTES_MAX {
        if stream.read_buf(&mut answer).await.map_err(failed)? == 0 {
            break;
        }
    }
    match status(&answer) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(format!("it answered {status}")),
        None => Err("its answer is no HTTP".to_owned()),
    }
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_read_from_the_words_of_the_command_line() {
        let first: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
        let read = |text| Check::read(text, Some(first)).expect(text).to_string();
        assert_eq!(read("off"), "off");
        assert_eq!(read("tcp"), "tcp://127.0.0.1:8080");
        assert_eq!(read("tcp://127.0.0.1:5432"), "tcp://127.0.0.1:5432");
        assert_eq!(read("/healthz?full=1"), "http://127.0.0.1:8080/healthz?full=1");
        assert_eq!(read("http:///live"), "http://127.0.0.1:8080/live");
        assert_eq!(read("http://127.0.0.1:81"), "http://127.0.0.1:81/");
        assert_eq!(read("grpc"), "grpc://127.0.0.1:8080/");
        assert_eq!(read("grpc:///shop.Cart"), "grpc://127.0.0.1:8080/shop.Cart");
        assert_eq!(read("grpc://127.0.0.1:50051/shop.Cart"), "grpc://127.0.0.1:50051/shop.Cart");
        assert_eq!(read("grpc://127.0.0.1:50051"), "grpc://127.0.0.1:50051/");
        assert_eq!(read("exec:pg_isready  -q -p 5432"), "exec:pg_isready -q -p 5432");
        let wrong =
            ["", "http", "https://a", "http://cart:8080/", "tcp://", "/a b", "/a\r\nb", "exec:", "exec: "];
        for wrong in
            wrong.into_iter().chain(["exec", "grpc://cart:1/a", "grpc:///a/b", "grpc:///a b", "grpcs://"])
        {
            assert!(Check::read(wrong, Some(first)).is_err(), "{wrong:?} was taken");
        }
        assert!(Check::read("tcp", None).expect_err("no port").contains("--port"));
    }

    #[test]
    fn the_status_is_that_of_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        for none in [&b"SSH-2.0"[..], b"HTTP/1.1", b"HTTP/2 200\r\n", b""] {
            assert_eq!(status(none), None);
        }
    }

    #[tokio::test]
    async fn a_program_says_by_its_end_whether_the_application_can_serve() {
        let ask = async |line: &str| Check::exec(line).expect("a program").ask().await;

        assert_eq!(ask("true").await, Ok(()));
        assert_eq!(ask("false").await, Err("`false` ended with 1".to_owned()));
        let missing = ask("/nonexistent/check").await.expect_err("it is not there");
        assert!(missing.starts_with("`/nonexistent/check` cannot be run: No such file"), "{missing}");
        assert_eq!(ask("sleep 600").await, Err("no answer within 1 s".to_owned()));
    }
}
