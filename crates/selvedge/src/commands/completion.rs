//! `selvedge completion`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::exit::{Exit, Failure};
use crate::output;

/// Write a completion script for your shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge completion bash > ~/.local/share/bash-completion/completions/selvedge
  selvedge completion zsh > ~/.zfunc/_selvedge          with `fpath+=~/.zfunc` before `compinit`
  selvedge completion fish > ~/.config/fish/completions/selvedge.fish")]
pub struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = [
        clap::builder::PossibleValue::new("bash"),
        clap::builder::PossibleValue::new("zsh"),
        clap::builder::PossibleValue::new("fish"),
    ])]
    shell: String,
}

/// Prints the script.
pub fn run<C: CommandFactory>(arguments: &Arguments) -> Result<Exit, Failure> {
    let shell: Shell = arguments.shell.parse().map_err(|_| {
        Failure::new(Exit::Usage, format!("no shell `{}`", arguments.shell), "there are: bash, zsh, fish")
    })?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut C::command(), "selvedge", &mut script);
    output::data(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Success)
}
