//! What a caller would like to be answered: `Prefer` (RFC 7240), or the same words in the query.

use crate::request::Request;

/// Wishes of a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// This status.
    pub code: Option<u16>,
    /// The example of this name.
    pub example: Option<String>,
    /// A value that is made up, and not an example.
    pub dynamic: bool,
    /// The wish is for something that cannot be.
    pub impossible: Option<String>,
}

impl Prefer {
    /// Reads the wishes of a request. The head counts more than the query (`__code`, `__example`, `__dynamic`).
    #[must_use]
    pub fn read(request: &Request<'_>) -> Prefer {
        let mut prefer = Prefer::default();
        for (name, value) in request.query_pairs() {
            if let Some(name) = name.strip_prefix("__") {
                prefer.take(name, &value);
            }
        }
        for field in request.header("prefer").iter().flat_map(|field| field.split([',', ';'])) {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            prefer.take(name.trim(), value.trim().trim_matches('"'));
        }
        prefer
    }

    fn take(&mut self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "code" => match value.parse().ok().filter(|code| (100..600).contains(code)) {
                Some(code) => self.code = Some(code),
                None => self.impossible = Some(format!("`{value}` is no status")),
            },
            "example" => self.example = Some(value.to_owned()),
            "dynamic" => self.dynamic = value.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }

    /// The wishes that count for an answer to a bad request: an example, if it was wished for with that status.
    #[must_use]
    pub fn for_failure(&self, status: u16) -> Prefer {
        let example = self.example.clone().filter(|_| self.code == Some(status));
        Prefer { code: None, example, dynamic: self.dynamic, impossible: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_stand_in_the_head_or_in_the_query() {
        let headers = [("Prefer", "code=404, example=\"not-found\""), ("prefer", "dynamic=true")];
        let both = Request { headers: &headers, query: "__code=200&x=1", ..Request::default() };
        let expected = Prefer {
            code: Some(404),
            example: Some("not-found".to_owned()),
            dynamic: true,
            impossible: None,
        };
        assert_eq!(Prefer::read(&both), expected);
        assert_eq!(Prefer::read(&Request { query: "__code=201", ..Request::default() }).code, Some(201));
        assert!(Prefer::read(&Request { query: "__code=x", ..Request::default() }).impossible.is_some());
    }
}
