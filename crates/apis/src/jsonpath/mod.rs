//! Which values of a document are meant: JSONPath (RFC 9535).
//!
//! Overlays and rules of taste say by it what they are about. Every part of the standard is here; what is not in it
//! (parents, names of keys, unquoted names in brackets) is refused with a reason, so that no two readers of one file
//! see different things. The work of one question is bounded.

mod filter;
mod parse;
mod run;

use serde_json::Value;

use filter::Condition;

/// A way to values of a document.
#[derive(Clone, Debug)]
pub struct Path {
    segments: Vec<Segment>,
}

/// A step towards a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a member of an object.
    Name(String),
    /// Into an element of a list.
    Index(usize),
}

/// A value that was found, with the way to it from the root.
#[derive(Clone, Debug)]
pub struct Found<'v> {
    /// The way.
    pub steps: Vec<Step>,
    /// The value.
    pub value: &'v Value,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence, with the character.
    pub fn parse(text: &str) -> Result<Path, String> {
        parse::path(text)
    }

    /// Every value it leads to, in the order of the document; one that is led to by several ways stands several times.
    ///
    /// # Errors
    /// It takes too long to say.
    pub fn find<'v>(&self, root: &'v Value) -> Result<Vec<Found<'v>>, String> {
        run::find(self, root)
    }
}

#[derive(Clone, Debug)]
struct Segment {
    /// Whether values at any depth are meant.
    descends: bool,
    selectors: Vec<Selector>,
}

#[derive(Clone, Debug)]
enum Selector {
    Name(String),
    All,
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Filter(Condition),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn book() -> Value {
        json!({ "store": {
            "book": [
                { "category": "reference", "author": "Nigel Rees", "price": 8.95 },
                { "category": "fiction", "author": "Evelyn Waugh", "price": 12.99 },
                { "category": "fiction", "author": "Herman Melville", "isbn": "0-553", "price": 8.99 },
            ],
            "bicycle": { "color": "red", "price": 399 },
            "a'b/c~d": null,
        }})
    }

    fn pointers(path: &str, root: &Value) -> Vec<String> {
        let found =
            Path::parse(path).unwrap_or_else(|why| panic!("{path}: {why}")).find(root).expect("an end");
        found.iter().map(|found| pointer(&found.steps)).collect()
    }

    fn pointer(steps: &[Step]) -> String {
        let mut text = String::new();
        for step in steps {
            match step {
                Step::Name(name) => crate::source::push_step(&mut text, name),
                Step::Index(at) => crate::source::push_step(&mut text, &at.to_string()),
            }
        }
        text
    }

    #[test]
    fn paths_lead_where_the_standard_says() {
        let book = book();
        for (path, wanted) in [
            ("$", vec![""]),
            ("$.store.bicycle.color", vec!["/store/bicycle/color"]),
            ("$['store']['a\\'b/c~d']", vec!["/store/a'b~1c~0d"]),
            (
                "$.store.book[*].author",
                vec!["/store/book/0/author", "/store/book/1/author", "/store/book/2/author"],
            ),
            (
                "$..price",
                vec![
                    "/store/book/0/price",
                    "/store/book/1/price",
                    "/store/book/2/price",
                    "/store/bicycle/price",
                ],
            ),
            ("$..book[2].price", vec!["/store/book/2/price"]),
            ("$..book[-1]", vec!["/store/book/2"]),
            ("$..book[0, 1]", vec!["/store/book/0", "/store/book/1"]),
            ("$..book[:2]", vec!["/store/book/0", "/store/book/1"]),
            ("$..book[::-2]", vec!["/store/book/2", "/store/book/0"]),
            ("$..book[?@.isbn]", vec!["/store/book/2"]),
            ("$..book[?!@.isbn && @.price < 10]", vec!["/store/book/0"]),
            (
                "$..book[?(@.price==8.99 || @['category'] == 'reference')]",
                vec!["/store/book/0", "/store/book/2"],
            ),
            ("$..book[?match(@.author, '[EH].*')]", vec!["/store/book/1", "/store/book/2"]),
            ("$..book[?search(@.author, 'n W')]", vec!["/store/book/1"]),
            ("$..book[?length(@.author) > 12].price", vec!["/store/book/2/price"]),
            ("$.store[?count(@.*) == 2]", vec!["/store/bicycle"]),
            (
                "$.store.book[?@.price < $.store.book[1].price].price",
                vec!["/store/book/0/price", "/store/book/2/price"],
            ),
            ("$.store[?@ == null]", vec!["/store/a'b~1c~0d"]),
            ("$.store.nothing", vec![]),
            ("$.store.book[?@.isbn == @.nothing]", vec!["/store/book/0", "/store/book/1"]),
        ] {
            assert_eq!(pointers(path, &book), wanted, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_the_character() {
        for (path, said) in [
            ("store", "character 1"),
            ("$.", "character 3"),
            ("$[a]", "character 3"),
            ("$[0", "character 4"),
            ("$[01]", "character 4"),
            ("$[?@.a]b", "character 8"),
            ("$.paths^", "character 8"),
            ("$[?@.* == 1]", "one value"),
            ("$[?length(@.a)]", "compare"),
            ("$[?unknown(@.a)]", "unknown"),
            ("$[?match(@.a, '(')]", "pattern"),
            ("$['a", "character 5"),
        ] {
            let why = Path::parse(path).expect_err(path);
            assert!(why.contains(said), "{path}: {why}");
        }
    }

    #[test]
    fn a_question_that_takes_too_long_has_no_answer() {
        let mut value = json!(1);
        for _ in 0..60 {
            value = json!([value]);
        }
        let wide = json!(vec![value; 300]);

        assert!(Path::parse("$..*..*..*").expect("a path").find(&wide).is_err());
    }
}
