//! What tells clients how to speak to us: version, discovery, OpenAPI, and whether we are here.

use http::StatusCode;
use serde_json::json;

use super::answer::Answer;
use super::dispatch::Request;
use super::state::State;
use crate::objects::status::Status;

/// The version of Kubernetes whose API this is. Clients choose by it what they dare to ask for.
const KUBERNETES: (&str, &str) = ("1", "34");

/// `/version`.
pub fn version() -> Answer {
    let (major, minor) = KUBERNETES;
    Answer::value(&json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{major}.{minor}.0+selvedge-{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, architecture()),
    }))
}

/// As Go calls it, in whose words clients compare.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `/livez`, `/readyz`, `/healthz`: whoever gets an answer may go on until we stop.
pub fn health(state: &State) -> Answer {
    if *state.stopping.borrow() {
        return Answer::text(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    Answer::text(StatusCode::OK, "ok")
}

pub fn core_versions(_request: &Request) -> Answer { Answer::value(&json!({})) }
pub fn groups(_request: &Request) -> Answer { Answer::value(&json!({})) }
pub fn group(_request: &Request) -> Result<Answer, Status> { Ok(Answer::value(&json!({}))) }
pub fn resources(_request: &Request) -> Result<Answer, Status> { Ok(Answer::value(&json!({}))) }
pub fn open_api_v2(_request: &Request) -> Result<Answer, Status> { Ok(Answer::value(&json!({}))) }
pub fn open_api_v3() -> Answer { Answer::value(&json!({})) }
pub fn open_api_v3_document(_request: &Request) -> Result<Answer, Status> { Ok(Answer::value(&json!({}))) }
