//! Asks a control plane for a certificate: a new key, a request that says nothing but the key, and the answer.
//!
//! The key is made here and goes nowhere but into [`super::kept`]. What is answered is believed only as far as it fits:
//! a certificate of this very key, for the workload that was asked for, that verifies up to the roots that came with
//! it.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use identity::member::{Bundles, Side, judge};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::UnixTime;
use serde_json::{Value, json};
use tonic::body::Body;
use tower_service::Service as _;

use super::kept::Kept;
use crate::config::ControlAddress;
use crate::limits::{CERTIFICATE_ANSWER_BYTES_MAX, CERTIFICATE_WITHIN_SECONDS};

/// Where certificates are asked for.
const PATH: &str = "/mesh.selvedge.dev/v1/certificates";
const WITHIN: Duration = Duration::from_secs(CERTIFICATE_WITHIN_SECONDS as u64);

/// What is asked for, and by what.
#[derive(Clone, Debug)]
pub struct Question<'q> {
    /// The replica: `namespace/name`.
    pub workload: &'q str,
    /// The Gateway, for a proxy of one.
    pub gateway: Option<&'q str>,
    /// The token to show; without one the connection shows a certificate.
    pub token: Option<&'q str>,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// In words for people.
    pub problem: String,
    /// Whether the one who asked is not known, or may not.
    pub is_refused: bool,
    /// When to ask again.
    pub after: Option<Duration>,
}

impl Failed {
    fn new(problem: impl Into<String>) -> Failed {
        Failed { problem: problem.into(), is_refused: false, after: None }
    }
}

/// Asks one control plane.
///
/// # Errors
/// See [`Failed`].
pub async fn ask(
    control: &ControlAddress,
    tls: &Arc<rustls::ClientConfig>,
    question: &Question<'_>,
    now: Duration,
) -> Result<Kept, Failed> {
    let asked = async {
        let key = KeyPair::generate().map_err(|error| Failed::new(error.to_string()))?;
        let answer = exchange(control, tls, question, &csr(&key)?).await?;
        believe(&answer, question.workload, &key, now).map_err(Failed::new)
    };
    let late = |_| Failed::new(format!("{control} did not answer in time"));
    tokio::time::timeout(WITHIN, asked).await.map_err(late)?
}

/// A request that asks for nothing: who we are is for others to say.
fn csr(key: &KeyPair) -> Result<String, Failed> {
    let unusable = |error: rcgen::Error| Failed::new(error.to_string());
    let mut params = CertificateParams::new(Vec::new()).map_err(unusable)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serialize_request(key).and_then(|request| request.pem()).map_err(unusable)
}

async fn exchange(
    control: &ControlAddress,
    tls: &Arc<rustls::ClientConfig>,
    question: &Question<'_>,
    csr: &str,
) -> Result<Value, Failed> {
    let broken = |error: &dyn std::fmt::Display| Failed::new(format!("{control}: {error}"));
    let mut wire = control.connect(tls).await.map_err(|error| broken(&error))?;
    let mut body = json!({ "csr": csr, "workload": question.workload });
    if let Some(gateway) = question.gateway {
        body["gateway"] = gateway.into();
    }
    let mut request =
        Request::post(format!("{control}{PATH}")).header(http::header::CONTENT_TYPE, "application/json");
    if let Some(token) = question.token {
        request = request.header(http::header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::new(Full::from(body.to_string()))).map_err(|error| broken(&error))?;
    std::future::poll_fn(|context| wire.poll_ready(context)).await.map_err(|error| broken(&error))?;
    let response = wire.call(request).await.map_err(|error| broken(&error))?;
    let (head, body) = response.into_parts();
    let body =
        Limited::new(body, CERTIFICATE_ANSWER_BYTES_MAX).collect().await.map_err(|error| broken(&error))?;
    let value: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    if head.status.is_success() {
        return Ok(value);
    }
    let after =
        head.headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let said = value["message"].as_str().map_or_else(|| head.status.to_string(), str::to_owned);
    Err(Failed {
        problem: format!("{control}: {said}"),
        is_refused: matches!(head.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
        after: after.map(Duration::from_secs),
    })
}

fn believe(answer: &Value, workload: &str, key: &KeyPair, now: Duration) -> Result<Kept, String> {
    let text = |field: &str| {
        let text = answer[field].as_str().map(str::to_owned);
        text.ok_or_else(|| format!("the control plane answered without `{field}`"))
    };
    let kept = Kept {
        workload: workload.to_owned(),
        certificate: text("certificate")?,
        key: key.serialize_pem(),
        bundle: text("bundle")?,
        trust_domain: text("trustDomain")?,
        since: now,
    };
    let (svid, bundle) =
        kept.read().map_err(|why| format!("the certificate that came is not used: {why}"))?;
    if svid.leaf().replica.as_deref() != Some(workload) {
        return Err("the certificate that came is not for this workload".to_owned());
    }
    let bundles = Bundles::new().with(&kept.trust_domain, bundle);
    let (leaf, between) = svid.chain().split_first().ok_or("no certificate came")?;
    judge(leaf, between, Side::Called, &bundles, UnixTime::since_unix_epoch(now)).map_err(|refusal| {
        format!("the certificate that came does not verify: {refusal}; is the clock right?")
    })?;
    Ok(kept)
}
