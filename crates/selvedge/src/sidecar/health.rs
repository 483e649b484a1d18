//! Whether the application can serve: asked by its own sidecar, told to everybody else.
//!
//! The sidecar is the one place from which asking is cheap and close, so nobody else asks over the network. One success
//! makes ready, several failures in a row make unready: what has just begun should get requests soon, and one slow
//! answer should not take a replica out.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Time between two questions.
pub const INTERVAL: Duration = Duration::from_secs(2);
/// Time between two questions until the first success: a new replica should not wait for its turn.
pub const INTERVAL_FIRST: Duration = Duration::from_millis(200);
/// How long the application has to answer. Past it the question has failed.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Failures in a row after which it is not ready.
pub const FAILURES_MAX: u32 = 3;
/// Most bytes of an answer that are read to find its status. Past it the question has failed.
const STATUS_LINE_BYTES_MAX: usize = 256;

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
    /// A connection that must be accepted.
    Tcp(SocketAddr),
    /// Not at all: it is ready as long as it runs.
    Off,
}

impl Check {
    /// Reads `off`, `tcp`, `tcp://ADDRESS:PORT`, `/PATH` or `http://ADDRESS:PORT/PATH`. What names no address means
    /// `first`, the application's first port.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn read(text: &str, first: Option<SocketAddr>) -> Result<Check, String> {
        let first = || first.ok_or_else(|| format!("`{text}` means the first --port, and there is none"));
        let address = |text: &str| {
            text.parse().map_err(|_| format!("`{text}` is no ADDRESS:PORT, such as 127.0.0.1:8080"))
        };
        match text {
            "off" => Ok(Check::Off),
            "tcp" => Ok(Check::Tcp(first()?)),
            path if path.starts_with('/') => Check::http(first()?, path),
            other => match (other.strip_prefix("tcp://"), other.strip_prefix("http://")) {
                (Some(place), _) => Ok(Check::Tcp(address(place)?)),
                (_, Some(rest)) => {
                    let (place, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
                    let place = if place.is_empty() { first()? } else { address(place)? };
                    Check::http(place, path)
                }
                (None, None) => Err(format!(
                    "`{text}` is no check; write http://ADDRESS:PORT/PATH, /PATH, tcp, tcp://ADDRESS:PORT or off"
                )),
            },
        }
    }

    fn http(address: SocketAddr, path: &str) -> Result<Check, String> {
        match path.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Check::Http { address, path: path.to_owned() }),
            false => Err(format!("the path `{path}` has a letter that must be %-encoded")),
        }
    }

    /// Asks once.
    async fn ask(&self) -> Result<(), String> {
        let asked = async {
            match self {
                Check::Off => Ok(()),
                Check::Tcp(address) => TcpStream::connect(address).await.map(drop).map_err(|e| e.to_string()),
                Check::Http { address, path } => get(*address, path).await,
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
            Check::Tcp(address) => write!(f, "tcp://{address}"),
            Check::Off => f.write_str("off"),
        }
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

/// What is known of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Ready,
    /// It does not (yet), and why.
    Unready(String),
}

impl Health {
    /// What is known before anything was asked.
    #[must_use]
    pub fn before(check: &Check) -> Health {
        match check {
            Check::Off => Health::Ready,
            Check::Http { .. } | Check::Tcp(_) => Health::Unready("it was not asked yet".to_owned()),
        }
    }
}

/// What a row of answers means.
#[derive(Debug)]
struct Judge {
    health: Health,
    failures: u32,
}

impl Judge {
    fn new() -> Judge {
        Judge { health: Health::Unready("it was not asked yet".to_owned()), failures: 0 }
    }

    /// Takes an answer in; says what has changed, if anything.
    fn take(&mut self, answer: Result<(), String>) -> Option<Health> {
        let next = match answer {
            Ok(()) => {
                self.failures = 0;
                Health::Ready
            }
            Err(why) => {
                self.failures += 1;
                if self.health == Health::Ready && self.failures < FAILURES_MAX {
                    return None;
                }
                Health::Unready(why)
            }
        };
        let changed = self.health != next;
        self.health = next;
        changed.then(|| self.health.clone())
    }
}

/// Asks for as long as somebody wants to know.
pub async fn watch(check: Check, told: watch::Sender<Health>) {
    let mut judge = Judge::new();
    let mut was_ready = false;
    loop {
        if let Some(changed) = judge.take(check.ask().await) {
            was_ready |= changed == Health::Ready;
            told.send_replace(changed);
        }
        tokio::select! {
            () = sleep(if was_ready { INTERVAL } else { INTERVAL_FIRST }) => {}
            () = told.closed() => return,
        }
    }
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
        for wrong in ["", "http", "https://a", "http://cart:8080/", "exec:true", "tcp://", "/a b", "/a\r\nb"]
        {
            assert!(Check::read(wrong, Some(first)).is_err(), "{wrong:?} was taken");
        }
        assert!(Check::read("tcp", None).expect_err("no port").contains("--port"));
    }

    #[test]
    fn one_success_makes_ready_and_only_a_row_of_failures_makes_unready() {
        let failed = || Err("refused".to_owned());
        let mut judge = Judge::new();
        assert_eq!(judge.take(failed()), Some(Health::Unready("refused".to_owned())));
        assert_eq!(judge.take(Ok(())), Some(Health::Ready));
        for _ in 1..FAILURES_MAX {
            assert_eq!(judge.take(failed()), None);
        }
        assert_eq!(judge.take(Ok(())), None, "it was ready all the time");
        for _ in 1..FAILURES_MAX {
            assert_eq!(judge.take(failed()), None);
        }
        assert_eq!(judge.take(failed()), Some(Health::Unready("refused".to_owned())));
    }

    #[test]
    fn the_status_is_that_of_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        for none in [&b"SSH-2.0"[..], b"HTTP/1.1", b"HTTP/2 200\r\n", b""] {
            assert_eq!(status(none), None);
        }
    }
}
