//! `selvedge up petstore.yaml`

use std::path::Path;
use std::sync::Arc;

use super::refused::{kept_failure, nothing_to_keep_for};
use super::told::{Hush, tell_kept};
use super::{Arguments, LISTEN, Listen, check_access_log, options};
use crate::clock::Stopwatch;
use crate::commands::signals::Signals;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::up::described::Described;
use crate::up::kept::{Kept, KeptOptions};

/// An API out of its description, with a control plane that keeps it.
pub(super) fn run(
    arguments: &Arguments,
    description: &Path,
    signals: Signals,
    began: Stopwatch,
) -> Result<Exit, Failure> {
    let described = Described::read(description)?;
    check_access_log(&arguments.access_log)?;
    let options = options(arguments, Some(described.gateway()));
    let own = || client::kubeconfig::Environment::of_process().data_directory();
    let data = arguments.data.clone().or_else(own).ok_or_else(|| {
        Failure::machine("there is no folder for data: HOME is not set", "name one with --data DIR")
    })?;
    let listen = match arguments.listen {
        Some(Listen::Off) => return Err(nothing_to_keep_for()),
        listen => listen.map_or(LISTEN, Listen::address),
    };
    let kept = KeptOptions { data: data.clone(), listen, may_move: false };
    let hush = Hush::default();
    let running =
        Kept::start(options, kept, hush.listener()).map_err(|error| kept_failure(error, arguments))?;
    described.publish(&running)?;
    let key = described.key(&running)?;
    let watch = described.follow(&running, Arc::new(tell_kept))?;
    let took = began.elapsed().as_millis();
    let version = env!("CARGO_PKG_VERSION");
    output::error(format_args!("selvedge {version} {} in {took} ms", output::styled(output::GREEN, "ready")));
    let line = |label: &str, text: String| {
        output::note(format_args!("  {}  {text}", output::styled(output::BOLD, format!("{label:<7}"))));
    };
    line("api", format!("{}  {} operations, answered by a mock", described.url(), described.operations));
    line("docs", format!("https://{}{}", running.server().reachable(), described.page()));
    line("console", format!("https://{}/console", running.server().reachable()));
    if let Some(sample) = described.sample(key.as_deref()) {
        line("try", output::styled(output::CYAN, sample));
    }
    let known = if arguments.data.is_some() { format!(" --data {}", data.display()) } else { String::new() };
    if key.is_some() {
        let api = described.name();
        line("plan", format!("{api}-free, for application `try`; the key is shown this once"));
    }
    line("then", format!("selvedge bind {} --upstream http://127.0.0.1:9000{known}", described.name()));
    line("get", format!("selvedge get apis{known}"));
    line("kubectl", format!("kubectl --kubeconfig {} get apis", running.server().kubeconfig().display()));
    line("data", data.display().to_string());
    hush.end(&[]);
    Ok(signals.then_drain(move || {
        drop(watch);
        running.stop();
    }))
}
