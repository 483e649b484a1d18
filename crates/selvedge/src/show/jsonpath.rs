//! The part of Kubernetes' JSONPath templates that scripts use: text with `{…}` in it, each of which picks fields
//! (`.a.b`), escaped or quoted ones (`.a\.b`, `['a.b']`), elements (`[0]`, `[-1]`), all of them (`[*]`), or is text (`{"\n"}`).
//! What is beyond that (filters, ranges, slices) is refused rather than guessed.

use serde_json::Value;

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Pick(Vec<Step>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(i64),
    All,
}

impl Template {
    /// Reads a template. One without braces is a path.
    pub fn parse(text: &str) -> Result<Template, String> {
        if !text.contains('{') {
            return Ok(Template(vec![Part::Pick(steps(text)?)]));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let end = closing(after).ok_or("a `{` is not closed")?;
            parts.push(part(after[..end].trim())?);
            rest = &after[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    /// What it picks out of a tree.
    #[must_use]
    pub fn fill(&self, tree: &Value) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Pick(steps) => {
                let picked = steps.iter().fold(vec![tree], |values, step| pick(&values, step));
                picked.into_iter().map(shown).collect::<Vec<_>>().join(" ")
            }
        };
        self.0.iter().map(text).collect()
    }
}

/// Where the brace closes that was opened before; quotes may hold braces.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

fn part(text: &str) -> Result<Part, String> {
    if text.starts_with('"') {
        return serde_json::from_str(text).map(Part::Text).map_err(|_| format!("{text} is not closed"));
    }
    steps(text).map(Part::Pick)
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path.trim().trim_start_matches('$').trim_start_matches('@');
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (inner, after) = inside.split_once(']').ok_or("a `[` is not closed")?;
            steps.push(bracket(inner.trim())?);
            rest = after;
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let (field, length) = field(name);
            match field.as_str() {
                "" if name.is_empty() => {}
                "" => return Err(format!("`{path}` is no path of fields")),
                "*" => steps.push(Step::All),
                "range" | "end" => return Err("`range` is not supported; pick with [*]".to_owned()),
                _ => steps.push(Step::Field(field)),
            }
            rest = &name[length..];
        }
    }
    Ok(steps)
}

/// A name up to the next dot or bracket, and how many bytes it took; a backslash takes the next character as it is.
fn field(text: &str) -> (String, usize) {
    let (mut name, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '.' | '[' | ' ' if !escaped => return (name, at),
            c => {
                name.push(c);
                escaped = false;
            }
        }
    }
    (name, text.len())
}

fn bracket(inner: &str) -> Result<Step, String> {
    let quoted = inner.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    match (inner, quoted) {
        ("*", _) => Ok(Step::All),
        (_, Some(name)) => Ok(Step::Field(name.to_owned())),
        _ => inner
            .parse()
            .map(Step::Index)
            .map_err(|_| format!("`[{inner}]` is not supported; write [0], [*] or ['name']")),
    }
}

fn pick<'v>(values: &[&'v Value], step: &Step) -> Vec<&'v Value> {
    let of = |value: &&'v Value| -> Vec<&'v Value> {
        match (step, *value) {
            (Step::Field(name), Value::Object(map)) => map.get(name).into_iter().collect(),
            (Step::Index(at), Value::Array(list)) => {
                let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let at = if *at < 0 { length + at } else { *at };
                usize::try_from(at).ok().and_then(|at| list.get(at)).into_iter().collect()
            }
            (Step::All, Value::Array(list)) => list.iter().collect(),
            (Step::All, Value::Object(map)) => map.values().collect(),
            (Step::Field(_) | Step::Index(_) | Step::All, _) => Vec::new(),
        }
    };
    values.iter().flat_map(of).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        let tree = json!({ "items": [
            { "metadata": { "name": "a", "labels": { "app.kubernetes.io/name": "x" } }, "ports": [1, 2] },
            { "metadata": { "name": "b" } },
        ]});
        Template::parse(template).map(|template| template.fill(&tree))
    }

    #[test]
    fn templates_pick_what_scripts_ask_for() {
        for (template, text) in [
            ("{.items[*].metadata.name}", "a b"),
            (".items[-1].metadata.name", "b"),
            ("{.items[0].ports}", "[1,2]"),
            ("{$.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "x"),
            ("{.items[0].metadata.labels['app.kubernetes.io/name']}", "x"),
            ("first: {.items[0].metadata.name}{\"\\n\"}", "first: a\n"),
            ("{.nothing[3].here}", ""),
        ] {
            assert_eq!(filled(template), Ok(text.to_owned()), "{template}");
        }
    }

    #[test]
    fn what_is_not_supported_is_said() {
        for template in ["{.a", "{.a[?(@.b)]}", "{range .items[*]}{end}", "{.a[1:2]}", "{.a[0}", "{..a}"] {
            assert!(filled(template).is_err(), "{template}");
        }
    }
}
