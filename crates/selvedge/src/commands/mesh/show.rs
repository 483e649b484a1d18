//! `selvedge mesh show`

use clap::{Args, ValueEnum};
use client::{Client, Collection, Error, ListOptions};
use portal::mesh::{Call, Certificate, May, Mesh, Party, Replica};
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output::{self, BOLD, GREEN, RED, styled};
use crate::remote::{Connection, block_on, failure, kinds};
use crate::show::table::Table;
use crate::show::{age, counted};

/// Show who is in the mesh, who may call whom, and who does
///
/// Members with identity, certificate and what they ask of their callers; calls that routes lead to, that policies
/// allow by name, or that are made now, with what says so. The console shows the same picture.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge mesh show
  selvedge mesh show -o svg > mesh.svg      a picture, light or dark as whoever shows it is
  selvedge mesh show -o json")]
pub struct Show {
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Forms of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Tables for people
    Text,
    /// A drawing
    Svg,
    /// What the API tells
    Json,
}

impl Show {
    /// Asks and prints.
    pub fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let told = block_on(read(&client))?;
        let mesh = Mesh::of(&told);
        match self.output {
            Form::Text => output::data(text(&mesh, &client.endpoint().server)),
            Form::Svg => output::data(portal::mesh::svg(&mesh)),
            Form::Json => output::data(format_args!("{told:#}")),
        }
        Ok(Exit::Success)
    }
}

/// The picture as it is told.
async fn read(client: &Client) -> Result<Value, Failure> {
    let pictures = Collection::everywhere(kinds::MESH_PICTURE);
    let listed = match client.list(&pictures, &ListOptions::default()).await {
        Ok(listed) => listed,
        Err(Error::Status(status)) if status.is_not_found() => {
            return Err(Failure::new(
                Exit::Unreachable,
                "this control plane tells of no mesh",
                "it may be of another version; `selvedge version` shows both",
            ));
        }
        Err(error) => return Err(failure(error)),
    };
    listed.objects.into_iter().next().map(|object| object.0).ok_or_else(|| {
        Failure::new(
            Exit::Missing,
            "there is no mesh",
            "apply a Mesh; `selvedge explain Mesh.spec` says what is in it",
        )
    })
}

fn text(mesh: &Mesh, server: &str) -> String {
    let default = if mesh.default_action == "Deny" { "refused" } else { "allowed" };
    let leads = if mesh.leads { ", leads" } else { "" };
    let mut lines = vec![
        format!(
            "mesh {}  {}  mTLS {}  calls that no policy speaks of are {default}",
            styled(BOLD, &mesh.name),
            mesh.trust_domain,
            mesh.mtls
        ),
        format!(
            "control plane  {server}  v{}{leads}  {} of {} up to date",
            mesh.version,
            mesh.programmed,
            counted(usize::try_from(mesh.proxies).unwrap_or(usize::MAX), "proxy")
        ),
    ];
    if !mesh.rotation.is_empty() {
        lines.push(format!("roots change places: {}; see `selvedge mesh rotate --status`", mesh.rotation));
    }
    lines.push(String::new());
    lines.extend(members(mesh).lines(true));
    lines.push(String::new());
    if mesh.calls.is_empty() {
        lines.push("nobody calls anybody, and no policy or route speaks of a call".to_owned());
    } else {
        lines.extend(calls(mesh));
    }
    if mesh.left_out > 0 {
        lines.push(format!("and {} more, which are left out", mesh.left_out));
    }
    lines.join("\n")
}

fn members(mesh: &Mesh) -> Table {
    let mut table =
        Table::new(&["MEMBER", "REPLICA", "STATE", "SERVES", "MTLS", "CERTIFICATE", "RENEWED", "IDENTITY"]);
    for party in &mesh.parties {
        let replicas: Vec<Option<&Replica>> = match party.replicas.is_empty() {
            true => vec![None],
            false => party.replicas.iter().map(Some).collect(),
        };
        for replica in replicas {
            let certificate = replica.and_then(|replica| replica.certificate.as_ref());
            table.row(vec![
                party.name.clone(),
                or_dash(replica.map_or("", |replica| replica.name.as_str())),
                state(replica).to_owned(),
                or_dash(&serves(party)),
                or_dash(&replica.map(|replica| replica.mtls.join(",")).unwrap_or_default()),
                certificate.map_or_else(|| "-".to_owned(), left),
                certificate.map_or_else(|| "-".to_owned(), renewed),
                or_dash(&party.identity),
            ]);
        }
    }
    table
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn serves(party: &Party) -> String {
    let all = party.services.join(",");
    if party.is_open { format!("{all} (open)") } else { all }
}

fn state(replica: Option<&Replica>) -> &'static str {
    match replica {
        None => "-",
        Some(replica) if replica.is_lost() => "lost",
        Some(replica) if replica.is_ready == Some(false) => "not ready",
        Some(_) => "ok",
    }
}

fn left(held: &Certificate) -> String {
    if held.left_seconds <= 0.0 { "ended".to_owned() } else { format!("{} left", age(held.left_seconds)) }
}

