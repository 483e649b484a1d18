//! What callers have to show.

use std::sync::Arc;

use super::Reader;
use crate::operation::{Place, Requirement, Scheme, Security};
use crate::problem::quoted;
use crate::source::Node;

/// The schemes of a description by name.
#[derive(Default)]
pub struct Schemes(Vec<(Arc<str>, Arc<Scheme>)>);

impl Schemes {
    fn named(&self, name: &str) -> Option<(Arc<str>, Arc<Scheme>)> {
        self.0.iter().find(|(known, _)| **known == *name).cloned()
    }

    /// All of them in the order written.
    pub fn all(self) -> Box<[(Arc<str>, Arc<Scheme>)]> {
        self.0.into()
    }
}

/// Reads the schemes of the components.
pub fn schemes<'a>(root: Node<'a>, reader: &mut Reader<'a>) {
    let components = root.field("components");
    let schemes = components.and_then(|components| components.field("securitySchemes"));
    for (name, node) in schemes.into_iter().flat_map(|schemes| schemes.fields()) {
        let Some(node) = reader.follow(node) else { continue };
        if let Some(scheme) = scheme(node, reader) {
            reader.schemes.0.push((name.into(), Arc::new(scheme)));
        }
    }
}

fn scheme(node: Node<'_>, reader: &mut Reader<'_>) -> Option<Scheme> {
    match node.text_of("type") {
        Some("apiKey") => {
            let place = match node.text_of("in") {
                Some("header") => Some(Place::Header),
                Some("query") => Some(Place::Query),
                Some("cookie") => Some(Place::Cookie),
                _ => None,
            };
            match (place, node.text_of("name")) {
                (Some(place), Some(name)) => Some(Scheme::ApiKey { place, name: name.into() }),
                _ => {
                    reader.problem(
                        node,
                        "does not say where the key stands",
                        "add `in: header` and `name: x-api-key`",
                    );
                    None
                }
            }
        }
        Some("http") => match node.text_of("scheme") {
            Some(scheme) => Some(Scheme::Http(scheme.to_ascii_lowercase().into())),
            None => {
                reader.problem(node, "has no `scheme`", "add `scheme: bearer` or `scheme: basic`");
                None
            }
        },
        Some("oauth2") => Some(Scheme::OAuth2),
        Some("openIdConnect") => Some(Scheme::OpenIdConnect),
        Some("mutualTLS") => Some(Scheme::MutualTls),
        other => {
            let what = format!("has the type {}, which is none", quoted(other.unwrap_or("")));
            reader.problem(node, what, "write apiKey, http, oauth2, openIdConnect or mutualTLS");
            None
        }
    }
}

/// What an operation asks for: its own demand or that of the whole description.
pub fn of_operation<'a>(root: Node<'a>, operation: Node<'a>, reader: &mut Reader<'a>) -> Security {
    let Some(list) = operation.field("security").or_else(|| root.field("security")) else {
        return Security::default();
    };
    let mut alternatives = Vec::new();
    for alternative in list.items() {
        let mut all = Vec::new();
        let mut complete = true;
        for (name, scopes) in alternative.fields() {
            match reader.schemes.named(name) {
                Some((name, scheme)) => {
                    let scopes = scopes.items().filter_map(|scope| scope.text().map(Into::into)).collect();
                    all.push(Requirement { name, scheme, scopes });
                }
                None => {
                    complete = false;
                    let names = reader.schemes.0.iter().map(|(name, _)| &**name);
                    let near = model::suggest::did_you_mean(name, names);
                    let fix = near.unwrap_or_else(|| "add it to `components.securitySchemes`".to_owned());
                    reader.problem(scopes, format!("{} is no security scheme", quoted(name)), fix);
                }
            }
        }
        if complete {
            alternatives.push(all.into());
        }
    }
    Security { alternatives: alternatives.into() }
}
