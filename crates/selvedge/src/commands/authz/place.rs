//! What is asked for, as people write it: a URL at a Gateway, or a Service behind its sidecars.

use std::sync::Arc;

use engine::authorization::Authorization;
use engine::compile::{Inbound, inbound};
use model::Resources;
use model::kinds::Service;

use crate::exit::{Exit, Failure};

/// A Service, perhaps one of its ports, perhaps a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePlace {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub port: Option<u16>,
    pub path: Option<String>,
}

impl ServicePlace {
    /// `shop/cart`, `shop/cart:8080`, `shop/cart:/items`, `shop/cart:8080/items`.
    pub fn parse(text: &str) -> Result<ServicePlace, Failure> {
        let wrong = |problem: String| {
            Failure::new(Exit::Usage, problem, "write it like `shop/cart:/items`, or a URL for a Gateway")
        };
        let unclear = || wrong(format!("`{text}` names no Service"));
        let (namespace, rest) = text.split_once('/').ok_or_else(unclear)?;
        let (name, rest) = rest.split_once(':').unwrap_or((rest, ""));
        let (port, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(rest[at..].to_owned())),
            None => (rest, None),
        };
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Err(unclear());
        }
        let number = || port.parse().map_err(|_| wrong(format!("`{port}` is not a port")));
        let port = if port.is_empty() { None } else { Some(number()?) };
        Ok(ServicePlace { namespace: namespace.into(), name: name.into(), port, path })
    }

    /// Who may come in, with the number of the port that is asked: the Service's first one when none is named.
    pub fn authorization(&self, resources: &Resources) -> Result<(Option<Arc<Authorization>>, u16), Failure> {
        let place = format!("{}/{}", self.namespace, self.name);
        let missing = |problem: String, hint: &str| Failure::new(Exit::Missing, problem, hint);
        let Some(service) = resources.find::<Service>(&self.namespace, &self.name) else {
            return Err(missing(
                format!("there is no Service `{place}`"),
                "`selvedge get services -A` lists them",
            ));
        };
        let ports = &service.content.spec.ports;
        let port = match self.port {
            None => ports.first(),
            Some(number) => ports.iter().find(|port| port.port == number),
        };
        let Some(port) = port else {
            return Err(missing(
                format!("Service `{place}` has no such port"),
                "`selvedge describe` shows its ports",
            ));
        };
        let service = Some((self.name.clone(), port.name.clone()));
        let asked = Inbound { namespace: &self.namespace, service, workload: None };
        Ok((inbound(resources, &asked), port.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_have_a_port_and_a_path() {
        let parse = |text: &str| {
            ServicePlace::parse(text).map(|place| (place.name.to_string(), place.port, place.path))
        };

        assert_eq!(parse("shop/cart").ok(), Some(("cart".into(), None, None)));
        assert_eq!(parse("shop/cart:80").ok(), Some(("cart".into(), Some(80), None)));
        assert_eq!(parse("shop/cart:/items").ok(), Some(("cart".into(), None, Some("/items".into()))));
        assert_eq!(parse("shop/cart:80/a:b").ok(), Some(("cart".into(), Some(80), Some("/a:b".into()))));
        for wrong in ["cart", "shop/", "/cart", "shop/a/b", "shop/cart:x", "shop/cart:99999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
