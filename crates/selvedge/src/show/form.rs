//! `-o`: how objects are written.

use client::Object;
use model::yaml;
use serde_json::{Value, json};

use super::jsonpath::Template;

/// How objects are written.
#[derive(Clone, Debug)]
pub enum Form {
    /// Columns for people.
    Table,
    /// More columns.
    Wide,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
    /// `KIND/NAME`, for scripts.
    Name,
    /// What a template picks.
    JsonPath(Template),
}

/// The forms, for help.
pub const FORMS: &str = "table, wide, yaml, json, name, jsonpath=TEMPLATE";

/// Reads the value of `-o`.
pub fn parse(text: &str) -> Result<Form, String> {
    match text.split_once('=') {
        Some(("jsonpath", template)) => Template::parse(template).map(Form::JsonPath),
        Some((form, _)) => Err(format!("`{form}` takes no value; there are: {FORMS}")),
        None => match text {
            "table" => Ok(Form::Table),
            "wide" => Ok(Form::Wide),
            "yaml" => Ok(Form::Yaml),
            "json" => Ok(Form::Json),
            "name" => Ok(Form::Name),
            "jsonpath" => Err("write what to pick, such as jsonpath={.items[*].metadata.name}".to_owned()),
            _ => Err(format!("there are: {FORMS}")),
        },
    }
}

/// Objects as text for every form but the tables, which come from the server. One that was named stands for itself,
/// others in a list.
#[must_use]
pub fn text(form: &Form, objects: &[Object], named: bool) -> String {
    let whole = || match (objects, named) {
        ([object], true) => object.clone().in_order().0,
        _ => {
            let items: Vec<Value> = objects.iter().map(|object| object.clone().in_order().0).collect();
            json!({ "apiVersion": "v1", "kind": "List", "items": items })
        }
    };
    match form {
        Form::Yaml => yaml::write(&whole()).trim_end().to_owned(),
        Form::Json => format!("{:#}", whole()),
        Form::JsonPath(template) => template.fill(&whole()),
        Form::Name | Form::Table | Form::Wide => objects.iter().map(name).collect::<Vec<_>>().join("\n"),
    }
}

/// `httproute/cart`.
#[must_use]
pub fn name(object: &Object) -> String {
    format!("{}/{}", object.kind().to_ascii_lowercase(), object.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects() -> Vec<Object> {
        ["a", "b"].map(|name| Object(json!({ "kind": "Service", "metadata": { "name": name } }))).to_vec()
    }

    #[test]
    fn one_that_was_named_stands_for_itself_and_others_in_a_list() {
        assert_eq!(text(&Form::Yaml, &objects()[..1], true), "kind: Service\nmetadata:\n  name: a");
        assert!(text(&Form::Json, &objects()[..1], false).contains("\"items\""));
        assert_eq!(text(&Form::Name, &objects(), false), "service/a\nservice/b");
        let names = parse("jsonpath={.items[*].metadata.name}").expect("a template");
        assert_eq!(text(&names, &objects(), false), "a b");
    }

    #[test]
    fn a_form_that_does_not_exist_is_told_with_those_that_do() {
        assert!(parse("xml").expect_err("no form").contains("wide"));
        assert!(parse("yaml=x").is_err() && parse("jsonpath").is_err());
    }
}
