//! The whole gate, the same at home and in CI.
//!
//! Every step runs even when an earlier one failed: a person wants all the bad news of one run, not the first
//! piece of it. The last line is plain `N passed, M failed`, the sum over every test program.

use crate::{child, pages, tidy};
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What all test programs together reported.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds a line like `test result: ok. 12 passed; 0 failed; 1 ignored; …`; other lines count nothing.
    fn add_line(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result:") else { return };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            let Some(Ok(number)) = words.next().map(str::parse::<u64>) else { continue };
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// One step of the gate, for the line of counts.
struct Step {
    name: &'static str,
    outcome: Result<String, String>,
    took: Duration,
}

/// Runs the gate.
pub fn run() -> Result<String, String> {
    let mut steps = vec![
        step("fmt", || child::run(child::cargo(&["fmt", "--all", "--check"])).map(|()| String::new())),
        step("clippy", || {
            let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
            child::run(child::cargo(&arguments)).map(|()| String::new())
        }),
        step("tidy", tidy::run),
        step("gen", || pages::run(pages::Mode::Compare)),
        step("bench", || {
            let arguments = ["-m", "unittest", "--quiet", "test_bench"];
            let mut python = child::command("python3", &arguments);
            python.current_dir(child::root().join("bench")).env("PYTHONDONTWRITEBYTECODE", "1");
            child::run(python).map(|()| String::new())
        }),
    ];

    let mut tally = Tally::default();
    for (name, arguments) in TESTS {
        steps.push(step(name, || test(child::cargo(arguments), &mut tally)));
    }

    for problem in steps.iter().filter_map(|step| step.outcome.as_ref().err()) {
        eprintln!("\n{problem}");
    }
    println!("\n{}", counts(&steps, &tally));
    let line = format!("{} passed, {} failed", tally.passed, tally.failed);
    if steps.iter().all(|step| step.outcome.is_ok()) {
        return Ok(line);
    }
    println!("{line}");
    Err(String::new())
}

/// The test runs that are counted: the workspace, and the benchmark tools that live outside of it.
const TESTS: &[(&str, &[&str])] = &[
    ("tests", &["test", "--workspace", "--no-fail-fast"]),
    ("bench tools", &["test", "--quiet", "--manifest-path", "bench/tools/Cargo.toml"]),
];

#[allow(
    clippy::disallowed_methods,
    reason = "how long a step took is told to people, and no decision hangs on it"
)]
fn step(name: &'static str, work: impl FnOnce() -> Result<String, String>) -> Step {
    println!("── {name}");
    let begin = Instant::now();
    let outcome = work();
    let took = begin.elapsed();
    if let Ok(line) = &outcome
        && !line.is_empty()
    {
        println!("{line}");
    }
    Step { name, outcome, took }
}

/// Passes the test program's output through and counts its result lines as they go by.
///
/// Most tests wait for processes more than they compute, so twice as many as there are cores run beside each other,
/// unless `RUST_TEST_THREADS` says otherwise.
fn test(mut command: Command, tally: &mut Tally) -> Result<String, String> {
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        command.env("RUST_TEST_THREADS", (2 * cores).to_string());
    }
    // Built by this very command, for the tests of its own crate; asked for alone it would need its libraries again,
    // with other features.
    if std::env::var_os("SELVEDGE_BIN").is_none() {
        command.env("SELVEDGE_BIN", child::built().join("selvedge"));
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|problem| format!("cannot start the tests: {problem}"))?;
    let stdout = child.stdout.take().ok_or("the tests have no output")?;

    let mut mine = Tally::default();
    let mut screen = std::io::stdout().lock();
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|problem| format!("cannot read the tests' output: {problem}"))?;
        mine.add_line(&line);
        writeln!(screen, "{line}").map_err(|problem| format!("cannot write: {problem}"))?;
    }
    drop(screen);
    let status = child.wait().map_err(|problem| format!("cannot wait for the tests: {problem}"))?;

    if !status.success() && mine.failed == 0 {
        mine.failed = 1; // It did not compile, or died before it could count.
    }
    tally.passed += mine.passed;
    tally.failed += mine.failed;
    tally.ignored += mine.ignored;
    if mine.failed == 0 { Ok(String::new()) } else { Err(format!("tests: {} failed", mine.failed)) }
}

fn counts(steps: &[Step], tally: &Tally) -> String {
    let mut words: Vec<String> = steps
        .iter()
        .map(|step| {
            let word = if step.outcome.is_ok() { "ok" } else { "FAILED" };
            format!("{} {word} ({} s)", step.name, step.took.as_secs())
        })
        .collect();
    words.push(format!("{} tests, {} ignored", tally.passed + tally.failed, tally.ignored));
    format!("check: {}", words.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_of_all_programs_are_summed_and_other_lines_count_nothing() {
        let mut tally = Tally::default();

        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
            "the test result: 9 passed",
        ] {
            tally.add_line(line);
        }

        assert_eq!(tally, Tally { passed: 7, failed: 2, ignored: 1 });
    }

    #[test]
    fn a_test_run_that_dies_before_counting_is_one_failure() {
        let mut tally = Tally::default();

        let outcome = test(child::command("false", &[]), &mut tally);

        assert!(outcome.is_err());
        assert_eq!(tally.failed, 1);
    }

    #[test]
    fn the_line_of_counts_names_the_step_that_failed_and_how_long_each_took() {
        let steps = [
            Step { name: "fmt", outcome: Ok(String::new()), took: Duration::from_millis(900) },
            Step { name: "tidy", outcome: Err("2 findings".to_owned()), took: Duration::from_secs(2) },
        ];

        let line = counts(&steps, &Tally { passed: 5, failed: 0, ignored: 1 });

        assert_eq!(line, "check: fmt ok (0 s) · tidy FAILED (2 s) · 5 tests, 1 ignored");
    }
}
