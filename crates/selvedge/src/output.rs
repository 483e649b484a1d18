//! The only place that writes to the terminal: data to stdout, everything else to stderr.
//!
//! Colours go through anstream, which takes them out when nobody can see them or `NO_COLOR` asks for that. A
//! reader that has gone away (`selvedge … | head`) is no error.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};

/// Names of things: commands, kinds.
pub const BOLD: Style = Style::new().bold();
/// Something is wrong.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// Something works.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// What to do next.
pub const CYAN: Style = AnsiColor::Cyan.on_default();

/// Writes what the command was asked for, and a line end.
pub fn data(text: impl Display) {
    let _reader_gone = writeln!(anstream::stdout().lock(), "{text}");
}

/// Tells people something, and a line end.
pub fn note(text: impl Display) {
    let _reader_gone = writeln!(anstream::stderr().lock(), "{text}");
}

/// Tells people what is wrong. The first word of the lines that begin with `error:` or `hint:` is coloured.
pub fn error(text: impl Display) {
    let lines: Vec<String> = text.to_string().lines().map(coloured).collect();
    note(lines.join("\n"));
}

fn coloured(line: &str) -> String {
    let begins = line.trim_start();
    let indent = &line[..line.len() - begins.len()];
    for (word, style) in [("error:", RED), ("hint:", CYAN)] {
        if let Some(rest) = begins.strip_prefix(word) {
            return format!("{indent}{style}{word}{style:#}{rest}");
        }
    }
    line.to_owned()
}

/// Some text in a style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
