//! YAML that is no resource: the settings of tools, whose shape their readers judge.

use serde_json::Value;

use super::{FILE_BYTES_MAX, tree};
use crate::violation::Problem;

/// Reads a text that holds one document as a plain tree; an empty text is `null`.
///
/// # Errors
/// What is wrong first, with its line: such texts are short, and nobody edits five of them at once.
pub fn read_plain(text: &str) -> Result<Value, Problem> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Problem::new(format!("has {} bytes, at most {FILE_BYTES_MAX} are read", text.len())));
    }
    let mut documents = tree::documents(text.strip_prefix('\u{feff}').unwrap_or(text));
    let Some(first) = documents.next() else { return Ok(Value::Null) };
    if let Some(fault) = first.faults.into_iter().next() {
        let field = fault.field.to_string();
        let place = if field.is_empty() { String::new() } else { format!(", `{field}`") };
        let mut problem = fault.problem;
        problem.problem = format!("line {}{place}: {}", fault.line, problem.problem);
        return Err(problem);
    }
    match documents.next() {
        None => Ok(first.value),
        Some(_) => Err(Problem::new("holds more than one document").remedy("remove all but one of them")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_document_is_a_tree_and_json_is_one_as_well() {
        assert_eq!(read_plain("a: [1, yes-no]\n"), Ok(json!({ "a": [1, "yes-no"] })));
        assert_eq!(read_plain("{\"a\": \"b\"}"), Ok(json!({ "a": "b" })));
        assert_eq!(read_plain(""), Ok(Value::Null));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(read_plain("a: 1\nb: [").expect_err("no end").problem.starts_with("line "));
        assert!(read_plain("a: 1\na: 2").expect_err("a key twice").problem.starts_with("line 2"));
        assert!(read_plain("a: 1\n---\nb: 2").is_err());
    }
}