fn renewed(held: &Certificate) -> String {
    match held.problem.as_str() {
        "" => format!("within {}", age(held.renews_within_seconds)),
        problem => format!("failed: {problem}"),
    }
}

/// Who calls whom: an arrow of two lines for calls that are made, of one for those that may be, a crossed one for those
/// that are refused.
fn calls(mesh: &Mesh) -> Vec<String> {
    let mut table = Table::new(&["CALLER", "", "CALLED", "MAY", "NOW", "BECAUSE OF"]);
    for call in &mesh.calls {
        let may = match call.may {
            May::Nothing => "nothing",
            May::Some => "some",
            May::Everything => "everything",
        };
        let because =
            if call.because.is_empty() { "no policy asks".to_owned() } else { call.because.join("; ") };
        table.row(vec![
            call.from.clone(),
            arrow(call).to_owned(),
            call.to.clone(),
            may.to_owned(),
            now(call),
            because,
        ]);
    }
    let mut lines = table.lines(true).into_iter();
    let header = lines.next();
    let shown = lines.zip(&mesh.calls).map(|(line, call)| match (call.may, call.is_made()) {
        (May::Nothing, _) => styled(RED, line),
        (May::Some | May::Everything, true) => styled(GREEN, line),
        (May::Some | May::Everything, false) => line,
    });
    header.into_iter().chain(shown).collect()
}

fn arrow(call: &Call) -> &'static str {
    match (call.may, call.is_made()) {
        (May::Nothing, _) => "-x>",
        (May::Some | May::Everything, true) => "==>",
        (May::Some | May::Everything, false) => "-->",
    }
}

fn now(call: &Call) -> String {
    match (call.requests > 0.0, call.is_connected) {
        (true, _) if call.errors > 0.0 => format!("{:.1}/s, {:.1}/s errors", call.requests, call.errors),
        (true, _) => format!("{:.1}/s", call.requests),
        (false, true) => "connected".to_owned(),
        (false, false) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told() -> Mesh {
        let certificate = json!({
            "notAfter": "2026-11-24T09:00:00Z", "leftSeconds": 5000, "renewsWithinSeconds": 1400, "problem": "",
        });
        let replica = |name: &str, ready: Value, connected: bool| {
            json!({
                "name": name, "proxied": true, "connected": connected, "ready": ready, "mtls": ["Strict"],
                "certificate": certificate,
            })
        };
        let party = |name: &str, role: &str, replicas: Vec<Value>| {
            let services = if role == "Gateway" { json!([]) } else { json!([name]) };
            json!({ "name": name, "role": role, "identity": format!("spiffe://a/{role}"), "services": services,
                    "open": false, "replicas": replicas })
        };
        let call = |from: &str, to: &str, may: &str, requests: f64| {
            json!({ "from": from, "to": to, "may": may, "because": ["Allow shop/x rule `y`"], "connected": false,
                    "requestsPerSecond": requests, "errorsPerSecond": 0.0 })
        };
        Mesh::of(&json!({ "metadata": { "name": "default" }, "status": {
            "trustDomain": "bank.example", "mtls": "Strict", "defaultAction": "Deny", "rotation": "",
            "controlPlane": { "version": "0.1.0", "leader": true, "proxies": 3, "programmed": 2 },
            "parties": [
                party("gateway shop/edge", "Gateway", vec![replica("edge-1", Value::Null, true)]),
                party("shop/cart", "Workload", vec![
                    replica("shop/cart-1", json!(true), true), replica("shop/cart-2", json!(false), true),
                    replica("shop/cart-3", json!(true), false),
                ]),
            ],
            "calls": [
                call("gateway shop/edge", "shop/cart", "Some", 4.25), call("shop/till", "shop/cart", "Nothing", 0.0),
            ],
            "partiesLeftOut": 0, "callsLeftOut": 2,
        } }))
    }

    #[test]
    fn the_picture_in_words_has_every_member_and_every_call() {
        let text = anstream::adapter::strip_str(&text(&told(), "https://127.0.0.1:19443")).to_string();

        let expected = "\
mesh default  bank.example  mTLS Strict  calls that no policy speaks of are refused
control plane  https://127.0.0.1:19443  v0.1.0, leads  2 of 3 proxies up to date

MEMBER              REPLICA       STATE       SERVES      MTLS     CERTIFICATE   RENEWED      IDENTITY
gateway shop/edge   edge-1        ok          -           Strict   83m left      within 23m   spiffe://a/Gateway
shop/cart           shop/cart-1   ok          shop/cart   Strict   83m left      within 23m   spiffe://a/Workload
shop/cart           shop/cart-2   not ready   shop/cart   Strict   83m left      within 23m   spiffe://a/Workload
shop/cart           shop/cart-3   lost        shop/cart   Strict   83m left      within 23m   spiffe://a/Workload

CALLER                    CALLED      MAY       NOW     BECAUSE OF
gateway shop/edge   ==>   shop/cart   some      4.2/s   Allow shop/x rule `y`
shop/till           -x>   shop/cart   nothing   -       Allow shop/x rule `y`
and 2 more, which are left out";
        assert_eq!(text, expected);
    }
}
