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

    use std::collections::HashMap;

    use proptest::prelude::*;

    /// An operation of any protocol, by what tells it from others: names of path parameters do not.
    fn operation() -> impl Strategy<Value = (String, OpKey)> {
        let word = "[A-Za-z][A-Za-z0-9_]{0,3}";
        let segment = prop_oneof![
            "[a-z.~%:@!-]{1,3}".prop_map(|text| (text.clone(), text)),
            word.prop_map(|name| ("{}".to_owned(), format!("{{{name}}}"))),
            (word, "[a-z.]{1,2}").prop_map(|(name, end)| (format!("{{}}{end}"), format!("{{{name}}}{end}"))),
        ];
        let path = proptest::collection::vec(segment, 0..4).prop_map(|segments| {
            let (shape, text): (Vec<String>, Vec<String>) = segments.into_iter().unzip();
            (format!("/{}", shape.join("/")), format!("/{}", text.join("/")))
        });
        let method = prop_oneof!["get|GET|put|PATCH", "[A-Za-z]{1,5}"];
        let rest = (method, path).prop_filter_map("no template", |(method, (shape, text))| {
            let template = Template::parse(&text).ok()?;
            Some((format!("rest {} {shape}", method.to_uppercase()), OpKey::rest(&method, &template)))
        });
        let graphql = ("Query|Mutation|Subscription|[A-Z][a-z]{0,2}", word)
            .prop_map(|(root, field)| (format!("graphql {root} {field}"), OpKey::graphql(&root, &field)));
        let grpc = ("([a-z]{1,2}\\.){0,2}[A-Z][a-z]{0,2}", word).prop_map(|(service, method)| {
            (format!("grpc {service} {method}"), OpKey::grpc(&service, &method))
        });
        let soap = ("(urn:|http://)[a-z/#.]{0,4}", word, word).prop_map(|(space, port, name)| {
            (format!("soap {space} {port} {name}"), OpKey::soap(&space, &port, &name))
        });
        prop_oneof![rest, graphql, grpc, soap]
    }

    proptest! {
        #[test]
        fn two_operations_share_a_key_only_if_they_are_the_same(all in proptest::collection::vec(operation(), 2..64)) {
            let mut known: HashMap<OpKey, String> = HashMap::new();
            let mut keys: HashMap<String, OpKey> = HashMap::new();
            for (identity, key) in all {
                prop_assert_eq!(known.entry(key.clone()).or_insert_with(|| identity.clone()), &identity);
                prop_assert_eq!(keys.entry(identity).or_insert_with(|| key.clone()), &key);
                prop_assert!(!key.as_str().chars().any(char::is_control));
            }
        }
    }
}
