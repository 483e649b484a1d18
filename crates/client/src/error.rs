//! What can go wrong between a user and the control plane. Every error has a hint: what to do next.

use std::fmt;
use std::io;

use crate::status::Status;

/// Why something was not done.
#[derive(Debug)]
pub enum Error {
    /// Where the control plane is, or who asks, cannot be told.
    Config(Problem),
    /// There was no conversation: nobody listens, the certificate is not the right one, time ran out.
    Connect(Problem),
    /// The control plane said no.
    Status(Box<Status>),
    /// What was answered makes no sense.
    Answer(Problem),
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Problem {
    /// A problem with what to do about it.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { message: message.into(), hint: hint.into() }
    }
}

impl Error {
    pub(crate) fn config(message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Config(Problem::new(message, hint))
    }

    pub(crate) fn answer(message: impl Into<String>) -> Error {
        Error::Answer(Problem::new(message, "is this address really the API of a control plane?"))
    }

    /// What the control plane said, if it was asked.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Error::Status(status) => Some(status),
            Error::Config(_) | Error::Connect(_) | Error::Answer(_) => None,
        }
    }

    /// Whether the object asked for does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    /// Whether asking again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Connect(_) => true,
            Error::Status(status) => matches!(status.code, 429 | 500..=599),
            Error::Config(_) | Error::Answer(_) => false,
        }
    }

    /// What to do next; empty when the message says it already.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Error::Config(problem) | Error::Connect(problem) | Error::Answer(problem) => problem.hint.clone(),
            Error::Status(status) => status_hint(status),
        }
    }

    /// No conversation with `server`, because of an error of the system or of TLS.
    pub(crate) fn unreachable(server: &str, error: &(dyn std::error::Error + 'static)) -> Error {
        let (message, hint) = told(error);
        Error::Connect(Problem::new(format!("cannot reach the control plane at {server}: {message}"), hint))
    }

    pub(crate) fn timeout(server: &str, seconds: u64) -> Error {
        Error::Connect(Problem::new(
            format!("the control plane at {server} did not answer within {seconds} seconds"),
            "is it running, and is it this address? a firewall may also swallow connections",
        ))
    }
}

fn status_hint(status: &Status) -> String {
    let hint = match status.code {
        401 => {
            "the token or certificate is not (or no longer) known; use the kubeconfig in the data folder of the control plane"
        }
        403 => "ask for a role that may do this, or choose another user with --context",
        404 => "`selvedge get KIND -A` lists what there is",
        409 if status.message.contains("manager") || !status.details.causes.is_empty() => {
            "somebody else set these fields; --force takes them over"
        }
        409 => "somebody else changed it meanwhile; look at it again, and repeat",
        429 => "the control plane is busy; try again in a moment",
        500..=599 => "the log of the control plane says more; trying again may help",
        _ => "",
    };
    hint.to_owned()
}

/// What a chain of errors means to people, and what they can do.
fn told(error: &(dyn std::error::Error + 'static)) -> (String, String) {
    let mut next = Some(error);
    let mut last = String::new();
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return told_of_tls(tls);
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // A TLS error travels inside of one.
            if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return told_of_tls(tls);
            }
            if let Some(said) = told_of_system(io) {
                return said;
            }
        }
        last = error.to_string();
        next = error.source();
    }
    (last, "see what was said above; `selvedge status` asks again".to_owned())
}

fn told_of_system(error: &io::Error) -> Option<(String, String)> {
    let (said, hint) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            "nobody listens there",
            "start it with `selvedge control --data DIR`, or name another one with --data or --kubeconfig",
        ),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            ("the connection was closed", "is this port the API of a control plane? its log may say why")
        }
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ("no way leads there", "check the address and the network")
        }
        _ => return None,
    };
    Some((said.to_owned(), hint.to_owned()))
}

fn told_of_tls(error: &rustls::Error) -> (String, String) {
    use rustls::{CertificateError, Error as Tls};
    let (said, hint) = match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => (
            "its certificate is not signed by the authority in the kubeconfig".to_owned(),
            "was the control plane set up anew? use the kubeconfig it has written since then",
        ),
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "its certificate is for another name".to_owned(),
            "use the name it was made for, or set `tls-server-name` in the kubeconfig",
        ),
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => (
            "its certificate has expired".to_owned(),
            "restart the control plane, which renews it; is the clock right?",
        ),
        Tls::InvalidMessage(_) => {
            ("it does not speak TLS".to_owned(), "is this port the API of a control plane?")
        }
        Tls::AlertReceived(alert) => (
            format!("it refused the connection ({alert:?})"),
            "the client certificate may not be one it knows; use the kubeconfig it has written",
        ),
        other => (other.to_string(), "use the kubeconfig that the control plane has written"),
    };
    (said, hint.to_owned())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(problem) | Error::Connect(problem) | Error::Answer(problem) => {
                f.write_str(&problem.message)
            }
            Error::Status(status) => status.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
