//! How the application is started: its environment names what it can reach, and where it is told who it is.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use os::InPlaceOf;

use super::environment::Variables;
use super::lifecycle::Planned;
use super::{RunningSidecar, SidecarOptions, files};

/// Where everybody's resolver settings are.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The port at which resolver settings can name a server, and no other.
const DNS_PORT: u16 = 53;

/// Plans the start of one application.
#[derive(Debug)]
pub struct Planner {
    program: OsString,
    arguments: Vec<OsString>,
    workload: String,
    workload_api: Option<PathBuf>,
    data: PathBuf,
}

impl Planner {
    /// For a command line; `None` when there is none.
    #[must_use]
    pub fn of(command: &[OsString], options: &SidecarOptions) -> Option<Planner> {
        let (program, arguments) = command.split_first()?;
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Some(Planner {
            program: program.clone(),
            arguments: arguments.to_vec(),
            workload: options.workload.name.to_string(),
            workload_api: options.workload_api.as_deref().map(absolute),
            data: absolute(&options.data),
        })
    }

    /// The command as it is now to be started. Our variables win over those that we were started with: one that led
    /// around the mesh would be believed.
    #[must_use]
    pub fn plan(&self, running: &RunningSidecar) -> Planned {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(Variables::of(&running.names()).set);
        command.env("SELVEDGE_WORKLOAD", &self.workload).env("SELVEDGE_DATA", &self.data);
        if let Some(dns) = running.dns() {
            command.env("SELVEDGE_DNS", dns.to_string());
        }
        if let Some(path) = &self.workload_api {
            command.env("SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", path.display()));
        }
        Planned { command, resolver: running.dns().and_then(|dns| self.resolver(dns)) }
    }

    /// Resolver settings of the application's own, when ours listens where they can point to.
    fn resolver(&self, dns: SocketAddr) -> Option<InPlaceOf> {
        if dns.port() != DNS_PORT {
            return None;
        }
        let place = PathBuf::from(RESOLV_CONF);
        let shown = self.data.join("resolv.conf");
        let text = settings(&std::fs::read_to_string(&place).ok()?, dns);
        files::replace(&shown, &text).ok()?;
        Some(InPlaceOf { shown, place })
    }
}

/// The machine's settings with our resolver in place of its name servers.
fn settings(system: &str, dns: SocketAddr) -> String {
    let mut text = format!("# Made by the sidecar for its application.\nnameserver {}\n", dns.ip());
    for line in system.lines().filter(|line| !line.trim_start().starts_with("nameserver")) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applications_resolver_settings_differ_in_their_name_servers_alone() {
        let system = "nameserver 10.0.0.2\nsearch bank.example\nnameserver 10.0.0.3\noptions ndots:2\n";
        let dns = SocketAddr::from(([127, 0, 15, 53], 53));
        let expected = "# Made by the sidecar for its application.\nnameserver 127.0.15.53\nsearch bank.example\noptions ndots:2\n";
        assert_eq!(settings(system, dns), expected);
    }
}
