//! What tells the requests of a version, and of a candidate, from others: demands beside path and method.

use std::sync::Arc;

use model::kinds::api_version::{ApiVersionSpec, NamedValue, Selector};
use model::kinds::http_route::{ValueMatch, ValueMatchType};

/// Field by which a client asks for a revision that is not the current one.
pub(super) const REVISION_FIELD: &str = "selvedge-revision";

/// Demands of one match.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    pub(super) headers: Vec<ValueMatch>,
    pub(super) query: Vec<ValueMatch>,
}

/// The ways in which a request can be one of a version; any of them will do. With a candidate, only those that ask
/// for it.
pub(super) fn demands(version: &ApiVersionSpec, candidate: Option<&str>) -> Vec<Demands> {
    let mut ways = match &version.selector {
        None | Some(Selector::Path(_)) => vec![Demands::default()],
        Some(Selector::Header(field)) => vec![Demands { headers: vec![exact(field)], query: Vec::new() }],
        Some(Selector::Query(parameter)) => {
            vec![Demands { headers: Vec::new(), query: vec![exact(parameter)] }]
        }
        Some(Selector::MediaType(media)) => ["accept", "content-type"]
            .map(|field| Demands { headers: vec![names(field, media)], query: Vec::new() })
            .into(),
    };
    if let Some(revision) = candidate {
        let asked = NamedValue { name: REVISION_FIELD.into(), value: revision.into() };
        ways.iter_mut().for_each(|way| way.headers.push(exact(&asked)));
    }
    ways
}

fn exact(wanted: &NamedValue) -> ValueMatch {
    ValueMatch { match_type: ValueMatchType::Exact, name: wanted.name.clone(), value: wanted.value.clone() }
}

/// A field that lists media types, this one among them (RFC 9110 section 12.5.1); case does not matter.
fn names(field: &str, media: &str) -> ValueMatch {
    let value: Arc<str> = format!(r"(?i:(?:.*,)?[ \t]*{}[ \t]*(?:[;,].*)?)", regex::escape(media)).into();
    ValueMatch { match_type: ValueMatchType::RegularExpression, name: field.into(), value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::Pattern;

    #[test]
    fn a_media_type_is_found_among_others_and_never_inside_one() {
        let demand = names("accept", "application/vnd.pets.v1+json");
        let pattern = Pattern::new(&demand.value).expect("a pattern");

        for value in [
            "application/vnd.pets.v1+json",
            "Application/vnd.Pets.v1+json; q=0.9",
            "text/html, application/vnd.pets.v1+json;q=1, */*",
        ] {
            assert!(pattern.matches(value.as_bytes()), "{value}");
        }
        for value in [
            "application/vnd.pets.v1+jsonx",
            "x-application/vnd.pets.v1+json",
            "application/vndxpets.v1+json",
        ] {
            assert!(!pattern.matches(value.as_bytes()), "{value}");
        }
    }
}
