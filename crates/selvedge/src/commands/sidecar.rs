//! `selvedge sidecar`

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use discovery::TokenFile;
use proxy::{ControlAddress, LogSink, ServiceBlock};

use super::gateway::{listed, no_tap, token};
use super::up::{Admin, access_log, admin_address, check_access_log};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::sidecar::application::{Planner, RESOLV_CONF};
use crate::sidecar::dns::forward::Others;
use crate::sidecar::health::Check;
use crate::sidecar::lifecycle::{self, Bounds, Plan};
use crate::sidecar::signals::Signals;
use crate::sidecar::workload::{MESH_PORT, Workload, WorkloadName, WorkloadPort, label};
use crate::sidecar::{RunningSidecar, SidecarOptions, StartError, WORKLOAD_API, event};

/// Run an application as a member of the mesh
///
/// A proxy beside one workload: it takes what the mesh sends to it and carries what it sends to the mesh. With a
/// command it starts the application once the first configuration is in force, passes signals on to it, ends after it
/// and with its exit code. Everything it says goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge sidecar --control https://control.example:19443 --token-file cart.token --data /var/lib/cart \\
      --workload shop/cart-1 --service-account cart --label app=cart --port http:8080 -- ./cart
  selvedge sidecar --control https://control.example:19443 --token-file db.token \\
      --workload shop/db-1 --label app=db --port pg:5432:tcp    beside a process that runs already
  curl $SHOP_CART_URL/items             what the application finds in its environment
  dig @127.0.0.1 -p 15053 cart.shop     and by name, from anywhere on this machine
SIGTERM lets what came in finish, then ends the application, then what it still sends. A token is made with
`selvedge token create`.")]
pub struct Arguments {
    /// Whose sidecar this is
    #[arg(long, value_name = "NAMESPACE/NAME")]
    workload: WorkloadName,
    /// Where the control plane is; several that share one database may be given, each with a --control of its own, and
    /// when one fails the next is asked
    #[arg(long = "control", value_name = "URL", required = true)]
    controls: Vec<ControlAddress>,
    /// What to show the control plane, and how to know it
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Where to keep identity, the last good configuration and the names of Services; without it, a start needs the
    /// control plane
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Service account, half of the workload's identity
    #[arg(long, value_name = "NAME", default_value = "default")]
    service_account: model::Name,
    /// A label, by which Services select the workload; may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// A port of the application, on its loopback; may be given more than once. PROTOCOL is http (the default), http2,
    /// grpc or tcp; TARGET is where the application has it, if elsewhere
    #[arg(long = "port", value_name = "NAME:PORT[:PROTOCOL][:TARGET]")]
    ports: Vec<WorkloadPort>,
    /// How the application is asked whether it can serve: /PATH, grpc or tcp at the first port;
    /// http://ADDRESS:PORT/PATH, grpc://ADDRESS:PORT/SERVICE, tcp://ADDRESS:PORT; a program, which must end with 0, by
    /// `exec:PROGRAM ARGUMENT…`; off [default: tcp, if there is a port]
    #[arg(long, value_name = "CHECK")]
    health: Option<String>,
    /// Where the mesh reaches this machine [default: the address from which it reaches the control plane]
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// Where the application's ports are open [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    application_address: Option<IpAddr>,
    /// The port there at which the sidecar takes what the mesh sends
    #[arg(long, value_name = "PORT", default_value_t = MESH_PORT)]
    mesh_port: u16,
    /// Where this machine is, so that endpoints nearby come first, for the workload and for who calls it
    #[arg(long, value_name = "REGION/ZONE")]
    locality: Option<proxy::Locality>,
    /// Tell the application in x-forwarded-client-cert which member of the mesh calls
    #[arg(long)]
    caller_header: bool,
    /// Loopback addresses behind which Services are found; where several sidecars share a machine, each needs its own
    #[arg(long, value_name = "CIDR", default_value = "127.128.0.0/9", value_parser = services)]
    services: ServiceBlock,
    /// Where names are resolved, over UDP and TCP; `off` for nowhere. At port 53 the application is given a resolv.conf
    /// of its own, which takes root
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:15053", value_parser = address_or_off)]
    dns: Place,
    /// Who resolves what is not of the mesh: `system`, addresses of name servers, or `off`
    #[arg(long, value_name = "ADDR,…", default_value = "system", value_parser = others)]
    dns_others: Others,
    /// Socket of the SPIFFE Workload API, or `off` [default: spiffe/workload.sock in the data folder]
    #[arg(long, value_name = "PATH")]
    workload_api: Option<PathBuf>,
    /// Where to show /ready, /metrics and /config; `off` for nowhere
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:19000", value_parser = admin_address)]
    admin: Admin,
    /// A socket at which our own user and root may watch, with `selvedge tap`
    #[arg(long, value_name = "PATH")]
    tap: Option<PathBuf>,
    /// Worker threads
    #[arg(long, value_name = "N", default_value = "1")]
    workers: NonZeroUsize,
    /// Where the access log goes: a file, `stdout` or `off` [default: stdout, or off with an application]
    #[arg(long, value_name = "FILE")]
    access_log: Option<String>,
    /// Longest time for requests to end after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// Longest time to wait for configuration and identity before the application is started without, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    start_within: u64,
    /// Longest time for the application to end once it was asked to, in seconds; then it is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace: u64,
    /// The application and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    application: Vec<OsString>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    At(SocketAddr),
    Off,
}

