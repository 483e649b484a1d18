//! `selvedge authz who`

use std::collections::BTreeMap;

use clap::Args;
use engine::authorization::Extent;
use engine::explain::Said;
use model::kinds::{Gateway, Workload};
use model::spiffe::SpiffeId;
use serde_json::json;

use super::caller::{Caller, trust_domain};
use super::place::ServicePlace;
use super::{Read, World};
use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::show::table::Table;

/// List every known caller of a Service that may come in, and what lets it
///
/// Known are the workloads, the Gateways, the identities that policies name letter by letter, and whoever has no
/// identity.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge authz who shop/db
  selvedge authz who shop/cart:8080 -f policies/ -o json")]
pub struct Arguments {
    /// The Service
    #[arg(value_name = "SERVICE")]
    to: String,
    /// List those who may not come in as well
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    read: Read,
}

/// One caller with what it may do.
struct Row {
    caller: String,
    extent: Extent,
    by: Vec<(Said, Option<String>)>,
}

/// Asks and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let world = arguments.read.world()?;
    let (authorization, _port) = ServicePlace::parse(&arguments.to)?.authorization(&world.resources)?;
    let rows = callers(&world).into_iter().map(|caller| match &authorization {
        None => Row { caller: caller.text, extent: Extent::Everything, by: Vec::new() },
        Some(authorization) => {
            let source = caller.source();
            let reach = authorization.reach(&source);
            let said = reach.by.iter().map(Said::new);
            let by = said.map(|said| (said.clone(), world.source(&said))).collect();
            Row { extent: reach.extent, by, caller: caller.text.clone() }
        }
    });
    let rows: Vec<Row> = rows.filter(|row| arguments.all || row.extent > Extent::Nothing).collect();
    match arguments.read.output {
        OutputForm::Text => output::data(text(&rows)),
        OutputForm::Json => {
            output::data(format_args!("{:#}", json!(rows.iter().map(Row::json).collect::<Vec<_>>())))
        }
    }
    Ok(Exit::Success)
}

/// Everybody who is known, by name.
fn callers(world: &World) -> Vec<Caller> {
    let trust_domain = trust_domain(&world.resources);
    let mut known: BTreeMap<String, Caller> = BTreeMap::new();
    let mut add = |identity: SpiffeId| {
        let text = identity.as_str().to_owned();
        known.entry(text.clone()).or_insert_with(|| Caller::identified(text, identity));
    };
    for gateway in world.resources.all::<Gateway>() {
        let account = format!("gateway-{}", gateway.resource.key.name);
        SpiffeId::of_service_account(&trust_domain, gateway.resource.namespace(), &account)
            .into_iter()
            .for_each(&mut add);
    }
    let rules = world.config.policies.iter().flat_map(|policy| policy.rules());
    rules.flat_map(|rule| rule.named()).filter_map(|id| id.parse().ok()).for_each(&mut add);
    let workloads = world.resources.all::<Workload>();
    let mut all: Vec<Caller> =
        workloads.map(|workload| Caller::workload(workload, &world.resources)).collect();
    all.extend(known.into_values());
    all.push(Caller::nobody());
    all
}

fn text(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "nobody who is known may".to_owned();
    }
    let mut table = Table::new(&["CALLER", "MAY", "BECAUSE OF"]);
    for row in rows {
        let because: Vec<String> = row
            .by
            .iter()
            .map(|(said, source)| match source {
                Some(source) => format!("{said} ({source})"),
                None => said.to_string(),
            })
            .collect();
        let because =
            if because.is_empty() { "no policy speaks of it".to_owned() } else { because.join("; ") };
        table.row(vec![row.caller.clone(), word(row.extent).to_owned(), because]);
    }
    table.lines(true).join("\n")
}

fn word(extent: Extent) -> &'static str {
    match extent {
        Extent::Nothing => "nothing",
        Extent::Some => "some",
        Extent::Everything => "everything",
    }
}

impl Row {
    fn json(&self) -> serde_json::Value {
        let by = self.by.iter().map(|(said, source)| json!({ "said": said, "source": source }));
        json!({ "caller": self.caller, "may": word(self.extent), "by": by.collect::<Vec<_>>() })
    }
}
