//! Media types: what a body says it is.
//!
//! JSON and YAML are read. The binary encoding of Kubernetes is not: clients that speak it are told so in the way
//! that makes them fall back to JSON.

use super::status::Status;

/// JSON.
pub const JSON: &str = "application/json";
/// YAML.
pub const YAML: &str = "application/yaml";
/// RFC 7386.
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// RFC 6902.
pub const JSON_PATCH: &str = "application/json-patch+json";
/// Kubernetes' merge patch that knows lists.
pub const STRATEGIC_MERGE_PATCH: &str = "application/strategic-merge-patch+json";
/// Server-side apply, in YAML or JSON.
pub const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON only.
    Json,
    /// YAML, of which JSON is a part.
    Yaml,
}

/// What a PATCH asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
    /// Kubernetes' own.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchKind {
    /// The kind of patch that a `Content-Type` names.
    ///
    /// # Errors
    /// 415 for all others.
    pub fn of(content_type: Option<&str>) -> Result<PatchKind, Status> {
        let known = [JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH];
        match content_type.map(essence).as_deref() {
            Some(JSON_PATCH) => Ok(PatchKind::Json),
            Some(MERGE_PATCH) => Ok(PatchKind::Merge),
            Some(STRATEGIC_MERGE_PATCH) => Ok(PatchKind::Strategic),
            Some(APPLY_PATCH) => Ok(PatchKind::Apply),
            Some(_) | None => Err(Status::unsupported_media_type(&known)),
        }
    }

    /// How its body is written.
    #[must_use]
    pub fn encoding(self) -> Encoding {
        match self {
            PatchKind::Merge | PatchKind::Json | PatchKind::Strategic => Encoding::Json,
            PatchKind::Apply => Encoding::Yaml,
        }
    }
}

impl Encoding {
    /// The encoding that the `Content-Type` of a create, update or delete names; JSON when it names none.
    ///
    /// # Errors
    /// 415 for what is not read, the binary encoding of Kubernetes among it.
    pub fn of(content_type: Option<&str>) -> Result<Encoding, Status> {
        match content_type.map(essence).as_deref() {
            None | Some("" | JSON | "*/*") => Ok(Encoding::Json),
            Some(YAML | "application/x-yaml" | "text/yaml") => Ok(Encoding::Yaml),
            Some(_) => Err(Status::unsupported_media_type(&[JSON, YAML])),
        }
    }
}

/// A media type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        assert_eq!(Encoding::of(Some("Application/JSON; charset=utf-8")), Ok(Encoding::Json));
        assert_eq!(Encoding::of(None), Ok(Encoding::Json));
        assert_eq!(Encoding::of(Some("application/yaml")), Ok(Encoding::Yaml));
        assert_eq!(PatchKind::of(Some("application/apply-patch+yaml")), Ok(PatchKind::Apply));
    }

    #[test]
    fn the_binary_encoding_is_refused_so_that_clients_fall_back() {
        let refused = Encoding::of(Some("application/vnd.kubernetes.protobuf")).expect_err("is not read");

        assert_eq!((refused.code(), refused.reason()), (415, "UnsupportedMediaType"));
        assert_eq!(PatchKind::of(Some("application/json")).expect_err("no patch").code(), 415);
        assert_eq!(PatchKind::of(None).expect_err("no patch").code(), 415);
    }
}
