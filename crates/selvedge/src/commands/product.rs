//! `selvedge product`

use clap::{Args, Subcommand};
use client::Object;
use model::kinds::KindName;
use model::page_url::PageUrl;
use serde_json::{Value, json};

use super::api::described;
use super::plan;
use crate::customers::{Customers, Named, Place, Places};
use crate::exit::{Exit, Failure};
use crate::output::{self, BOLD, styled};
use crate::product::bind::operations;
use crate::product::version;
use crate::remote::block_on;

/// Offer operations of APIs together, and take the offer through its life
///
/// An operation of a product that was published is for those who have subscribed to it, on one of its plans.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge product create weather --api weather-v1
  selvedge product create outlook --api weather-v1 --operation 'GET /forecasts/{}'
  selvedge plan create free --product weather --rate 2/1s --quota 1000/Month --publish
  selvedge product publish weather                        from here on a subscription is asked for
  selvedge product show weather                           what belongs to it, and its plans
  selvedge product deprecate weather                      who has it keeps it, nobody else gets it
  selvedge product archive weather                        it has ended: nobody is let in any more
A draft asks nobody for anything: make its plans first, then publish it.")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List products
    List(Places),
    /// Show what belongs to a product, and its plans
    Show(Named),
    Create(Create),
    /// Offer a product: its operations are for subscribers from here on
    Publish(Named),
    /// Offer a product to nobody else; those who have it keep it
    Deprecate(Named),
    /// End a product: nobody is let in any more
    Archive(Named),
}

/// Make a product, as a draft
#[derive(Debug, Args)]
struct Create {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// A version of an API that belongs to it, or an API that has one version; may be given more than once
    #[arg(long = "api", value_name = "API", required = true)]
    apis: Vec<String>,
    /// Only this operation of the API, such as 'GET /pets/{}'; may be given more than once, with one --api
    #[arg(long = "operation", value_name = "OPERATION")]
    operations: Vec<String>,
    /// What people call it
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// The page where a plan of it is chosen, an http or https URL; who has reached a limit is told of it
    #[arg(long, value_name = "URL")]
    page: Option<PageUrl>,
    /// Publish it at once
    #[arg(long)]
    publish: bool,
    #[command(flatten)]
    place: Place,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::List(places) => block_on(places.list(KindName::ApiProduct, None)),
        Action::Show(named) => block_on(show(named)),
        Action::Create(create) => block_on(create.run()),
        Action::Publish(named) => block_on(named.offer(KindName::ApiProduct, "Published")),
        Action::Deprecate(named) => block_on(named.offer(KindName::ApiProduct, "Deprecated")),
        Action::Archive(named) => block_on(named.offer(KindName::ApiProduct, "Archived")),
    }
}

impl Create {
    async fn run(&self) -> Result<Exit, Failure> {
        if self.apis.len() > 1 && !self.operations.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                "--operation says nothing with several --api",
                "make the product with one API, and add the others with `selvedge edit apiproduct`",
            ));
        }
        let customers = self.place.open()?;
        let mut parts = Vec::with_capacity(self.apis.len());
        for api in &self.apis {
            parts.push(part(&customers, api, &self.operations).await?);
        }
        let state = if self.publish { "Published" } else { "Draft" };
        let mut spec = json!({ "apis": parts, "state": state });
        if let Some(title) = &self.title {
            spec["title"] = title.as_str().into();
        }
        if let Some(page) = &self.page {
            spec["page"] = page.as_str().into();
        }
        customers.create(KindName::ApiProduct, &self.name, spec).await?;
        output::data(format_args!("apiproduct/{} made, {state}", self.name));
        if !self.publish {
            output::note(format_args!(
                "hint: `selvedge plan create free --product {0}`, then `selvedge product publish {0}`",
                self.name
            ));
        }
        Ok(Exit::Success)
    }
}

/// A version with the operations that are wanted of it; all of them when none is named.
async fn part(customers: &Customers, api: &str, wanted: &[String]) -> Result<Value, Failure> {
    let found = version(&customers.client, &customers.namespace, api).await?;
    let mut part = json!({ "version": found.name() });
    if !wanted.is_empty() {
        let revision = Some(found.text("/spec/revision")).filter(|revision| !revision.is_empty());
        let description = described(&customers.client, &customers.namespace, revision).await?;
        part["operations"] = match description {
            Some(description) => operations(&description, wanted)?.into(),
            None => wanted.into(),
        };
    }
    Ok(part)
}

async fn show(named: &Named) -> Result<Exit, Failure> {
    let customers = named.place.open()?;
    let product = customers.get(KindName::ApiProduct, &named.name).await?;
    lines(&product).iter().for_each(output::data);
    output::data("");
    plan::list(&customers.client, Some(&customers.namespace), Some(&named.name)).await
}

fn lines(product: &Object) -> Vec<String> {
    let field = |name: &str, value: &str| format!("{}  {value}", styled(BOLD, format!("{name:<9}")));
    let mut lines = vec![field("product", product.name())];
    let title = product.text("/spec/title");
    lines.extend((!title.is_empty()).then(|| field("title", title)));
    lines.push(field("state", product.text("/spec/state")));
    let page = product.text("/spec/page");
    lines.extend((!page.is_empty()).then(|| field("page", page)));
    let parts = product.0.pointer("/spec/apis").and_then(Value::as_array);
    for part in parts.into_iter().flatten() {
        let version = part["version"].as_str().unwrap_or_default();
        match part["operations"].as_array() {
            None => lines.push(field("has", &format!("all of {version}"))),
            Some(operations) => lines.extend(
                operations
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|key| field("has", &format!("{key} of {version}"))),
            ),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_shown_with_all_that_belongs_to_it() {
        let product = Object(json!({
            "metadata": { "name": "weather" },
            "spec": {
                "title": "Weather", "state": "Published", "page": "https://weather.example/plans",
                "apis": [{ "version": "weather-v1", "operations": ["GET /a", "GET /b"] }, { "version": "maps-v2" }],
            },
        }));

        let lines = lines(&product).join("\n");

        for said in [
            "Weather",
            "Published",
            "https://weather.example/plans",
            "GET /a of weather-v1",
            "GET /b of weather-v1",
            "all of maps-v2",
        ] {
            assert!(lines.contains(said), "{lines}");
        }
    }
}
