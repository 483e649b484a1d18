//! Why `selvedge up` does not start, and what to do about it.

use std::io;

use control::status::BindResult;

use super::{Admin, Arguments};
use crate::exit::{Exit, Failure};
use crate::gateway;
use crate::up::kept::KeptError;
use crate::up::{StartError, event};

pub(super) fn kept_failure(error: KeptError, arguments: &Arguments) -> Failure {
    match error {
        KeptError::Refused(violations) => Failure::refused(violations),
        KeptError::Control(error) => Failure::machine(
            format!("cannot start the control plane: {error}"),
            "is another selvedge using this folder or address? choose others with --data and --listen",
        ),
        KeptError::Gateway(gateway::StartError::Proxy(error)) => {
            failure(StartError::of_proxy(arguments.admin.address(), error), arguments)
        }
        KeptError::Gateway(gateway::StartError::Subscription(_))
        | KeptError::Declare(_)
        | KeptError::Machine(_) => Failure::machine(error.to_string(), "see what the system said above"),
    }
}

pub(super) fn failure(error: StartError, arguments: &Arguments) -> Failure {
    match error {
        StartError::Refused(violations) => Failure::refused(violations),
        StartError::Machine { what, error } => {
            let in_use = error.kind() == io::ErrorKind::AddrInUse;
            let hint = match (in_use, arguments.admin) {
                (true, Admin::At(_)) => {
                    "is another selvedge running? choose another address with --admin, such as 127.0.0.1:0 for a free port"
                }
                _ => "see what the system said above; --admin and --workers can be changed",
            };
            Failure::machine(format!("{what}: {error}"), hint)
        }
    }
}

pub(super) fn is_nothing_bound(bound: &[BindResult]) -> bool {
    !bound.is_empty() && bound.iter().all(|result| result.error.is_some())
}

/// Every problem but the last is part of the message; the last one's hint ends it.
pub(super) fn nothing_bound(bound: &[BindResult]) -> Failure {
    let problems: Vec<String> = bound.iter().filter_map(event::cannot_listen).collect();
    let text = problems.join("\n");
    match text.rsplit_once("\nhint: ") {
        Some((message, hint)) => Failure::machine(message, hint),
        None => Failure::machine(text, "change the ports of the Gateway"),
    }
}

pub(super) fn nothing_to_keep_for() -> Failure {
    let problem = "--data keeps what the API is told, and --listen off serves none";
    Failure::new(Exit::Usage, problem, "leave out one of them")
}
