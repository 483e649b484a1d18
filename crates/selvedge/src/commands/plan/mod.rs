//! `selvedge plan`

mod terms;

use clap::{Args, Subcommand, ValueEnum};
use client::{Client, Collection, ListOptions, Object};
use model::kinds::KindName;
use serde_json::{Value, json};

use crate::customers::{Named, Place, Places};
use crate::exit::{Exit, Failure};
use crate::output::{self, BOLD, styled};
use crate::remote::{block_on, failure};
use crate::show::table::Table;
use terms::{Quota, Rate};

/// Say how much of a product a subscription is given, and take the terms through their life
///
/// Terms that were published never change, since people have agreed to them: other terms are another plan.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge plan create free --product weather --rate 2/1s --quota 1000/Month --publish
  selvedge plan create gold --product weather --rate 100/1s,burst=200 --quota 50000/Day@Europe/Berlin --publish
  selvedge plan create partner --product weather --credential spiffe --approval manual
  selvedge plan list --product weather
  selvedge plan show weather-free
  selvedge plan deprecate weather-free                    who has it keeps it, nobody else gets it
  selvedge plan close weather-free                        it has ended: its subscriptions are refused
A rate is REQUESTS/TIME of 1s to 1h, perhaps with `,burst=N`; without it, the requests of one time may come at
once. A quota is REQUESTS/PERIOD of the calendar (Minute, Hour, Day, Week, Month, Year), perhaps with `@TIME-ZONE`,
`,soft` (counted, never refused) and `,unknown=closed|open-capped|open` (while nobody can tell how many there were).")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    /// Show the terms of a plan
    Show(Named),
    Create(Create),
    /// Offer a plan: its terms are for good from here on
    Publish(Named),
    /// Offer a plan to nobody else; those who have it keep it
    Deprecate(Named),
    /// End a plan: its subscriptions are refused
    Close(Named),
}

/// List plans with what they give
#[derive(Debug, Args)]
struct List {
    /// Those of one product
    #[arg(long, value_name = "PRODUCT")]
    product: Option<String>,
    #[command(flatten)]
    places: Places,
}

/// Make a plan, as a draft whose terms may still change
#[derive(Debug, Args)]
struct Create {
    /// Its name; `free` of the product `weather` is called `weather-free`
    #[arg(value_name = "NAME")]
    name: String,
    /// The product
    #[arg(long, value_name = "PRODUCT")]
    product: String,
    /// How fast a subscription may ask, such as 10/1s; may be given more than once, and all hold
    #[arg(long = "rate", value_name = "RATE")]
    rates: Vec<Rate>,
    /// How often a subscription may ask, such as 1000/Month; may be given more than once, and all hold
    #[arg(long = "quota", value_name = "QUOTA")]
    quotas: Vec<Quota>,
    /// By what subscribers are recognised; may be given more than once [default: api-key and spiffe]
    #[arg(long = "credential", value_name = "CREDENTIAL", conflicts_with = "keyless")]
    credentials: Vec<Credential>,
    /// Nobody has to subscribe: all callers share the limits
    #[arg(long)]
    keyless: bool,
    /// Who lets subscribers in
    #[arg(long, value_name = "WHO", default_value = "automatic")]
    approval: Approval,
    /// What people call it
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// Publish it at once
    #[arg(long)]
    publish: bool,
    #[command(flatten)]
    place: Place,
}

/// By what subscribers are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Credential {
    /// A key of ours.
    ApiKey,
    /// An identity of the mesh.
    Spiffe,
    /// A client certificate.
    ClientCertificate,
    /// A token that somebody else signed.
    Jwt,
}

/// Who lets subscribers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Approval {
    /// Nobody has to.
    Automatic,
    /// Somebody, with `selvedge subscription approve`.
    Manual,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::List(list) => block_on(list.run()),
        Action::Show(named) => block_on(show(named)),
        Action::Create(create) => block_on(create.run()),
        Action::Publish(named) => block_on(named.offer(KindName::Plan, "Published")),
        Action::Deprecate(named) => block_on(named.offer(KindName::Plan, "Deprecated")),
        Action::Close(named) => block_on(named.offer(KindName::Plan, "Closed")),
    }
}

