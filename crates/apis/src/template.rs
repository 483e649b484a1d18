//! Paths with names in braces: `/pets/{id}`.
//!
//! A template is compared by its shape: two that differ in the names of their parameters only answer the same requests.
//! Among templates that match one path, the one whose first difference is a literal wins; that is an order of its own
//! ([`Template::precedence`]), so that whoever matches needs no rules.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// A piece of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that must stand there.
    Literal(Arc<str>),
    /// A parameter: at least one character.
    Parameter(Arc<str>),
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Text that must stand there, percent-decoded.
    Literal(Arc<str>),
    /// The name of a parameter that takes the whole segment.
    Parameter(Arc<str>),
    /// Literals and parameters in turn: `{name}.json`.
    Mixed(Box<[Part]>),
}

/// A path of segments.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Template {
    text: Arc<str>,
    segments: Box<[Segment]>,
}

impl Template {
    /// Reads `/pets/{id}`. A slash at the end is a segment of its own, which is empty.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence about the path.
    pub fn parse(text: &str) -> Result<Template, String> {
        let Some(rest) = text.strip_prefix('/') else { return Err("does not begin with `/`".to_owned()) };
        if let Some(found) = rest.find(['?', '#']) {
            return Err(format!("has a `{}`; a path ends before the query", &rest[found..=found]));
        }
        let segments = rest.split('/').map(Segment::parse).collect::<Result<Box<[_]>, _>>()?;
        let template = Template { text: text.into(), segments };
        let mut names: Vec<&str> = template.parameters().collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(format!("names the parameter `{}` twice", twice[0])),
            None => Ok(template),
        }
    }

    /// The segments; the path `/` has one, which is empty.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Names of the parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().flat_map(Segment::parts).filter_map(|part| match part {
            PartRef::Parameter(name) => Some(name),
            PartRef::Literal(_) => None,
        })
    }

    /// As it was written, with `{}` for each parameter.
    #[must_use]
    pub fn erased(&self) -> String {
        let mut erased = String::with_capacity(self.text.len());
        let mut inside = false;
        for c in self.text.chars() {
            match c {
                '{' => {
                    inside = true;
                    erased.push_str("{}");
                }
                '}' => inside = false,
                c if !inside => erased.push(c),
                _ => {}
            }
        }
        erased
    }

    /// The values of the parameters, percent-decoded and in order, when a path matches. The path is as it came, without
    /// query.
    #[must_use]
    pub fn matches<'a>(&'a self, path: &str) -> Option<Vec<(&'a str, String)>> {
        let mut found = Vec::new();
        let mut given = path.strip_prefix('/')?.split('/');
        for segment in &self.segments {
            segment.matches(given.next()?, &mut found)?;
        }
        given.next().is_none().then_some(found)
    }

    /// The same path with values in place of its parameters; values are percent-encoded.
    #[must_use]
    pub fn filled(&self, mut value: impl FnMut(&str) -> String) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            for part in segment.parts() {
                match part {
                    PartRef::Literal(text) => path.push_str(&encoded(text)),
                    PartRef::Parameter(name) => path.push_str(&value(name)),
                }
            }
        }
        path
    }

    /// Which of two templates is asked first: literals before mixed segments before parameters, from the left.
    #[must_use]
    pub fn precedence(&self, other: &Template) -> Ordering {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Mixed(_) => 1,
            Segment::Parameter(_) => 2,
        };
        let (left, right) = (self.segments.iter().map(rank), other.segments.iter().map(rank));
        left.cmp(right).then_with(|| self.text.cmp(&other.text))
    }
}

/// Percent-encodes what may not stand in a segment.
pub(crate) fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'!')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'*')
        .remove(b'+')
        .remove(b',')
        .remove(b';')
        .remove(b'=')
        .remove(b':')
        .remove(b'@');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

