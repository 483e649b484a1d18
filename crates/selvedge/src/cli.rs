//! The command line: one definition that is parser, help and reference.

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    api, app, apply, authz, bind, completion, control, delete, describe, diff, echo, edit, explain, gateway,
    get, key, mesh, plan, product, sidecar, status, subscribe, subscription, tap, token, top, up, usage,
    validate, version,
};
use crate::exit::{Exit, Failure};
use crate::output;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold());

/// Commands by what one wants to do. Every command stands in exactly one group, which a test holds.
const TASKS: &[(&str, &[&str])] = &[
    ("Run", &["up", "control", "gateway", "sidecar", "echo"]),
    ("Change what is wanted", &["apply", "edit", "delete"]),
    ("Offer APIs", &["api", "bind", "product", "plan"]),
    ("Let workloads into the mesh", &["token", "mesh"]),
    ("Let applications call", &["app", "subscribe", "subscription", "key", "usage"]),
    ("See what is", &["get", "describe", "status", "top", "tap"]),
    ("Know before it happens", &["validate", "diff", "explain", "authz"]),
    ("This program", &["completion", "version"]),
];

const EXAMPLES: &str = "\
A first walk:
  selvedge up                                   a gateway with two sample services, ready to call
  selvedge up -f gateway.yaml                   a gateway of your own; edits to the file apply live
  selvedge control --data /var/lib/selvedge     a control plane for kubectl and for gateways
  selvedge gateway --control https://control.example:19443 --token-file gateway.token
                                                a gateway whose configuration comes from a control plane
  selvedge sidecar --workload shop/cart-1 --control https://control.example:19443 --token-file t -- ./cart
                                                an application as a member of the mesh
  selvedge validate gateway.yaml                every mistake at once, then each object's state
  selvedge explain -f gateway.yaml GET http://shop.example/cart
                                                which rule answers this request, and why
An API out of its description:
  selvedge up petstore.yaml                     routes and a mock, ready to call
  selvedge bind petstore --upstream http://127.0.0.1:9000
                                                the service itself behind the same URL
  selvedge product show petstore                who may call it, on which plans
With a control plane (`selvedge up` runs one, too, and says how to name it):
  selvedge diff -f shop.yaml                    what would change, and which requests with it
  selvedge apply -f shop.yaml --wait            make it so, and wait until every proxy runs on it
  selvedge get httproutes -A                    what there is
  selvedge status                               what is wrong, if anything";

/// An API gateway, API management and a service mesh in one binary, described with the Gateway API of Kubernetes.
#[derive(Debug, Parser)]
#[command(
    name = "selvedge",
    version,
    styles = STYLES,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Arguments),
    Control(control::Arguments),
    Gateway(gateway::Arguments),
    Sidecar(Box<sidecar::Arguments>),
    Api(api::Arguments),
    Bind(bind::Arguments),
    Product(product::Arguments),
    Plan(plan::Arguments),
    Validate(validate::Arguments),
    Explain(explain::Arguments),
    Authz(authz::Arguments),
    Apply(apply::Arguments),
    Get(get::Arguments),
    Describe(describe::Arguments),
    Delete(delete::Arguments),
    Edit(edit::Arguments),
    Diff(diff::Arguments),
    Token(token::Arguments),
    Mesh(mesh::Arguments),
    App(app::Arguments),
    Subscribe(subscribe::Arguments),
    Subscription(subscription::Arguments),
    Key(key::Arguments),
    Usage(usage::Arguments),
    Status(status::Arguments),
    Top(top::Arguments),
    Tap(tap::Arguments),
    Echo(echo::Arguments),
    Completion(completion::Arguments),
    Version(version::Arguments),
}

/// The definition with its commands grouped by task.
fn definition() -> clap::Command {
    let command = Cli::command();
    let header = command.get_styles().get_header();
    let literal = command.get_styles().get_literal();
    let about = |name: &str| {
        let found = command.find_subcommand(name).and_then(clap::Command::get_about);
        found.map(ToString::to_string).unwrap_or_default()
    };
    let mut groups = String::new();
    for (task, names) in TASKS {
        groups.push_str(&format!("{header}{task}:{header:#}\n"));
        for name in *names {
            groups.push_str(&format!("  {literal}{name:<12}{literal:#}  {}\n", about(name)));
        }
        groups.push('\n');
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    let codes = Exit::ALL.map(|(exit, meaning)| format!("\n  {}  {meaning}", exit as u8)).concat();
    command.help_template(template).after_help(format!("{EXAMPLES}\n\nExit codes:{codes}"))
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let parsed = definition().try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let result = match parsed {
        Ok(cli) => run(cli.command),
        Err(error) => return misused(&error).into(),
    };
    result.unwrap_or_else(|failure| {
        output::error(&failure);
        failure.exit().into()
    })
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    let exit = match command {
        // How an application ends is said in its own words.
        Command::Sidecar(arguments) => return sidecar::run(*arguments),
        Command::Up(arguments) => up::run(arguments),
        Command::Control(arguments) => control::run(arguments),
        Command::Gateway(arguments) => gateway::run(arguments),
        Command::Api(arguments) => api::run(&arguments),
        Command::Bind(arguments) => bind::run(&arguments),
        Command::Product(arguments) => product::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Authz(arguments) => authz::run(&arguments),
        Command::Apply(arguments) => apply::run(&arguments),
        Command::Get(arguments) => get::run(&arguments),
        Command::Describe(arguments) => describe::run(&arguments),
        Command::Delete(arguments) => delete::run(&arguments),
        Command::Edit(arguments) => edit::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Mesh(arguments) => mesh::run(&arguments),
        Command::App(arguments) => app::run(&arguments),
        Command::Subscribe(arguments) => subscribe::run(&arguments),
        Command::Subscription(arguments) => subscription::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Usage(arguments) => usage::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Tap(arguments) => tap::run(&arguments),
        Command::Echo(arguments) => echo::run(arguments),
        Command::Completion(arguments) => completion::run::<Cli>(&arguments),
        Command::Version(arguments) => version::run(&arguments),
    }?;
    Ok(exit.into())
}

/// Help and version are what was asked for; anything else is a mistake and ends in a hint, like all of ours.
fn misused(error: &clap::Error) -> Exit {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _reader_gone = error.print();
        return if error.use_stderr() { Exit::Usage } else { Exit::Success };
    }
    let text = error.render().ansi().to_string();
    let (said, _) = text.split_once("\nFor more information").unwrap_or((&text, ""));
    output::note(format_args!("{}\n", said.trim_end()));
    output::error("hint: `selvedge --help` and `selvedge COMMAND --help` show examples");
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent_and_every_command_says_what_it_does() {
        let mut command = definition();
        command.clone().debug_assert();
        command.build();
        for sub in command.get_subcommands() {
            assert!(sub.get_about().is_some(), "{} has no description", sub.get_name());
        }
    }

    #[test]
    fn every_command_has_one_place_in_the_help_and_examples_of_its_own() {
        for sub in definition().get_subcommands() {
            let name = sub.get_name();
            let places = TASKS.iter().filter(|(_, names)| names.contains(&name)).count();
            assert_eq!(places, 1, "`{name}` in TASKS");
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:"), "`{name}` shows no examples");
        }
        let known: Vec<String> =
            definition().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        assert!(
            TASKS.iter().flat_map(|(_, names)| *names).all(|name| known.iter().any(|known| known == name))
        );
    }
}
