//! What tells clients how to speak to us: version, discovery, OpenAPI, and whether we are here.
//!
//! None of it changes while the process lives, so each of the large ones is made once, when the first client asks.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HOST, IF_NONE_MATCH};

use super::accept;
use super::answer::{Answer, Content, JSON};
use super::dispatch::Request;
use super::state::State;
use crate::objects::documents::{self, Aggregated, OPENAPI_V2_PROTOBUF, OPENAPI_V2_PROTOBUF_ASKED};
use crate::objects::status::Status;

/// `/version`.
pub fn version() -> Answer {
    Answer::value(&documents::version(env!("CARGO_PKG_VERSION")))
}

/// `/livez`, `/readyz`, `/healthz`: whoever gets an answer may go on until we stop.
pub fn health(state: &State) -> Answer {
    if *state.stopping.borrow() {
        return Answer::text(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    Answer::text(StatusCode::OK, "ok")
}

/// `/api`.
pub fn core_versions(request: &Request) -> Answer {
    aggregated(request, true).unwrap_or_else(|| {
        let address = request.headers.get(HOST).and_then(|host| host.to_str().ok());
        Answer::value(&documents::api_versions(address.unwrap_or_default()))
    })
}

/// `/apis`.
pub fn groups(request: &Request) -> Answer {
    aggregated(request, false).unwrap_or_else(|| Answer::value(&documents::api_groups()))
}

/// Everything in one answer, for clients that ask for it.
fn aggregated(request: &Request, core: bool) -> Option<Answer> {
    let (form, media) = match accept::aggregated_discovery(&request.headers)? {
        "v2" => (Aggregated::V2, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"),
        _ => {
            (Aggregated::V2Beta1, "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")
        }
    };
    let document = Document::new(documents::discover(core, form).to_string());
    Some(document.unless_known(request, media))
}

/// `/apis/GROUP`.
pub fn group(request: &Request) -> Result<Answer, Status> {
    let document = request.place.group.and_then(documents::api_group);
    document.map(|document| Answer::value(&document)).ok_or_else(Status::no_such_path)
}

/// `/api/v1`, `/apis/GROUP/VERSION`.
pub fn resources(request: &Request) -> Result<Answer, Status> {
    let place = &request.place;
    let document = place.group.zip(place.version);
    let document = document.and_then(|(group, version)| documents::api_resources(group, version));
    document.map(|document| Answer::value(&document)).ok_or_else(Status::no_such_path)
}

/// `/openapi/v2`, in JSON or in the binary form, which is all that old clients read.
pub fn open_api_v2(request: &Request) -> Answer {
    static JSON_FORM: LazyLock<Document> =
        LazyLock::new(|| Document::new(documents::openapi_v2().to_string()));
    static BINARY_FORM: LazyLock<Document> =
        LazyLock::new(|| Document::new(documents::openapi_v2_protobuf()));
    let asked = [OPENAPI_V2_PROTOBUF, OPENAPI_V2_PROTOBUF_ASKED];
    if asked.iter().any(|media| accept::names(&request.headers, media)) {
        return BINARY_FORM.unless_known(request, OPENAPI_V2_PROTOBUF);
    }
    JSON_FORM.unless_known(request, JSON)
}

/// `/openapi/v3`: where the documents are, each under an address that changes with it.
pub fn open_api_v3() -> Answer {
    static INDEX: LazyLock<Bytes> = LazyLock::new(|| documents::openapi_v3_index().to_string().into());
    Answer::json(StatusCode::OK, INDEX.clone())
}

/// `/openapi/v3/PATH`. What is asked for under its own address may be kept for good.
pub fn open_api_v3_document(request: &Request) -> Result<Answer, Status> {
    static MADE: Mutex<BTreeMap<String, Arc<Document>>> = Mutex::new(BTreeMap::new());
    let path = request.path.trim_matches('/').trim_start_matches("openapi/v3/");
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let document = match made.get(path) {
        Some(document) => Arc::clone(document),
        None => {
            // Only paths of the table of routes come here, so this holds no more than there are documents.
            let document = documents::openapi_v3(path).ok_or_else(Status::no_such_path)?;
            let document = Arc::new(Document::new(document.to_string()));
            Arc::clone(made.entry(path.to_owned()).or_insert(document))
        }
    };
    drop(made);
    let answer = document.unless_known(request, JSON);
    let own_address = request.query.text("hash").is_some();
    Ok(if own_address { answer.with(CACHE_CONTROL, "public, immutable") } else { answer })
}

/// A document and what tells it from any other.
struct Document {
    bytes: Bytes,
    tag: String,
}

impl Document {
    fn new(bytes: impl Into<Bytes>) -> Document {
        let bytes = bytes.into();
        let digest = digest(&SHA256, &bytes);
        let tag = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Document { bytes, tag }
    }

    /// The document, or word that the client has it already.
    fn unless_known(&self, request: &Request, media: &'static str) -> Answer {
        let fields = request.headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known =
            fields.flat_map(|field| field.split(',')).any(|known| known.trim().trim_matches('"') == self.tag);
        let answer = if is_known {
            Answer::new(StatusCode::NOT_MODIFIED, Content::Nothing)
        } else if media == JSON {
            Answer::json(StatusCode::OK, self.bytes.clone())
        } else {
            Answer::new(StatusCode::OK, Content::Other(media, self.bytes.clone()))
        };
        answer.tagged(&self.tag)
    }
}
