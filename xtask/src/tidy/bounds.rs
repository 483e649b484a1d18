//! Every bound of the proxy stands in its limit table, where it has a unit and a consequence.
//!
//! A constant called `…_MAX` in some other file is a limit that the documentation does not know.

use super::Finding;
use super::source::Source;
use syn::visit::{self, Visit};

const TABLE: &str = "crates/proxy/src/limits.rs";
const ENDINGS: &[&str] = &["_MAX", "_SECONDS", "_MILLISECONDS", "_TIMEOUT"];

/// Constants that look like bounds and are none, with the reason.
const NOT_BOUNDS: &[(&str, &str)] = &[
    ("NAME_BYTES_MAX", "the syntax of host names (RFC 1035): past it a host is malformed, `bad_host`"),
    ("LABEL_BYTES_MAX", "the syntax of host names (RFC 1035): past it a host is malformed, `bad_host`"),
    ("GRPC_TIMEOUT", "the name of a field"),
    ("COALESCE_BYTES_MAX", "chooses between two correct ways of writing; nothing is refused past it"),
];

/// Checks one file of the proxy.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut constants = Constants { source, findings: Vec::new() };
    if source.path.starts_with("crates/proxy/src/") && source.path != TABLE && !source.is_test() {
        constants.visit_file(&source.syntax);
    }
    constants.findings
}

struct Constants<'a> {
    source: &'a Source,
    findings: Vec<Finding>,
}

impl Constants<'_> {
    fn look(&mut self, name: &syn::Ident) {
        let (text, line) = (name.to_string(), name.span().start().line);
        let looks_like_one = ENDINGS.iter().any(|ending| text.ends_with(ending));
        let excused = NOT_BOUNDS.iter().any(|(excused, _)| *excused == text);
        if looks_like_one && !excused && !self.source.is_test_line(line) {
            let problem = format!("`{text}` is a bound; it belongs in {TABLE}");
            self.findings.push(Finding::new("bound", &self.source.path, line, problem));
        }
    }
}

impl<'ast> Visit<'ast> for Constants<'_> {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.look(&item.ident);
        visit::visit_item_const(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.look(&item.ident);
        visit::visit_impl_item_const(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Source::parse(path, text).unwrap()).len()
    }

    #[test]
    fn a_bound_outside_the_table_is_found() {
        assert_eq!(count("crates/proxy/src/log.rs", "const QUEUE_MAX: usize = 8;"), 1);
        assert_eq!(count("crates/proxy/src/log.rs", "impl A { const STALL_SECONDS: usize = 8; }"), 1);
    }

    #[test]
    fn the_table_itself_other_crates_and_tests_are_free() {
        assert_eq!(count(TABLE, "const QUEUE_MAX: usize = 8;"), 0);
        assert_eq!(count("crates/engine/src/a.rs", "const QUEUE_MAX: usize = 8;"), 0);
        assert_eq!(
            count("crates/proxy/src/log.rs", "#[cfg(test)]\nmod tests { const QUEUE_MAX: usize = 8; }"),
            0
        );
    }
}
