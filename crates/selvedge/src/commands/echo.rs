//! `selvedge echo`

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::echo::{Echo, Options};
use crate::exit::{Exit, Failure};
use crate::output;

/// Run a small upstream that reports what it received
///
/// It answers every request with JSON: method, host, path, headers, body, protocol, peer. It speaks HTTP/1.1,
/// HTTP/2 with prior knowledge, WebSocket (messages come back) and gRPC (messages come back).
/// Some paths do something else: /status/418 /delay/250 /bytes/1000 /chunks/3 /trailers /echo
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge echo --listen 127.0.0.1:9001 --name cart
  selvedge echo --listen 127.0.0.1:9443 --tls-self-signed --ca-out /tmp/echo-ca.pem")]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// What it calls itself in every answer
    #[arg(long, value_name = "NAME", default_value = "echo")]
    name: String,
    /// Serve TLS with a certificate made at start (ALPN h2 and http/1.1)
    #[arg(long)]
    tls_self_signed: bool,
    /// A further DNS name or address for the certificate
    #[arg(long, value_name = "NAME", requires = "tls_self_signed")]
    tls_name: Vec<String>,
    /// Write the certificate authority that clients must trust to this file, PEM
    #[arg(long, value_name = "FILE", requires = "tls_self_signed")]
    ca_out: Option<PathBuf>,
}

/// Serves until the process is ended.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { listen, name, tls_self_signed, tls_name, ca_out } = arguments;
    let options = Options { listen, name: name.clone(), tls_names: tls_self_signed.then_some(tls_name) };
    let echo = Echo::start(options).map_err(|error| cannot_listen(listen, &error))?;
    if let (Some(path), Some(pem)) = (&ca_out, echo.authority_pem()) {
        std::fs::write(path, pem).map_err(|error| cannot_write(path, &error))?;
        output::data(path.display());
    }
    let scheme = if tls_self_signed { "https" } else { "http" };
    output::note(format_args!("echo `{name}` listens on {scheme}://{}", echo.address()));
    echo.wait();
    Err(Failure::machine("the listener failed", "start it again"))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process has this port; choose one with --listen, or port 0 for any"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges; choose a higher one with --listen"
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address; try 127.0.0.1",
        _ => "choose another address with --listen",
    };
    Failure::machine(format!("cannot listen on {address}: {error}"), hint)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::machine(
        format!("cannot write `{}`: {error}", path.display()),
        "choose another file with --ca-out",
    )
}
