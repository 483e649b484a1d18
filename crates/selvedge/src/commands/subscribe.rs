//! `selvedge subscribe`

use clap::Args;
use client::{ApiKind, Collection, ListOptions};
use model::kinds::{KindName, PRODUCT_GROUP};
use model::units::Moment;
use serde_json::{Value, json};

use crate::customers::{Customers, Place, curl};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::block_on;

/// The application of who names none.
const DEFAULT_APPLICATION: &str = "default";

/// Subscribe an application to a product, and get a key that works
///
/// The application is made when there is none. The key is shown once and kept nowhere.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge subscribe weather --plan free
  selvedge subscribe weather --plan free --app mobile
  selvedge subscribe weather --plan gold --app mobile --from 2027-01-01T00:00:00Z
  selvedge subscribe bank/payments --plan gold --app trading --no-key
An application that is recognised by an identity of the mesh needs no key: `selvedge app create --identity`.")]
pub struct Arguments {
    /// The APIProduct: a name, or NAMESPACE/NAME of another namespace
    #[arg(value_name = "PRODUCT")]
    product: String,
    /// The Plan; `free` also means `PRODUCT-free`
    #[arg(long, value_name = "PLAN")]
    plan: String,
    /// The application
    #[arg(long = "app", value_name = "APPLICATION", default_value = DEFAULT_APPLICATION)]
    application: String,
    /// From when on, such as 2027-01-31T12:00:00Z; at once when absent
    #[arg(long, value_name = "MOMENT")]
    from: Option<Moment>,
    /// Make no key
    #[arg(long)]
    no_key: bool,
    #[command(flatten)]
    place: Place,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    block_on(arguments.run())
}

impl Arguments {
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.place.open()?;
        let (namespace, product) =
            self.product.split_once('/').unwrap_or((&customers.namespace, &self.product));
        customers.application(&self.application).await?;
        let plan = plan(&customers, namespace, product, &self.plan).await;
        let mut spec = json!({ "application": self.application, "product": self.product, "plan": plan });
        if let Some(from) = self.from {
            spec["startsAt"] = from.to_string().into();
        }
        let name = free_name(&customers, format!("{}-{product}", self.application)).await;
        let made = customers.create(KindName::Subscription, &name, spec).await?;
        output::note(format_args!("subscription/{} is {}", made.name(), made.text("/status/state")));
        match made.text("/status/state") {
            "Requested" => output::note(format_args!(
                "hint: the plan asks for a yes; calls are refused until `selvedge subscription approve {}`",
                made.name()
            )),
            "Scheduled" => output::note("hint: calls are refused until it begins, by itself"),
            _ => {}
        }
        if self.no_key {
            return Ok(Exit::Success);
        }
        let (name, key) = customers.key(&self.application, Value::Null).await?;
        output::note(format_args!("credential/{name} made; this is the only time that its key is shown"));
        output::data(&key);
        match curl::served(&customers.client, namespace, product).await {
            Some(served) => output::data(served.line(&key)),
            None => output::note("hint: send it with each request, as `x-api-key: KEY`"),
        }
        Ok(Exit::Success)
    }
}

/// The name, or one that is made up behind it where a subscription that is over has it.
async fn free_name(customers: &Customers, name: String) -> String {
    match customers.get(KindName::Subscription, &name).await {
        Ok(old) if matches!(old.text("/status/state"), "Closed" | "Rejected") => name + "-",
        Ok(_) | Err(_) => name,
    }
}

/// The name of the plan as it is kept: the word itself, or that behind the product. What is neither is left for the
/// control plane to refuse, with what there is.
pub(super) async fn plan(customers: &Customers, namespace: &str, product: &str, word: &str) -> String {
    let kind = ApiKind::new(PRODUCT_GROUP, "v1alpha1", "Plan", "plans", true);
    let plans = Collection::within(kind, namespace);
    let Ok(plans) = customers.client.list(&plans, &ListOptions::default()).await else {
        return word.to_owned();
    };
    let longer = format!("{product}-{word}");
    let of_product = || plans.objects.iter().filter(|plan| plan.text("/spec/product") == product);
    let is_one = |name: &str| of_product().any(|plan| plan.name() == name);
    if !is_one(word) && is_one(&longer) { longer } else { word.to_owned() }
}
