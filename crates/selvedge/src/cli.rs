//! The command line: one definition that is parser, help and reference.

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::commands::{control, echo, explain, gateway, up, validate, version};
use crate::exit::{Exit, Failure};
use crate::output;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold());

const EXAMPLES: &str = "\
Examples:
  selvedge up                                   a gateway with two sample services, ready to call
  selvedge up -f gateway.yaml                   a gateway of your own; edits to the file apply live
  selvedge control --data /var/lib/selvedge     a control plane for kubectl and for gateways
  selvedge gateway --control https://control.example:19443 --token-file gateway.token
                                                a gateway whose configuration comes from a control plane
  selvedge validate gateway.yaml                every mistake at once, then each object's state
  selvedge explain -f gateway.yaml GET http://shop.example/cart -H 'x-beta: 1'
                                                which rule answers this request, and why
  selvedge echo --listen 127.0.0.1:9001         an upstream that reports what it received

Exit codes: 0 done, 1 the configuration has mistakes, 2 the command line has, 3 the machine said no.";

/// An API gateway in one binary, described with the Gateway API of Kubernetes.
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
    Validate(validate::Arguments),
    Explain(explain::Arguments),
    Echo(echo::Arguments),
    Version(version::Arguments),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> Exit {
    let result = match Cli::try_parse() {
        Ok(cli) => run(cli.command),
        Err(error) => return usage(&error),
    };
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            output::error(&failure);
            failure.exit()
        }
    }
}

fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Up(arguments) => up::run(arguments),
        Command::Control(arguments) => control::run(arguments),
        Command::Gateway(arguments) => gateway::run(arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Echo(arguments) => echo::run(arguments),
        Command::Version(arguments) => version::run(&arguments),
    }
}

/// Help and version are what was asked for; anything else is a mistake and ends in a hint, like all of ours.
fn usage(error: &clap::Error) -> Exit {
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent_and_every_command_says_what_it_does() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        command.build();
        for sub in command.get_subcommands() {
            assert!(sub.get_about().is_some(), "{} has no description", sub.get_name());
        }
    }
}
