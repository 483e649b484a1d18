//! How a command ends: an exit code for programs and a sentence with a hint for people.

use std::fmt;
use std::process::ExitCode;

/// Exit codes. They are promises to scripts: none is ever reused for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// The configuration has violations; nothing was applied.
    Refused = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// The machine said no: a port in use, a file that cannot be read.
    Failed = 3,
    /// The control plane cannot be reached, or does not let this user in.
    Unreachable = 4,
    /// The object asked for does not exist.
    Missing = 5,
    /// It was accepted and is not so (yet): `--wait` ran out of time, or `status` found something wrong.
    Unmet = 6,
    /// `diff` found differences.
    Differs = 7,
}

impl Exit {
    /// All of them, for `--help`.
    pub const ALL: [(Exit, &'static str); 8] = [
        (Exit::Success, "done"),
        (Exit::Refused, "the configuration has mistakes; nothing was applied"),
        (Exit::Usage, "the command line cannot be understood"),
        (Exit::Failed, "the machine said no: a port in use, a file that cannot be read"),
        (Exit::Unreachable, "the control plane cannot be reached, or does not let this user in"),
        (Exit::Missing, "the object does not exist"),
        (Exit::Unmet, "accepted and not (yet) so: `--wait` ran out of time, `status` found something wrong"),
        (Exit::Differs, "`diff` found differences"),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command ended early. Every one says what to do next.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    hint: String,
}

impl Failure {
    /// A failure that is reported as `error: MESSAGE` and `hint: HINT`.
    pub fn new(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), hint: hint.into() }
    }

    /// The machine said no.
    pub fn machine(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, message, hint)
    }

    /// The configuration has mistakes; `report` is the whole text, and each of its entries brings its own hint.
    pub fn refused(report: impl fmt::Display) -> Failure {
        Failure::new(Exit::Refused, report.to_string(), String::new())
    }

    /// The same with one more thing to do next.
    #[must_use]
    pub fn and_then_hint(mut self, hint: impl fmt::Display) -> Failure {
        self.hint =
            if self.hint.is_empty() { hint.to_string() } else { format!("{}\nhint: {hint}", self.hint) };
        self
    }

    /// The code to end with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.strip_prefix("error: ").unwrap_or(&self.message);
        write!(f, "error: {message}")?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\nhint: {}", self.hint) }
    }
}

impl std::error::Error for Failure {}
