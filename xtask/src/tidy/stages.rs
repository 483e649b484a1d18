//! No stage of the proxy imports another stage.
//!
//! Stages meet in `pipeline.rs` and share the value that travels, the failure table and state. When one stage
//! reaches into another, the order of a request can no longer be read in one file.

use super::Finding;
use super::source::{Source, Token};

const PROXY: &str = "crates/proxy/src/";

/// The stages, in the order of a request.
const STAGES: &[&str] = &["listener", "codec", "route", "filters", "upstream", "respond", "log"];

/// Modules that may import stages, and why.
const JOINERS: &[(&str, &str)] = &[
    ("pipeline", "it is the one file that knows the order"),
    ("proxy", "it starts the workers and the log's writer for whoever embeds the data plane"),
    ("worker", "it starts the listeners and owns the log"),
    (
        "downstream",
        "it is the client's end of an exchange: reads with the codec, writes what `respond` composed",
    ),
    (
        "authorizer",
        "it asks others about a request, over the upstream stage, and answers what they refuse with",
    ),
    ("copies", "it makes the side calls that mirror filters noted, over the upstream stage"),
    ("tunnel", "it joins both ends of an upgraded connection"),
    ("tcp", "it is the one file that knows the order of a connection that carries bytes"),
];

/// Crossings that are wanted, and why.
#[rustfmt::skip] // the table is the point
const CROSSINGS: &[(&str, &str, &str)] = &[
    ("upstream", "codec", "requests leave in the same codec in which they arrive; there is one, not two"),
    ("wire", "codec", "the guard follows HTTP/2 frames below the library that reads them"),
    ("stream", "codec", "a body is framed by the codec, whichever way it moves"),
    ("wire", "codec", "bytes are shown to the codec's guard before the HTTP/2 library works for them"),
    ("state", "upstream", "kept connections are state, and their type is the upstream stage's"),
    ("respond", "filters", "the response side of a filter stands in the filter's own file"),
    ("filters", "respond", "a filter that answers itself does so with the answer type of `respond`"),
];

/// Checks one file of the proxy.
pub fn check(source: &Source) -> Vec<Finding> {
    let Some(module) = module_path(&source.path) else { return Vec::new() };
    if source.is_test() {
        return Vec::new();
    }
    let from = module.first().map_or("", String::as_str);
    imports(&source.tokens, &module)
        .into_iter()
        .filter(|(to, line)| !is_free(from, to) && !source.is_test_line(*line))
        .map(|(to, line)| {
            let problem = format!("`{from}` imports stage `{to}`; let the pipeline hand over what it needs");
            Finding::new("stage", &source.path, line, problem)
        })
        .collect()
}

fn is_free(from: &str, to: &str) -> bool {
    !STAGES.contains(&to)
        || from == to
        || from.is_empty() // lib.rs only declares and re-exports
        || JOINERS.iter().any(|(joiner, _)| *joiner == from)
        || CROSSINGS.iter().any(|(one, other, _)| (*one, *other) == (from, to))
}

/// `crates/proxy/src/codec/http1.rs` is the module `codec::http1`; `None` outside the proxy.
fn module_path(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix(PROXY)?.strip_suffix(".rs")?;
    let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    Some(parts)
}

/// The top-level modules of this crate that a file names, with the line of each.
fn imports(tokens: &[Token], module: &[String]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let depth = match tokens[index].text.as_str() {
            "crate" => Some(0),
            "super" => Some(module.len().saturating_sub(1)),
            _ => None,
        };
        let Some(mut depth) = depth else {
            index += 1;
            continue;
        };
        index += 1;
        while is_path_mark(tokens, index) && text(tokens, index + 2) == "super" {
            depth = depth.saturating_sub(1);
            index += 3;
        }
        if is_path_mark(tokens, index) {
            if depth == 0 {
                found.extend(heads(tokens, index + 2));
            }
            index += 2;
        }
    }
    found
}

/// The first name of each branch after `crate::`, be it one name or a braced list.
fn heads(tokens: &[Token], start: usize) -> Vec<(String, usize)> {
    if text(tokens, start) != "{" {
        return tokens.get(start).map(|token| (token.text.clone(), token.line)).into_iter().collect();
    }
    let mut found = Vec::new();
    let mut depth = 0;
    let mut at_branch = false;
    for token in &tokens[start..] {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if at_branch && depth == 1 {
            found.push((token.text.clone(), token.line));
        }
        at_branch = depth == 1 && matches!(token.text.as_str(), "{" | ",");
        if depth == 0 {
            break;
        }
    }
    found
}

fn is_path_mark(tokens: &[Token], index: usize) -> bool {
    text(tokens, index) == ":" && text(tokens, index + 1) == ":"
}

fn text(tokens: &[Token], index: usize) -> &str {
    tokens.get(index).map_or("", |token| token.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::parse(path, text).unwrap()).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_stage_that_imports_a_stage_is_found_however_it_is_written() {
        for text in [
            "use crate::route::Matched;",
            "use crate::{failure::Failure, route::Matched};",
            "fn a() { crate::route::choose() }",
            "fn a() { b!(crate::route::choose()) }",
            "use super::super::route::Matched;",
        ] {
            assert_eq!(lines("crates/proxy/src/filters/cors.rs", text), [1], "{text}");
        }
        assert_eq!(lines("crates/proxy/src/respond.rs", "use super::upstream::Attempt;"), [1]);
    }

    #[test]
    fn shared_modules_may_not_reach_up_into_a_stage() {
        assert_eq!(lines("crates/proxy/src/exchange.rs", "use crate::upstream::Attempt;"), [1]);
    }

    #[test]
    fn what_is_shared_ones_own_stage_joiners_and_tests_are_free() {
        assert!(
            lines("crates/proxy/src/route.rs", "use crate::{failure::Failure, exchange::Exchange};")
                .is_empty()
        );
        assert!(
            lines("crates/proxy/src/codec/http1.rs", "use crate::codec::canonical; use super::a;").is_empty()
        );
        assert!(lines("crates/proxy/src/pipeline.rs", "use crate::{codec, route};").is_empty());
        assert!(lines("crates/proxy/src/upstream/send.rs", "use crate::codec::http1;").is_empty());
        assert!(
            lines("crates/proxy/src/log.rs", "#[cfg(test)]\nmod tests { use crate::route::A; }").is_empty()
        );
        assert!(lines("crates/engine/src/a.rs", "use crate::route::A;").is_empty());
    }

    #[test]
    fn a_name_deep_inside_a_list_is_not_a_top_level_module() {
        assert!(
            lines("crates/proxy/src/filters/a.rs", "use crate::{state::{route, log}, failure};").is_empty()
        );
    }
}
