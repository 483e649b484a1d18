//! In which shape a client wants its answer.
//!
//! The first shape in a client's list that we have is taken, as Kubernetes does. Protobuf is passed over, so a client
//! that names JSON behind it gets JSON.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING};

/// The shape of an answer about objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The objects themselves.
    Whole,
    /// A table for people.
    Table,
    /// Their metadata only.
    Metadata,
}

/// One entry of an `Accept` field.
struct Range<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Range<'a> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let parameters = parts.filter_map(|part| part.split_once('=')).collect();
        Range { media, parameters }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    fn is(&self, media: &str) -> bool {
        let (kind, _) = media.split_once('/').unwrap_or((media, ""));
        self.media == media || self.media == "*/*" || self.media.strip_suffix("/*") == Some(kind)
    }

    fn is_json(&self) -> bool {
        self.is("application/json")
    }
}

fn ranges(headers: &HeaderMap) -> Vec<Range<'_>> {
    let fields = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(',')).map(|text| Range::parse(text.trim())).collect()
}

/// The shape that is wanted of objects; `None` when we have none of those named.
#[must_use]
pub fn shape(headers: &HeaderMap) -> Option<Shape> {
    let ranges = ranges(headers);
    if ranges.is_empty() {
        return Some(Shape::Whole);
    }
    ranges.iter().filter(|range| range.is_json()).find_map(|range| match range.parameter("as") {
        None => Some(Shape::Whole),
        Some("Table") if is_meta(range) => Some(Shape::Table),
        Some("PartialObjectMetadata" | "PartialObjectMetadataList") if is_meta(range) => {
            Some(Shape::Metadata)
        }
        Some(_) => None,
    })
}

fn is_meta(range: &Range<'_>) -> bool {
    range.parameter("g") == Some("meta.k8s.io") && range.parameter("v") == Some("v1")
}

/// The version of aggregated discovery that is wanted before the documents of old, if any.
#[must_use]
pub fn aggregated_discovery(headers: &HeaderMap) -> Option<&'static str> {
    let ranges = ranges(headers);
    let first = ranges.iter().filter(|range| range.is_json()).find_map(|range| {
        let shape = range.parameter("as");
        if shape.is_none() {
            return Some(None);
        }
        let is_ours =
            shape == Some("APIGroupDiscoveryList") && range.parameter("g") == Some("apidiscovery.k8s.io");
        match range.parameter("v").filter(|_| is_ours) {
            Some("v2") => Some(Some("v2")),
            Some("v2beta1") => Some(Some("v2beta1")),
            Some(_) | None => None,
        }
    });
    first.flatten()
}

/// Whether one of these media types is named as such; for documents that have more than one encoding.
#[must_use]
pub fn names(headers: &HeaderMap, media: &str) -> bool {
    ranges(headers).iter().any(|range| range.media == media)
}

/// Whether the client reads gzip.
#[must_use]
pub fn gzip(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, value.parse().expect("a field"))])
    }

    #[test]
    fn the_first_shape_that_we_have_is_taken() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

        assert_eq!(shape(&accepting(kubectl)), Some(Shape::Table));
        assert_eq!(shape(&accepting("application/json")), Some(Shape::Whole));
        assert_eq!(
            shape(&accepting("application/json;as=Table;v=v9;g=meta.k8s.io, */*")),
            Some(Shape::Whole)
        );
        assert_eq!(shape(&HeaderMap::new()), Some(Shape::Whole));
    }

    #[test]
    fn protobuf_is_passed_over_for_the_json_behind_it() {
        let metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

        assert_eq!(shape(&accepting(metadata)), Some(Shape::Metadata));
        assert_eq!(shape(&accepting("application/vnd.kubernetes.protobuf, */*")), Some(Shape::Whole));
        assert_eq!(shape(&accepting("application/vnd.kubernetes.protobuf")), None);
    }

    #[test]
    fn aggregated_discovery_is_given_to_who_asks_for_it_first() {
        let current = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

        assert_eq!(aggregated_discovery(&accepting(current)), Some("v2"));
        assert_eq!(aggregated_discovery(&accepting("application/json, */*")), None);
    }

    #[test]
    fn gzip_is_used_unless_it_is_refused() {
        let encoding =
            |value: &str| HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().expect("a field"))]);

        assert!(gzip(&encoding("deflate, gzip")));
        assert!(!gzip(&encoding("gzip;q=0, identity")));
        assert!(!gzip(&HeaderMap::new()));
    }
}
