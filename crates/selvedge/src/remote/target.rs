//! What a command is about: `KIND`, `KIND NAME…`, `KIND/NAME …` or `KIND,KIND`.

use client::{ApiKind, Collection};

use super::kinds;
use crate::exit::{Exit, Failure};

/// A kind, and an object of it unless all are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: ApiKind,
    /// The name; `None` for all objects.
    pub name: Option<String>,
}

/// Reads the words of a command line.
pub fn parse(words: &[String]) -> Result<Vec<Target>, Failure> {
    let Some((first, names)) = words.split_first() else {
        let kinds: Vec<String> = kinds::all().iter().map(|known| known.kind.plural.to_string()).collect();
        return Err(Failure::new(Exit::Usage, "which kind?", format!("name one: {}", kinds.join(", "))));
    };
    if words.iter().any(|word| word.contains('/')) {
        return words.iter().map(|word| slashed(word)).collect();
    }
    let kinds: Vec<ApiKind> = first.split(',').map(kinds::find).collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Ok(kinds.into_iter().map(|kind| Target { kind, name: None }).collect());
    }
    let [kind] = kinds.as_slice() else {
        return Err(Failure::new(
            Exit::Usage,
            "names belong to one kind",
            "write KIND/NAME for each, such as gateway/edge service/cart",
        ));
    };
    Ok(names.iter().map(|name| Target { kind: kind.clone(), name: Some(name.clone()) }).collect())
}

fn slashed(word: &str) -> Result<Target, Failure> {
    match word.split_once('/') {
        Some((kind, name)) if !name.is_empty() && !name.contains('/') => {
            Ok(Target { kind: kinds::find(kind)?, name: Some(name.to_owned()) })
        }
        _ => Err(Failure::new(
            Exit::Usage,
            format!("`{word}` is not KIND/NAME"),
            "write all of them so, such as gateway/edge service/cart; the namespace goes to -n",
        )),
    }
}

/// Somebody named an object and looks everywhere for it.
pub fn one_namespace() -> Failure {
    let hint = "name it with -n, or leave out the name";
    Failure::new(Exit::Usage, "one object lives in one namespace", hint)
}

impl Target {
    /// Where it is.
    pub fn collection(&self, namespace: &str, everywhere: bool) -> Collection {
        if everywhere {
            Collection::everywhere(self.kind.clone())
        } else {
            Collection::within(self.kind.clone(), namespace)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Result<Vec<String>, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let target = |target: Target| format!("{}={}", target.kind.kind, target.name.unwrap_or_default());
        parse(&words)
            .map(|targets| targets.into_iter().map(target).collect())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn kinds_and_names_are_written_in_three_ways() {
        assert_eq!(told("gw,svc"), Ok(vec!["Gateway=".to_owned(), "Service=".to_owned()]));
        assert_eq!(told("svc a b"), Ok(vec!["Service=a".to_owned(), "Service=b".to_owned()]));
        assert_eq!(told("gw/edge svc/a"), Ok(vec!["Gateway=edge".to_owned(), "Service=a".to_owned()]));
    }

    #[test]
    fn what_is_no_target_ends_in_a_hint() {
        assert!(told("").expect_err("nothing").contains("name one: namespaces"));
        assert!(told("gw,svc edge").expect_err("two kinds").contains("names belong to one kind"));
        assert!(told("gw/edge svc").expect_err("half").contains("`svc` is not KIND/NAME"));
    }
}
