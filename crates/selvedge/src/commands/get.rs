//! `selvedge get`

use clap::Args;
use client::{Client, Collection, Event, ListOptions, Object};

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::target::{self, Target};
use crate::remote::{Connection, block_on, failure};
use crate::show::form::{self, Form};
use crate::show::table::Table;

/// Show objects
///
/// Kinds go by their plural, singular or short names: httproutes, httproute, hr. Tables are what the control plane
/// shows; every other form holds whole objects.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge get gateways                        those of the namespace `default`
  selvedge get httproutes -A                   those of all namespaces
  selvedge get gw,hr,svc -n shop               several kinds
  selvedge get httproute checkout -n shop -o yaml
  selvedge get services -l app=shop -o name
  selvedge get httproutes -A -w                and what happens to them from now on
  selvedge get gw edge -o jsonpath='{.status.addresses[*].value}'
Kinds: gateways (gw), httproutes (hr), services (svc), backends (be), secrets, namespaces (ns), … and proxies.
`selvedge get` alone names all of them.")]
pub struct Arguments {
    /// KIND, KIND,KIND, KIND NAME…, or KIND/NAME …
    #[arg(value_name = "KIND [NAME]")]
    what: Vec<String>,
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Only objects with these labels, such as app=shop,tier!=test
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only objects with these fields: metadata.name, metadata.namespace
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
    /// Stay, and show what happens
    #[arg(short, long)]
    watch: bool,
    /// Form of the result: table, wide, yaml, json, name, jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORM", default_value = "table", value_parser = form::parse)]
    output: Form,
    /// Show who set which field, too
    #[arg(long)]
    show_managed_fields: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Shows what there is.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let targets = target::parse(&arguments.what)?;
    if arguments.all_namespaces && targets.iter().any(|target| target.name.is_some()) {
        return Err(target::one_namespace());
    }
    if arguments.watch && targets.len() > 1 {
        return Err(Failure::new(Exit::Usage, "one thing can be watched at a time", "name one kind"));
    }
    let client = arguments.connection.open()?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
    let getting = Getting { arguments, client, namespace };
    block_on(getting.show(&targets))?;
    Ok(Exit::Success)
}

struct Getting<'a> {
    arguments: &'a Arguments,
    client: Client,
    namespace: String,
}

impl Getting<'_> {
    async fn show(&self, targets: &[Target]) -> Result<(), Failure> {
        match self.arguments.output {
            Form::Table | Form::Wide => self.tables(targets).await,
            Form::Yaml | Form::Json | Form::Name | Form::JsonPath(_) => self.objects(targets).await,
        }
    }

    fn options(&self) -> ListOptions {
        ListOptions { labels: self.arguments.selector.clone(), fields: self.arguments.field_selector.clone() }
    }

    fn collection(&self, target: &Target) -> Collection {
        target.collection(&self.namespace, self.arguments.all_namespaces)
    }

    async fn tables(&self, targets: &[Target]) -> Result<(), Failure> {
        for (position, target) in targets.iter().enumerate() {
            let collection = self.collection(target);
            let table = match &target.name {
                Some(name) => self.client.table_of(&collection, name).await,
                None => self.client.table(&collection, &self.options()).await,
            };
            let answer = table.map_err(failure)?;
            let table = self.table(&answer);
            if table.is_empty() {
                output::note(self.nothing(target));
            } else {
                if position > 0 && targets[position - 1].kind != target.kind {
                    output::data("");
                }
                let header = position == 0 || targets[position - 1].kind != target.kind;
                output::data(table.lines(header).join("\n"));
            }
            if self.arguments.watch {
                let revision = answer["metadata"]["resourceVersion"].as_str().unwrap_or_default();
                self.follow(target, revision).await?;
            }
        }
        Ok(())
    }

    /// What the control plane shows, or names where it shows nothing.
    fn table(&self, answer: &serde_json::Value) -> Table {
        let wide = matches!(self.arguments.output, Form::Wide);
        let spread = self.arguments.all_namespaces;
        Table::of_server(answer, wide, spread).unwrap_or_else(|| {
            let mut table = Table::new(&["NAME"]);
            let items = answer["items"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
            for item in items {
                table.row(vec![Object(item).place()]);
            }
            table
        })
    }

    fn nothing(&self, target: &Target) -> String {
        let Target { kind, .. } = target;
        let selected = if self.arguments.selector.is_some() { " with these labels" } else { "" };
        match kind.namespaced && !self.arguments.all_namespaces {
            true => format!(
                "no {}{selected} in namespace `{}`; -A looks in all of them",
                kind.plural, self.namespace
            ),
            false => format!("no {}{selected}", kind.plural),
        }
    }

    async fn objects(&self, targets: &[Target]) -> Result<(), Failure> {
        let (mut objects, mut revision) = (Vec::new(), String::new());
        for target in targets {
            let collection = self.collection(target);
            match &target.name {
                Some(name) => {
                    let object = self.client.get(&collection, name).await.map_err(failure)?;
                    object.resource_version().clone_into(&mut revision);
                    objects.push(object);
                }
                None => {
                    let listed = self.client.list(&collection, &self.options()).await.map_err(failure)?;
                    revision = listed.resource_version;
                    objects.extend(listed.objects);
                }
            }
        }
        let named = targets.len() == 1 && targets[0].name.is_some();
        let objects: Vec<Object> = objects.into_iter().map(|object| self.shown(object)).collect();
        let text = form::text(&self.arguments.output, &objects, named);
        if !text.is_empty() {
            output::data(text);
        }
        match (self.arguments.watch, targets) {
            (true, [target]) => self.follow(target, &revision).await,
            _ => Ok(()),
        }
    }

    fn shown(&self, object: Object) -> Object {
        if self.arguments.show_managed_fields { object } else { object.without_managers() }
    }

    /// Shows what happens, until somebody ends it.
    async fn follow(&self, target: &Target, revision: &str) -> Result<(), Failure> {
        let mut options = self.options();
        if let Some(name) = &target.name {
            options.fields = Some(format!("metadata.name={name}"));
        }
        let mut watch = self.client.watch(self.collection(target), options, revision);
        loop {
            match watch.next().await.map_err(failure)? {
                Event::Added(object) | Event::Modified(object) => self.happened(target, object).await?,
                Event::Deleted(object) => {
                    output::note(format_args!("{} deleted", form::name(&object)));
                }
                Event::Relisted(listed) => {
                    output::note("changes were missed; this is everything there is now");
                    for object in listed.objects {
                        self.happened(target, object).await?;
                    }
                }
            }
        }
    }

    async fn happened(&self, target: &Target, object: Object) -> Result<(), Failure> {
        match self.arguments.output {
            Form::Table | Form::Wide => {
                let collection = match object.namespace() {
                    Some(namespace) => Collection::within(target.kind.clone(), namespace),
                    None => self.collection(target),
                };
                match self.client.table_of(&collection, object.name()).await {
                    Ok(answer) => output::data(self.table(&answer).lines(false).join("\n")),
                    // It went before we asked; that will be told next.
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(failure(error)),
                }
            }
            Form::Yaml => {
                let text = form::text(&self.arguments.output, &[self.shown(object)], true);
                output::data(format_args!("---\n{text}"));
            }
            Form::Json | Form::Name | Form::JsonPath(_) => {
                output::data(form::text(&self.arguments.output, &[self.shown(object)], true));
            }
        }
        Ok(())
    }
}
