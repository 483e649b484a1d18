//! The chores of this repository: `cargo xtask check | tidy | gen | bench | setup`.
//!
//! They are a program and not a pile of scripts, so that the same gate runs at home and in CI, and so that
//! every rule it enforces has a test which shows the rule refusing something.

mod bench;
mod check;
mod child;
mod clients;
mod pages;
mod setup;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  check                     the whole gate: fmt, clippy, tidy, gen --check, tests
  tidy                      the house rules that no compiler checks
  gen [--check]             write (or compare) docs/limits.md, docs/failures.md and docs/cli.md
  bench [OPTION|WORKLOAD…]  build for release, measure beside the peers, write bench/RESULTS.md
  setup [tests|bench]       install what tests and benchmarks need";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();

    let outcome = match words.as_slice() {
        ["check"] => check::run(),
        ["tidy"] => tidy::run(),
        ["gen"] => pages::run(pages::Mode::Write),
        ["gen", "--check"] => pages::run(pages::Mode::Compare),
        ["bench", rest @ ..] => bench::run(rest),
        ["setup"] => setup::run(setup::Group::ALL),
        ["setup", "tests"] => setup::run(&[setup::Group::Tests]),
        ["setup", "bench"] => setup::run(&[setup::Group::Bench]),
        _ => Err(USAGE.to_owned()),
    };

    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
