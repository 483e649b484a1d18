//! The one name of an operation, whatever its protocol.
//!
//! Routing, documents, mocks, plans, counters and bills name an operation by this text, so it must not change when
//! somebody renames a path parameter, and never be shared by two operations of one description.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::template::Template;

/// The stable key of an operation. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpKey(Arc<str>);

impl OpKey {
    /// `GET /pets/{}`: the method in upper case and the template with the names of its parameters erased.
    #[must_use]
    pub fn rest(method: &str, template: &Template) -> OpKey {
        OpKey(format!("{} {}", method.to_ascii_uppercase(), template.erased()).into())
    }

    /// `Query.pet`: the root type of the schema and the field.
    #[must_use]
    pub fn graphql(root: &str, field: &str) -> OpKey {
        OpKey(format!("{root}.{field}").into())
    }

    /// `/pkg.Service/Method`: the path that a gRPC call asks for. `service` is the full name with its package.
    #[must_use]
    pub fn grpc(service: &str, method: &str) -> OpKey {
        OpKey(format!("/{service}/{method}").into())
    }

    /// `{namespace}PortType#operation`.
    #[must_use]
    pub fn soap(namespace: &str, port_type: &str, operation: &str) -> OpKey {
        OpKey(format!("{{{namespace}}}{port_type}#{operation}").into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for OpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for OpKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_form_for_each_protocol() {
        let template = Template::parse("/pets/{petId}/photos/{n}.png").expect("a template");

        assert_eq!(OpKey::rest("get", &template).as_str(), "GET /pets/{}/photos/{}.png");
        assert_eq!(OpKey::graphql("Query", "pet").as_str(), "Query.pet");
        assert_eq!(OpKey::grpc("pets.v1.Pets", "Get").as_str(), "/pets.v1.Pets/Get");
        assert_eq!(OpKey::soap("urn:pets", "Pets", "get").as_str(), "{urn:pets}Pets#get");
    }
}
