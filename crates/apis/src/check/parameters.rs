//! Parameters of a request: in the path, in the query, in the head, in cookies.

use serde_json::{Map, Value};

use super::styles::Texts;
use super::{Direction, Fault, Where, value};
use crate::operation::{Operation, Parameter, Place, Shape, Style};
use crate::request::Request;
use crate::schema::Type;

/// Everything that is wrong with the parameters.
pub fn faults(operation: &Operation, request: &Request<'_>) -> Vec<Fault> {
    let mut found = Vec::new();
    let sent = Sent::of(operation, request);
    let texts = Texts { schemas: &operation.schemas, direction: Direction::Request };
    for parameter in &operation.parameters {
        let place = Where::Parameter(parameter.place, parameter.name.clone());
        match sent.value(parameter, &texts) {
            Ok(None) if parameter.required => {
                let what = "is missing".to_owned();
                found.push(Fault { place, pointer: String::new(), rule: "required", what });
            }
            Ok(None) => {}
            Ok(Some(given)) => {
                if let Some(id) = parameter.schema {
                    found.extend(value(&operation.schemas, id, &given, Direction::Request, &place));
                }
            }
            Err(what) => found.push(Fault { place, pointer: String::new(), rule: "content", what }),
        }
    }
    found
}

/// What came, taken apart once.
struct Sent<'a> {
    request: &'a Request<'a>,
    path: Vec<(&'a str, String)>,
    query: Vec<(String, String)>,
}

impl<'a> Sent<'a> {
    fn of(operation: &'a Operation, request: &'a Request<'a>) -> Sent<'a> {
        let path = operation.template.matches(request.path).unwrap_or_default();
        Sent { request, path, query: request.query_pairs().collect() }
    }

    fn value(&self, parameter: &Parameter, texts: &Texts<'_>) -> Result<Option<Value>, String> {
        let name = &*parameter.name;
        let (style, explode) = match &parameter.shape {
            Shape::Styled { style, explode } => (*style, *explode),
            Shape::Content(range) => {
                let Some(text) = self.text(parameter.place, name) else { return Ok(None) };
                if !is_json(range) {
                    return Ok(Some(Value::String(text)));
                }
                return serde_json::from_str(&text).map(Some).map_err(|_| "is no JSON".to_owned());
            }
        };
        if parameter.place == Place::Query {
            return Ok(self.query(parameter, style, explode, texts));
        }
        let text = self.text(parameter.place, name);
        Ok(text.map(|text| texts.styled(&text, style, explode, name, parameter.schema)))
    }

    fn text(&self, place: Place, name: &str) -> Option<String> {
        match place {
            Place::Path => self.path.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone()),
            Place::Query => self.query.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone()),
            Place::Header => self.request.header(name).map(std::borrow::Cow::into_owned),
            Place::Cookie => self.request.cookies().find(|(known, _)| *known == name).map(|(_, text)| text),
        }
    }

    fn query(&self, parameter: &Parameter, style: Style, explode: bool, texts: &Texts<'_>) -> Option<Value> {
        let (name, schema) = (&*parameter.name, parameter.schema);
        if texts.asks_for(Type::Object, schema) {
            if style == Style::DeepObject {
                return self.deep(parameter, texts);
            }
            if explode {
                return self.spread(parameter, texts);
            }
        }
        let values: Vec<&str> =
            self.query.iter().filter(|(known, _)| *known == name).map(|(_, text)| text.as_str()).collect();
        let first = values.first()?;
        if texts.asks_for(Type::List, schema) && (explode || values.len() > 1) {
            return Some(texts.list(values.into_iter(), schema));
        }
        Some(texts.styled(first, style, explode, name, schema))
    }

    /// `color[R]=100&color[G]=200`
    fn deep(&self, parameter: &Parameter, texts: &Texts<'_>) -> Option<Value> {
        let mut map = Map::new();
        for (name, text) in &self.query {
            let inside = name.strip_prefix(&*parameter.name).and_then(|rest| rest.strip_prefix('['));
            if let Some(property) = inside.and_then(|rest| rest.strip_suffix(']')) {
                map.insert(property.to_owned(), texts.property(property, text, parameter.schema));
            }
        }
        (!map.is_empty()).then_some(Value::Object(map))
    }

    /// `R=100&G=200`: the properties stand among the other parameters, so only those that are named are taken.
    fn spread(&self, parameter: &Parameter, texts: &Texts<'_>) -> Option<Value> {
        let schema = parameter.schema?;
        let names = texts.schemas.property_names(schema);
        let mut map = Map::new();
        for (name, text) in self.query.iter().filter(|(name, _)| names.contains(&name.as_str())) {
            map.insert(name.clone(), texts.property(name, text, parameter.schema));
        }
        (!map.is_empty()).then_some(Value::Object(map))
    }
}

/// Whether a media type is JSON (RFC 6839's suffix included).
pub fn is_json(range: &str) -> bool {
    let essence = range.split(';').next().unwrap_or("").trim();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype == "json" || subtype.ends_with("+json")
}
