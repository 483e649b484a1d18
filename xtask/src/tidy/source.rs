//! A Rust file, read and parsed once for all rules.
//!
//! Parsed, because a rule about functions or paths that looks at text alone is fooled by strings and comments.

use super::Finding;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use syn::spanned::Spanned;

/// One file.
pub struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    /// As written.
    pub text: String,
    /// As parsed.
    pub syntax: syn::File,
    /// Every token in order, groups opened and closed by their delimiters.
    pub tokens: Vec<Token>,
    /// Lines that are compiled for tests only.
    pub test_lines: Vec<RangeInclusive<usize>>,
    /// Lines that rustfmt was told to leave alone, and macro definitions, which it cannot format.
    pub table_lines: Vec<RangeInclusive<usize>>,
}

/// A word or a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its text; a delimiter is one of `(){}[]`.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

impl Source {
    /// Parses a file's text.
    pub fn parse(path: &str, text: &str) -> Result<Source, String> {
        let syntax = syn::parse_file(text).map_err(|problem| format!("{path}: {problem}"))?;
        let stream = TokenStream::from_str(text).map_err(|problem| format!("{path}: {problem}"))?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let lines_of = |wanted: fn(&syn::Item) -> bool| {
            syntax.items.iter().filter(|item| wanted(item)).map(lines).collect::<Vec<_>>()
        };
        let test_lines = lines_of(|item| attributes(item).iter().any(is_test_only));
        let table_lines = lines_of(|item| is_macro_definition(item) || attributes(item).iter().any(is_table));
        Ok(Source { path: path.to_owned(), text: text.to_owned(), syntax, tokens, test_lines, table_lines })
    }

    /// Whether the whole file is tests: below a crate's `tests/` folder, or the body of `mod tests;`.
    pub fn is_test(&self) -> bool {
        let inside: Vec<&str> = self.path.split('/').skip(2).collect();
        inside.iter().any(|part| matches!(*part, "tests" | "tests.rs" | "benches"))
    }

    /// Whether a line is compiled for tests only.
    pub fn is_test_line(&self, line: usize) -> bool {
        self.test_lines.iter().any(|range| range.contains(&line))
    }
}

/// Every Rust file of the repository, and a finding for each that does not parse.
pub fn all(root: &Path) -> Result<(Vec<Source>, Vec<Finding>), String> {
    let (mut sources, mut unreadable) = (Vec::new(), Vec::new());
    for path in files(root, &["rs"])? {
        let text = read(root, &path)?;
        match Source::parse(&path, &text) {
            Ok(source) => sources.push(source),
            Err(problem) => unreadable.push(Finding::new("parse", &path, 0, problem)),
        }
    }
    Ok((sources, unreadable))
}

/// Paths of all files with one of these endings, sorted, without build output and hidden folders.
pub fn files(root: &Path, endings: &[&str]) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .map_err(|problem| format!("cannot read {}: {problem}", folder.display()))?;
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if path.is_dir() {
                let skipped = ["target", "work", "corpus", "node_modules"].contains(&&*name);
                if !skipped && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
                let inside = path.strip_prefix(root).unwrap_or(&path);
                found.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file's text.
pub fn read(root: &Path, path: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(path)).map_err(|problem| format!("cannot read {path}: {problem}"))
}

/// Lines of anything parsed, attributes included.
pub fn lines(node: &impl Spanned) -> RangeInclusive<usize> {
    let span = node.span();
    span.start().line..=span.end().line
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                into.push(Token { text: open.to_owned(), line: group.span_open().start().line });
                flatten(group.stream(), into);
                into.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            single => into.push(Token { text: single.to_string(), line: single.span().start().line }),
        }
    }
}

fn is_test_only(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let condition = list.tokens.to_string();
    attribute.path().is_ident("cfg") && (condition == "test" || condition.starts_with("all (test"))
}

fn is_table(attribute: &syn::Attribute) -> bool {
    let path = attribute.path();
    path.segments.len() == 2 && path.segments[0].ident == "rustfmt" && path.segments[1].ident == "skip"
}

fn is_macro_definition(item: &syn::Item) -> bool {
    matches!(item, syn::Item::Macro(item) if item.mac.path.is_ident("macro_rules"))
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[], // Kinds that are neither tests nor tables here; `syn::Item` is not ours and may grow.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_tests_module_are_known_as_such() {
        let source =
            Source::parse("crates/a/src/b.rs", "//! Why.\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n")
                .unwrap();

        assert!(!source.is_test_line(2));
        assert!(source.is_test_line(3) && source.is_test_line(5));
    }

    #[test]
    fn the_harness_is_code_but_the_specs_are_tests() {
        let at = |path: &str| Source::parse(path, "//! Why.\n").unwrap().is_test();

        assert!(!at("crates/tests/src/lib.rs"));
        assert!(at("crates/tests/tests/routing.rs"));
        assert!(at("crates/proxy/src/codec/tests.rs"));
        assert!(!at("crates/proxy/src/codec/http1.rs"));
    }

    #[test]
    fn what_does_not_parse_is_an_error_with_its_path() {
        assert!(Source::parse("crates/a/src/b.rs", "fn {").err().unwrap().contains("crates/a/src/b.rs"));
    }
}
