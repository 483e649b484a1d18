//! References that would lead nowhere, each with its file and line.
//!
//! The engine is asked what would become of every object. It answers in conditions, whose sentences name in backticks
//! what is missing; from them the reference is found again in the text of the object.

use engine::status::{Condition, Conditions, Reason};
use model::violation::{Violation, Violations};
use model::{Resource, ResourceKey, Resources, suggest};

use crate::show::spoken::{self, is_kind, named};

/// Everything about references that is wrong afterwards: in the objects of the files all of it, elsewhere what was not
/// wrong before.
pub fn problems(before: &Conditions, after: &Conditions, mine: &[Resource], known: &Resources) -> Violations {
    let mut found = Violations::new();
    for object in after {
        let key = &object.resource.key;
        let own = mine.iter().find(|resource| resource.key == *key);
        let old = before.get(key);
        let was_so = |part: &str, condition: &Condition| {
            old.is_some_and(|status| {
                status.conditions().any(|(known, before)| known == part && same(before, condition))
            })
        };
        let mut told: Vec<String> = Vec::new();
        for (part, condition) in object.status.conditions().filter(|(_, condition)| is_unresolved(condition))
        {
            if own.is_none() && was_so(&part, condition) {
                continue;
            }
            for sentence in condition.message.split("; ") {
                // Every parent of a route tells the same of its backends.
                if told.iter().any(|told| told == sentence) {
                    continue;
                }
                told.push(sentence.to_owned());
                let resource = own.unwrap_or(&object.resource);
                found.add(violation(resource, &part, condition.reason, sentence, known));
            }
        }
    }
    found.sort();
    found
}

fn same(left: &Condition, right: &Condition) -> bool {
    left.kind == right.kind && left.reason == right.reason && left.message == right.message
}

/// Whether it says that a reference leads nowhere, or may not be made.
fn is_unresolved(condition: &Condition) -> bool {
    let reasons = [
        Reason::BackendNotFound,
        Reason::InvalidCACertificateKind,
        Reason::InvalidCACertificateRef,
        Reason::InvalidCertificateRef,
        Reason::InvalidClientCertificateRef,
        Reason::InvalidKind,
        Reason::InvalidParameters,
        Reason::NoMatchingParent,
        Reason::NotAllowedByListeners,
        Reason::Pending,
        Reason::RefNotPermitted,
    ];
    !condition.is_good() && reasons.contains(&condition.reason)
}

fn violation(
    resource: &Resource,
    part: &str,
    reason: Reason,
    sentence: &str,
    known: &Resources,
) -> Violation {
    let field = spoken::field(resource, part, sentence);
    let sentence = if sentence.is_empty() { reason.as_str() } else { sentence };
    resource.violation(field, sentence, remedy(sentence, known))
}

/// The object that was probably meant.
fn remedy(sentence: &str, known: &Resources) -> Option<String> {
    let named = named(sentence).into_iter().find(|named| is_kind(named.kind))?;
    if !sentence.starts_with("no ") || sentence.starts_with("no ReferenceGrant") {
        return None;
    }
    let wanted = match named.namespace {
        Some(namespace) => format!("{namespace}/{}", named.name),
        None => named.name.to_owned(),
    };
    let of_kind: Vec<String> = known
        .iter()
        .map(|resource| &resource.key)
        .filter(|key| *key.kind == *named.kind)
        .map(place)
        .collect();
    let guess = suggest::nearest(&wanted, of_kind.iter().map(String::as_str));
    Some(match guess {
        Some(guess) => format!("create it, or did you mean `{guess}`?"),
        None => "create it, or put it into the files as well".to_owned(),
    })
}

fn place(key: &ResourceKey) -> String {
    key.place()
}

#[cfg(test)]
mod tests {
    use control::files::SourceFile;

    use super::*;
    use crate::remote::files;
    use crate::remote::state::compiler;

    const EDGE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  gatewayClassName: selvedge
  listeners: [{ name: http, protocol: HTTP, port: 8080 }]
---
apiVersion: v1
kind: Service
metadata: { name: carts, namespace: shop }
spec: { ports: [{ port: 80 }] }
";

    const ROUTE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart, namespace: shop }
spec:
  parentRefs:
    - name: edge
    - name: egde
  rules:
    - backendRefs:
        - { name: carts, port: 80 }
        - { name: cart, port: 80 }
    - backendRefs:
        - { kind: Nonsense, name: carts }
        - { name: carts, namespace: other, port: 80 }
";

    fn resources(name: &str, text: &str) -> Vec<Resource> {
        files::parse(&[SourceFile { name: name.into(), text: text.into() }]).expect("sound")
    }

    fn judged(there: &str, mine: &str) -> String {
        let mut known = Resources::new();
        resources("there.yaml", there).into_iter().for_each(|resource| {
            known.insert(resource);
        });
        let mut engine = compiler();
        let before = engine.compile(&known).conditions;
        let mine = resources("mine.yaml", mine);
        mine.iter().for_each(|resource| {
            known.insert(resource.clone());
        });
        let after = engine.compile(&known).conditions;
        problems(&before, &after, &mine, &known).to_string()
    }

    #[test]
    fn every_reference_that_leads_nowhere_is_told_with_its_line() {
        let said = judged(EDGE, ROUTE);

        for part in [
            "error: 4 problems in mine.yaml; nothing was applied",
            "mine.yaml:7  HTTPRoute shop/cart  spec.parentRefs[1].name\n    no Gateway `shop/egde` exists\n    hint: create it, or did you mean `shop/edge`?",
            "mine.yaml:11  HTTPRoute shop/cart  spec.rules[0].backendRefs[1].name\n    no Service `shop/cart` exists\n    hint: create it, or did you mean `shop/carts`?",
            "mine.yaml:13  HTTPRoute shop/cart  spec.rules[1].backendRefs[0].kind\n    kind `Nonsense` cannot be a backend",
            "no ReferenceGrant in `other`",
        ] {
            assert!(said.contains(part), "{part}\n--- is not in\n{said}");
        }
    }

    #[test]
    fn what_leads_somewhere_and_what_was_broken_before_is_no_problem() {
        let good =
            "apiVersion: v1\nkind: Service\nmetadata: { name: other }\nspec: { ports: [{ port: 80 }] }\n";
        let broken = format!("{EDGE}---\n{ROUTE}");

        assert_eq!(problems_of(EDGE, good), 0);
        assert_eq!(problems_of(&broken, good), 0, "somebody else's mistake does not stand in the way");
    }

    #[test]
    fn breaking_the_route_of_somebody_else_is_a_problem_without_a_line() {
        let there =
            format!("{EDGE}---\n{}", ROUTE.split("\n        - { name: cart,").next().expect("a part"));
        let there = there.replace("    - name: egde\n", "");
        let mine = "apiVersion: v1\nkind: Service\nmetadata: { name: carts, namespace: shop }\nspec: { ports: [{ port: 81 }] }\n";

        let said = judged(&there, mine);

        assert!(said.contains("HTTPRoute shop/cart") && said.contains("has no TCP port 80"), "{said}");
    }

    fn problems_of(there: &str, mine: &str) -> usize {
        let said = judged(there, mine);
        said.split_whitespace().nth(1).and_then(|count| count.parse().ok()).unwrap_or(usize::MAX)
    }
}