fn address_or_off(text: &str) -> Result<Place, String> {
    match text {
        "off" => Ok(Place::Off),
        text => text
            .parse()
            .map(Place::At)
            .map_err(|_| "write ADDRESS:PORT, such as 127.0.0.1:15053, or `off`".to_owned()),
    }
}

fn services(text: &str) -> Result<ServiceBlock, String> {
    let block = text.parse::<model::ip_block::IpBlock>().map_err(|problem| problem.problem)?;
    ServiceBlock::try_from(block)
        .map_err(|problem| format!("{problem}; write a block of loopback addresses, such as 127.130.0.0/16"))
}

fn others(text: &str) -> Result<Others, String> {
    let server = |text: &str| {
        let address = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)));
        address.map_err(|_| format!("`{text}` is no address of a name server, such as 10.0.0.2"))
    };
    match text {
        "system" => Ok(Others::Listed(PathBuf::from(RESOLV_CONF))),
        "off" => Ok(Others::Nobody),
        list => Ok(Others::Servers(list.split(',').map(server).collect::<Result<_, _>>()?)),
    }
}

/// Runs until the application ends, or a signal asks for the end.
pub fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let waiting = |error: io::Error| {
        Failure::machine(
            format!("cannot wait for signals: {error}"),
            "check the limits of this user (ulimit -a)",
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(waiting)?;
    let signals = {
        let _inside = runtime.enter();
        Signals::catch(!arguments.application.is_empty()).map_err(waiting)?
    };
    // Nothing was asked to be kept: it goes with the process.
    let mut passing = None;
    let data = match &arguments.data {
        Some(data) => data.clone(),
        None => passing.insert(passing_folder()?).path().to_owned(),
    };
    let options = options(&arguments, &data)?;
    let bounds = Bounds {
        start: Duration::from_secs(arguments.start_within),
        grace: Duration::from_secs(arguments.grace),
    };
    let plan = Planner::of(&arguments.application, &options)
        .map(|planner| -> Box<Plan> { Box::new(move |running: &RunningSidecar| planner.plan(running)) });
    let followed = listed(&options.controls);
    let announced = format!("selvedge sidecar of `{}`: following {followed}", options.workload.name);
    let workload_api = options.workload_api.clone();
    let admin = arguments.admin;
    let running = RunningSidecar::start(options, Arc::new(tell)).map_err(|error| failure(error, admin))?;
    if let Some(path) = &arguments.tap {
        running.tap_at(path).map_err(|error| no_tap(path, &error))?;
    }
    announce(&announced, &running, workload_api.as_deref(), &data, passing.is_some());
    let ended = runtime.block_on(lifecycle::run(running, plan, bounds, signals));
    // Dropping it would wait for the drain that a second signal said not to wait for.
    runtime.shutdown_background();
    ended.map(ExitCode::from).map_err(|lifecycle::NotStarted(error)| {
        let program =
            arguments.application.first().map(|program| program.to_string_lossy()).unwrap_or_default();
        Failure::machine(
            format!("cannot start `{program}`: {error}"),
            "write the application and its arguments behind `--`",
        )
    })
}

fn announce(
    announced: &str,
    running: &RunningSidecar,
    workload_api: Option<&Path>,
    data: &Path,
    passing: bool,
) {
    output::note(announced);
    if let Some(admin) = running.admin() {
        output::note(format_args!("  admin    http://{admin}/ready, /metrics and /config"));
    }
    if let Some(dns) = running.dns() {
        output::note(format_args!("  names    dig @{} -p {} SERVICE.NAMESPACE", dns.ip(), dns.port()));
    }
    if let Some(path) = workload_api {
        output::note(format_args!("  spiffe   unix://{}", path.display()));
    }
    output::note(format_args!("  data     {}", data.display()));
    if passing {
        output::note("  note     no --data given: the next start needs the control plane");
    }
}

fn options(arguments: &Arguments, data: &Path) -> Result<SidecarOptions, Failure> {
    let token = token(&arguments.token_file)?;
    let workload = workload(arguments)?;
    let health = health(arguments, &workload)?;
    let log = match &arguments.access_log {
        Some(log) => {
            check_access_log(log)?;
            access_log(log)
        }
        None if arguments.application.is_empty() => LogSink::Stdout,
        None => LogSink::Off,
    };
    Ok(made(arguments, data, token, workload, health, log))
}

fn made(
    arguments: &Arguments,
    data: &Path,
    token: TokenFile,
    workload: Workload,
    health: Check,
    access_log: LogSink,
) -> SidecarOptions {
    SidecarOptions {
        workload,
        controls: arguments.controls.clone(),
        token,
        data: data.to_owned(),
        workers: arguments.workers.get(),
        admin: match arguments.admin {
            Admin::At(address) => Some(address),
            Admin::Off => None,
        },
        access_log,
        drain: Duration::from_secs(arguments.drain),
        health,
        services: arguments.services,
        dns: match arguments.dns {
            Place::At(address) => Some(address),
            Place::Off => None,
        },
        others: arguments.dns_others.clone(),
        workload_api: match &arguments.workload_api {
            None => Some(data.join(WORKLOAD_API)),
            Some(path) => (path != Path::new("off")).then(|| path.clone()),
        },
    }
}

fn workload(arguments: &Arguments) -> Result<Workload, Failure> {
    let workload = Workload {
        name: arguments.workload.clone(),
        address: arguments.address.unwrap_or_else(|| own_address(&arguments.controls)),
        mesh_port: arguments.mesh_port,
        service_account: arguments.service_account.to_string(),
        labels: arguments.labels.iter().cloned().collect(),
        application: arguments.application_address,
        ports: arguments.ports.clone(),
        locality: arguments.locality.clone(),
        caller_header: arguments.caller_header,
    };
    let clashes = workload.clashes();
    match clashes.is_empty() {
        true => Ok(workload),
        false => Err(Failure::new(
            Exit::Usage,
            clashes.join("\n"),
            "give every --port a name, a number and a place of its own; --mesh-port moves the sidecar's",
        )),
    }
}

fn health(arguments: &Arguments, workload: &Workload) -> Result<Check, Failure> {
    match &arguments.health {
        Some(text) => Check::read(text, workload.first_port()).map_err(|problem| {
            Failure::new(Exit::Usage, problem, "see --health in `selvedge sidecar --help`")
        }),
        None => Ok(workload.first_port().map_or(Check::Off, Check::Tcp)),
    }
}

/// The address that packets to the control plane would leave from; the loopback when there is no way there.
fn own_address(controls: &[ControlAddress]) -> IpAddr {
    let found = controls.iter().find_map(|control| {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect(control.to_string().trim_start_matches("https://")).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    found.unwrap_or(Ipv4Addr::LOCALHOST.into())
}

fn passing_folder() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new().prefix("selvedge-").tempdir().map_err(|error| {
        Failure::machine(
            format!("cannot make a folder for the names of Services: {error}"),
            "name one with --data",
        )
    })
}

fn failure(error: StartError, admin: Admin) -> Failure {
    let in_use = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let hint = match (&error, admin) {
        (StartError::Proxy(cause), Admin::At(_)) if in_use(cause) => {
            "is another selvedge running? choose another address with --admin"
        }
        (StartError::Dns(_, cause), _) if in_use(cause) => {
            "is another sidecar running? choose another address with --dns, or `off`"
        }
        (StartError::Dns(..), _) => "choose another address with --dns; ports below 1024 take root",
        (StartError::WorkloadApi(..), _) => "choose another path with --workload-api, or `off`",
        (StartError::Data(..) | StartError::Subscription(_) | StartError::Identity(_), _) => {
            "the folder of --data must be writable and belong to this sidecar alone"
        }
        (StartError::Proxy(_), _) => "see what the system said above",
    };
    Failure::machine(error.to_string(), hint)
}

fn tell(event: crate::sidecar::Event) {
    if let Some(sentence) = event::sentence(&event) {
        output::error(sentence);
    }
}