/// A part, or a whole segment seen as one.
enum PartRef<'a> {
    Literal(&'a str),
    Parameter(&'a str),
}

impl Segment {
    fn parse(text: &str) -> Result<Segment, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, behind) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
            if !literal.is_empty() {
                parts.push(Part::Literal(decoded(literal).into()));
            }
            if behind.is_empty() {
                break;
            }
            let inside = behind.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((name, after)) = inside.filter(|(name, _)| !name.contains('{')) else {
                return Err(format!("has a brace without its partner in `{text}`"));
            };
            if name.is_empty() {
                return Err("has a parameter without a name".to_owned());
            }
            if matches!(parts.last(), Some(Part::Parameter(_))) {
                return Err(format!("has two parameters with nothing between them in `{text}`"));
            }
            parts.push(Part::Parameter(name.into()));
            rest = after;
        }
        Ok(match (parts.len(), parts.pop()) {
            (0, _) | (_, None) => Segment::Literal("".into()),
            (1, Some(Part::Literal(text))) => Segment::Literal(text),
            (1, Some(Part::Parameter(name))) => Segment::Parameter(name),
            (_, Some(last)) => {
                parts.push(last);
                Segment::Mixed(parts.into())
            }
        })
    }

    fn parts(&self) -> Vec<PartRef<'_>> {
        match self {
            Segment::Literal(text) => vec![PartRef::Literal(text)],
            Segment::Parameter(name) => vec![PartRef::Parameter(name)],
            Segment::Mixed(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Literal(text) => PartRef::Literal(text),
                    Part::Parameter(name) => PartRef::Parameter(name),
                })
                .collect(),
        }
    }

    /// Matches a segment of a path as it came; parameters take as little as they can, and at least one character.
    fn matches<'a>(&'a self, given: &str, found: &mut Vec<(&'a str, String)>) -> Option<()> {
        let given = decoded(given);
        match self {
            Segment::Literal(text) => (given == **text).then_some(()),
            Segment::Parameter(_) if given.is_empty() => None,
            Segment::Parameter(name) => {
                found.push((name, given));
                Some(())
            }
            Segment::Mixed(parts) => mixed(parts, &given, found),
        }
    }
}

/// Walks the parts from the left; a parameter ends where the next literal is found first, the last one at the end.
fn mixed<'a>(parts: &'a [Part], given: &str, found: &mut Vec<(&'a str, String)>) -> Option<()> {
    let mut rest = given;
    for (position, part) in parts.iter().enumerate() {
        match part {
            Part::Literal(text) if position > 0 && position + 1 == parts.len() => {
                // The parameter before took everything up to here.
                rest = rest.strip_suffix(&**text).filter(|rest| rest.is_empty())?;
            }
            Part::Literal(text) => rest = rest.strip_prefix(&**text)?,
            Part::Parameter(name) => {
                let end = match parts.get(position + 1) {
                    Some(Part::Literal(next)) if position + 2 == parts.len() => {
                        rest.ends_with(&**next).then(|| rest.len() - next.len())?
                    }
                    Some(Part::Literal(next)) => rest.find(&**next)?,
                    Some(Part::Parameter(_)) | None => rest.len(),
                };
                if end == 0 {
                    return None;
                }
                found.push((name, rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
    }
    rest.is_empty().then_some(())
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).expect(text)
    }

    fn values(text: &str, path: &str) -> Option<Vec<String>> {
        let template = template(text);
        let found = template.matches(path)?;
        Some(found.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn a_path_matches_segment_by_segment_and_values_are_decoded() {
        assert_eq!(values("/pets/{id}", "/pets/a%20b"), Some(vec!["a b".to_owned()]));
        assert_eq!(values("/pets/{id}", "/pets/a%2Fb"), Some(vec!["a/b".to_owned()]));
        assert_eq!(values("/caf%C3%A9", "/café"), Some(vec![]));
        assert_eq!(values("/", "/"), Some(vec![]));
        for path in ["/pets", "/pets/", "/pets/1/", "/pets/1/2", "/cats/1", "pets/1"] {
            assert_eq!(values("/pets/{id}", path), None, "{path}");
        }
    }

    #[test]
    fn a_segment_may_mix_text_and_parameters() {
        assert_eq!(values("/{name}.json", "/a.b.json"), Some(vec!["a.b".to_owned()]));
        assert_eq!(values("/{from}-{to}", "/1-2-3"), Some(vec!["1".to_owned(), "2-3".to_owned()]));
        assert_eq!(values("/v{n}x", "/v1x"), Some(vec!["1".to_owned()]));
        assert_eq!(values("/v{n}x", "/v1xx"), Some(vec!["1x".to_owned()]));
        for path in ["/.json", "/a.jsonx", "/a"] {
            assert_eq!(values("/{name}.json", path), None, "{path}");
        }
    }

    #[test]
    fn a_template_that_means_nothing_is_refused() {
        for text in ["pets", "/{", "/}", "/{}", "/{a}{b}", "/{a}/{a}", "/a?b", "/{a{b}}", "/a#b"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn literals_are_asked_before_parameters() {
        let mut all = ["/{a}/b", "/pets/{id}", "/pets/mine", "/pets/{id}.json"].map(template);
        all.sort_by(Template::precedence);

        assert_eq!(
            all.map(|template| template.as_str().to_owned()),
            ["/pets/mine", "/pets/{id}.json", "/pets/{id}", "/{a}/b"]
        );
    }

    #[test]
    fn names_are_erased_and_values_filled_in() {
        assert_eq!(template("/a/{b}/{c}.d").erased(), "/a/{}/{}.d");
        assert_eq!(template("/a b/{c}").filled(|_| "1".to_owned()), "/a%20b/1");
    }
}
