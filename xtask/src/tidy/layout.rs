//! Size and shape: a file is one idea, a function fits a screen, a module says why it exists.

use super::Finding;
use super::source::{Source, lines};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines of a file, without its tests.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Columns of a line: rustfmt breaks code at 110; this catches comments. Strings and tables are free.
const LINE_COLUMNS_MAX: usize = 120;
/// Names for rooms without a noun.
const NAMES_REFUSED: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc"];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    names(source, &mut findings);
    module_docs(source, &mut findings);
    if !source.is_test() {
        long_lines(source, &mut findings);
        file_length(source, &mut findings);
        let mut functions = Functions { source, findings: &mut findings };
        functions.visit_file(&source.syntax);
    }
    findings
}

fn names(source: &Source, findings: &mut Vec<Finding>) {
    for part in source.path.trim_end_matches(".rs").split('/') {
        if NAMES_REFUSED.contains(&part) {
            let problem = format!("`{part}` names no idea; put the code in the room of its noun");
            findings.push(Finding::new("name", &source.path, 0, problem));
        }
    }
}

fn module_docs(source: &Source, findings: &mut Vec<Finding>) {
    let documented = source.syntax.attrs.iter().any(|attribute| {
        attribute.path().is_ident("doc") && matches!(attribute.style, syn::AttrStyle::Inner(_))
    });
    // The body of `mod tests;` needs no reason, as an inline `mod tests` needs none.
    if !documented && !source.path.ends_with("/tests.rs") {
        let problem = "no `//!` that says why this file exists";
        findings.push(Finding::new("module_docs", &source.path, 1, problem));
    }
}

fn file_length(source: &Source, findings: &mut Vec<Finding>) {
    let tests: usize = source.test_lines.iter().map(|range| range.end() + 1 - range.start()).sum();
    let length = source.text.lines().count() - tests;
    if length > FILE_LINES_MAX {
        let problem = format!("{length} lines without tests, at most {FILE_LINES_MAX}");
        let finding = Finding::new("file_length", &source.path, 0, problem);
        findings.push(Finding { size: length, ..finding });
    }
}

fn long_lines(source: &Source, findings: &mut Vec<Finding>) {
    for (index, text) in source.text.lines().enumerate() {
        let (line, columns) = (index + 1, text.chars().count());
        let in_table = source.table_lines.iter().any(|range| range.contains(&line));
        let unbreakable = text.contains('"') || text.contains("://");
        // Property tests live in macros, which rustfmt does not break.
        let free = in_table || unbreakable || source.is_test_line(line);
        if columns > LINE_COLUMNS_MAX && !free {
            let problem = format!("{columns} columns, at most {LINE_COLUMNS_MAX}");
            findings.push(Finding::new("line_length", &source.path, line, problem));
        }
    }
}

struct Functions<'a> {
    source: &'a Source,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let length = lines(block).end() + 1 - first;
        if length > FUNCTION_LINES_MAX && !self.source.is_test_line(first) {
            let problem = format!("`{}` has {length} lines, at most {FUNCTION_LINES_MAX}", signature.ident);
            let finding = Finding::new("function_length", &self.source.path, first, problem);
            self.findings.push(Finding { size: length, ..finding });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Source::parse(path, text).unwrap()).iter().map(|finding| finding.rule).collect()
    }

    fn function(lines: usize) -> String {
        format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2))
    }

    #[test]
    fn a_room_without_a_noun_is_refused() {
        assert_eq!(rules("crates/a/src/utils.rs", "//! Why.\n"), ["name"]);
        assert_eq!(rules("crates/a/src/common/b.rs", "//! Why.\n"), ["name"]);
        assert!(rules("crates/a/src/units.rs", "//! Why.\n").is_empty());
    }

    #[test]
    fn a_file_must_say_why_it_exists() {
        assert_eq!(
            rules("crates/a/src/b.rs", "/// Item docs are not module docs.\nfn a() {}\n"),
            ["module_docs"]
        );
    }

    #[test]
    fn a_function_of_71_lines_is_too_long_and_one_of_70_is_not() {
        assert!(rules("crates/a/src/b.rs", &format!("//! Why.\n{}", function(70))).is_empty());
        assert_eq!(rules("crates/a/src/b.rs", &format!("//! Why.\n{}", function(71))), ["function_length"]);
    }

    #[test]
    fn a_long_method_and_a_long_default_method_are_found_too() {
        let inside = function(75);

        assert_eq!(
            rules("crates/a/src/b.rs", &format!("//! Why.\nimpl A {{\n{inside}}}\n")),
            ["function_length"]
        );
        assert_eq!(
            rules("crates/a/src/b.rs", &format!("//! Why.\ntrait A {{\n{inside}}}\n")),
            ["function_length"]
        );
    }

    #[test]
    fn a_file_of_501_lines_is_too_long_unless_the_rest_is_tests() {
        let long = format!("//! Why.\n{}", "const _: () = ();\n".repeat(500));
        let tested =
            format!("//! Why.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "const _: () = ();\n".repeat(600));

        assert_eq!(rules("crates/a/src/b.rs", &long), ["file_length"]);
        assert!(rules("crates/a/src/b.rs", &tested).is_empty());
    }

    #[test]
    fn a_long_comment_is_refused_but_a_table_and_a_string_are_not() {
        let wide = "x".repeat(121);

        assert_eq!(rules("crates/a/src/b.rs", &format!("//! Why.\n// {wide}\n")), ["line_length"]);
        assert!(rules("crates/a/src/b.rs", &format!("//! Why.\nconst A: &str = \"{wide}\";\n")).is_empty());
        assert!(
            rules("crates/a/src/b.rs", &format!("//! Why.\n#[rustfmt::skip]\nt! {{\n{wide}\n}}\n"))
                .is_empty()
        );
    }
}
