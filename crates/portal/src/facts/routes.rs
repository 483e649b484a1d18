//! Routes as pages tell of them, with what they carry.

use std::collections::HashMap;

use serde_json::Value;

use super::{Meta, list, page, place, text, texts};

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// What all objects have.
    pub meta: Meta,
    /// Its hosts; empty for all.
    pub hosts: Vec<String>,
    /// What it is attached to.
    pub parents: Vec<Parent>,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// What it carried in the last seconds.
    pub traffic: Traffic,
}

/// What a route is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Listener; empty for all.
    pub section: String,
}

/// A rule.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// What it matches, one line each.
    pub matches: Vec<String>,
    /// Its filters.
    pub filters: Vec<String>,
    /// Where it sends requests.
    pub backends: Vec<Backend>,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Backend {
    /// `shop/cart:80` for a Service, other kinds with their name: `Backend shop/cart`.
    pub name: String,
    /// Its weight; empty when there is none to compare with.
    pub weight: String,
}

/// What a route carried in the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Requests a second.
    pub requests: f64,
    /// Errors a second.
    pub errors: f64,
    /// Half took no longer, in milliseconds.
    pub p50: f64,
    /// Ninety-nine of a hundred took no longer, in milliseconds.
    pub p99: f64,
}

impl Traffic {
    /// Reads the numbers of a status.
    #[must_use]
    pub fn of(status: &Value) -> Traffic {
        let number = |field: &str| status[field].as_f64().unwrap_or_default();
        Traffic {
            requests: number("requestsPerSecond"),
            errors: number("errorsPerSecond"),
            p50: number("p50Milliseconds"),
            p99: number("p99Milliseconds"),
        }
    }

    /// Whether there was any.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.requests > 0.0
    }
}

/// The route and the numbers of one object of the list of traffic.
#[must_use]
pub fn traffic(object: &Value) -> (String, Traffic) {
    let status = &object["status"];
    let name = place(&text(&object["metadata"]["namespace"]), &text(&status["route"]["name"]));
    (name, Traffic::of(status))
}

impl Route {
    /// Reads one, and looks up what it carried.
    #[must_use]
    pub fn of(object: &Value, traffic: &HashMap<String, Traffic>) -> Route {
        let (meta, spec) = (Meta::of("HTTPRoute", object), &object["spec"]);
        let parent = |reference: &Value| Parent {
            kind: or(text(&reference["kind"]), "Gateway"),
            namespace: or(text(&reference["namespace"]), &meta.namespace),
            name: text(&reference["name"]),
            section: text(&reference["sectionName"]),
        };
        Route {
            hosts: texts(&spec["hostnames"]),
            parents: list(&spec["parentRefs"]).map(parent).collect(),
            rules: list(&spec["rules"]).map(|rule| Rule::of(rule, &meta.namespace)).collect(),
            traffic: traffic.get(&meta.place()).copied().unwrap_or_default(),
            meta,
        }
    }

    /// Where any of its rules sends requests, each once.
    #[must_use]
    pub fn backends(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for backend in self.rules.iter().flat_map(|rule| &rule.backends) {
            if !names.contains(&backend.name.as_str()) {
                names.push(&backend.name);
            }
        }
        names
    }
}

impl Parent {
    /// `shop/edge#https`.
    #[must_use]
    pub fn text(&self) -> String {
        let place = place(&self.namespace, &self.name);
        if self.section.is_empty() { place } else { format!("{place}#{}", self.section) }
    }

    /// The page about it; empty when there is none.
    #[must_use]
    pub fn page(&self) -> String {
        if self.kind == "Gateway" { page("gateways", &self.namespace, &self.name) } else { String::new() }
    }
}

impl Rule {
    fn of(rule: &Value, namespace: &str) -> Rule {
        let all: Vec<&Value> = list(&rule["backendRefs"]).collect();
        let backend = |reference: &&Value| Backend {
            name: backend_name(reference, namespace),
            weight: if all.len() > 1 { or(text(&reference["weight"]), "1") } else { String::new() },
        };
        Rule {
            matches: list(&rule["matches"]).map(one_match).collect(),
            filters: list(&rule["filters"]).map(|filter| text(&filter["type"])).collect(),
            backends: all.iter().map(backend).collect(),
        }
    }
}

fn backend_name(reference: &Value, namespace: &str) -> String {
    let kind = or(text(&reference["kind"]), "Service");
    let place = place(&or(text(&reference["namespace"]), namespace), &text(&reference["name"]));
    let kind = if kind == "Service" { String::new() } else { format!("{kind} ") };
    match text(&reference["port"]).as_str() {
        "" => format!("{kind}{place}"),
        port => format!("{kind}{place}:{port}"),
    }
}

/// A match as a line: method, path, headers, query.
fn one_match(one: &Value) -> String {
    let mut words = Vec::new();
    words.extend(Some(text(&one["method"])).filter(|method| !method.is_empty()));
    let path = &one["path"];
    let value = or(text(&path["value"]), "/");
    words.push(match text(&path["type"]).as_str() {
        "Exact" => format!("= {value}"),
        "RegularExpression" => format!("~ {value}"),
        _ => format!("{value}…"),
    });
    for (field, mark) in [("headers", ':'), ("queryParams", '=')] {
        for condition in list(&one[field]) {
            words.push(format!("{}{mark} {}", text(&condition["name"]), text(&condition["value"])));
        }
    }
    words.join("  ")
}

fn or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_route_leaves_out_is_what_it_means() {
        let object = json!({
            "metadata": { "namespace": "shop", "name": "cart" },
            "spec": {
                "parentRefs": [{ "name": "edge", "sectionName": "web" }],
                "rules": [{
                    "matches": [
                        { "path": { "type": "PathPrefix", "value": "/cart" }, "method": "GET" },
                        { "path": { "type": "Exact", "value": "/" }, "headers": [{ "name": "x", "value": "1" }] },
                    ],
                    "backendRefs": [{ "name": "one", "port": 80, "weight": 9 }, { "name": "two", "port": 80 }],
                }],
            },
        });
        let carried = Traffic { requests: 2.0, ..Traffic::default() };

        let route = Route::of(&object, &HashMap::from([("shop/cart".to_owned(), carried)]));

        assert_eq!(route.parents[0].text(), "shop/edge#web");
        assert_eq!(route.rules[0].matches, ["GET  /cart…", "= /  x: 1"]);
        assert_eq!(route.backends(), ["shop/one:80", "shop/two:80"]);
        assert_eq!(route.rules[0].backends[1].weight, "1");
        assert!(route.traffic.is_any());
    }
}