impl List {
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.places.place.open()?;
        let namespace = (!self.places.all_namespaces).then_some(&*customers.namespace);
        list(&customers.client, namespace, self.product.as_deref()).await
    }
}

/// Prints plans with what they give: of a namespace or of all, of a product or of all.
pub(super) async fn list(
    client: &Client,
    namespace: Option<&str>,
    product: Option<&str>,
) -> Result<Exit, Failure> {
    let collection = match namespace {
        Some(namespace) => Collection::within(KindName::Plan, namespace),
        None => Collection::everywhere(KindName::Plan),
    };
    let listed = client.list(&collection, &ListOptions::default()).await.map_err(failure)?;
    let mut table = Table::new(&["PLAN", "PRODUCT", "STATE", "GIVES", "CREDENTIALS", "APPROVAL"]);
    let wanted = |plan: &&Object| product.is_none_or(|product| plan.text("/spec/product") == product);
    for plan in listed.objects.iter().filter(wanted) {
        let name = if namespace.is_some() { plan.name().to_owned() } else { plan.place() };
        let text = |pointer: &str| plan.text(pointer).to_owned();
        let gives = terms::told(&plan.0["spec"]).join(", ");
        let (product, state) = (text("/spec/product"), text("/spec/state"));
        table.row(vec![name, product, state, gives, credentials(plan), text("/spec/approval")]);
    }
    match table.is_empty() {
        true => output::note("no plans; `selvedge plan create NAME --product PRODUCT` makes one"),
        false => table.lines(true).iter().for_each(output::data),
    }
    Ok(Exit::Success)
}

fn credentials(plan: &Object) -> String {
    let listed = plan.0.pointer("/spec/credentials").and_then(Value::as_array);
    let words: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(",") }
}

async fn show(named: &Named) -> Result<Exit, Failure> {
    let customers = named.place.open()?;
    let plan = customers.get(KindName::Plan, &named.name).await?;
    let field = |name: &str, value: &str| {
        output::data(format_args!("{}  {value}", styled(BOLD, format!("{name:<11}"))))
    };
    field("plan", plan.name());
    field("product", plan.text("/spec/product"));
    field("state", plan.text("/spec/state"));
    field("credentials", &credentials(&plan));
    field("approval", plan.text("/spec/approval"));
    terms::told(&plan.0["spec"]).iter().for_each(|term| field("gives", term));
    Ok(Exit::Success)
}

impl Create {
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.place.open()?;
        // A plan of something that is not there would wait for it in silence.
        customers.get(KindName::ApiProduct, &self.product).await?;
        let name = self.name();
        customers.create(KindName::Plan, &name, self.spec()).await?;
        let state = if self.publish { "Published" } else { "Draft" };
        output::data(format_args!("plan/{name} made, {state}"));
        Ok(Exit::Success)
    }

    fn name(&self) -> String {
        let full = format!("{}-", self.product);
        if self.name.starts_with(&full) { self.name.clone() } else { full + &self.name }
    }

    fn spec(&self) -> Value {
        let mut spec = json!({
            "product": self.product,
            "state": if self.publish { "Published" } else { "Draft" },
            "approval": match self.approval {
                Approval::Automatic => "Automatic",
                Approval::Manual => "Manual",
            },
            "credentials": self.credentials(),
        });
        if let Some(title) = &self.title {
            spec["title"] = title.as_str().into();
        }
        let rates: Vec<Value> = self.rates.iter().map(Rate::written).collect();
        let quotas: Vec<Value> = self.quotas.iter().map(Quota::written).collect();
        for (field, terms) in [("rates", rates), ("quotas", quotas)] {
            if !terms.is_empty() {
                spec[field] = terms.into();
            }
        }
        spec
    }

    fn credentials(&self) -> Vec<&'static str> {
        let word = |credential: &Credential| match credential {
            Credential::ApiKey => "APIKey",
            Credential::Spiffe => "SPIFFE",
            Credential::ClientCertificate => "ClientCertificate",
            Credential::Jwt => "JWT",
        };
        match (self.keyless, self.credentials.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => vec!["APIKey", "SPIFFE"],
            (false, false) => self.credentials.iter().map(word).collect(),
        }
    }
}
