//! Makes the workload known, keeps it known, and takes it back at the end.
//!
//! With the same rights as everybody: the object is applied through the public API, over the pinned connection that the
//! stream uses too. It is applied again now and then, so that one that went while we could not be heard comes back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use identity::Member;
use proxy::{ControlAddress, Wire};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tonic::body::Body;
use tower_service::Service as _;

use super::SidecarOptions;
use super::workload::Workload;

/// Time between two applications of the same object.
const AGAIN: Duration = Duration::from_secs(60);
/// Shortest and longest wait after one that failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How long the control plane has to answer. Past it the request has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long taking it back may take. Past it the lease has to run out.
pub const WITHDRAW_WITHIN: Duration = Duration::from_secs(2);
/// Most bytes of a refusal that are read. Past it the refusal is told without its reason.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Who the fields of the object belong to.
const FIELD_MANAGER: &str = "selvedge-sidecar";

/// Speaks to a control plane about one workload.
#[derive(Clone, Debug)]
pub struct Registration {
    controls: Vec<ControlAddress>,
    /// The one that answered last, and is asked first.
    answered: Arc<AtomicUsize>,
    /// Shows who we are in the mesh; before that is known, nothing is asked.
    tls: Arc<rustls::ClientConfig>,
    member: Arc<Member>,
    workload: Workload,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It is known.
    Known,
    /// It is not, and why; it is tried again.
    Refused(String),
}

impl Registration {
    /// About this workload.
    #[must_use]
    pub fn new(options: &SidecarOptions, member: &Arc<Member>) -> Registration {
        let SidecarOptions { controls, token, workload, .. } = options;
        Registration {
            controls: controls.clone(),
            answered: Arc::default(),
            tls: identity::pinned::member_config(token.authority, member.clone()),
            member: member.clone(),
            workload: workload.clone(),
        }
    }

    /// Keeps the workload known for as long as it is polled; tells what changes.
    pub async fn keep(self, tell: impl Fn(Registered)) {
        let mut identity = self.member.watch();
        while self.member.standing().svid.is_none() && identity.changed().await.is_ok() {}
        let mut told = None;
        let mut wait = RETRY.0;
        loop {
            let became = match self.apply().await {
                Ok(()) => {
                    wait = RETRY.0;
                    Registered::Known
                }
                Err(error) => {
                    wait = (wait * 2).min(RETRY.1);
                    Registered::Refused(error.to_string())
                }
            };
            let is_known = became == Registered::Known;
            if told.as_ref() != Some(&became) {
                tell(became.clone());
                told = Some(became);
            }
            sleep(if is_known { AGAIN } else { wait }).await;
        }
    }

    async fn apply(&self) -> io::Result<()> {
        let path = format!("{}?fieldManager={FIELD_MANAGER}&force=true", self.path());
        let status = self.ask(Method::PATCH, &path, Some(self.workload.object())).await?;
        status.is_success().then_some(()).ok_or_else(|| io::Error::other(status.to_string()))
    }

    /// Takes it back.
    ///
    /// # Errors
    /// The control plane cannot be reached in time or refuses; then the lease runs out.
    pub async fn withdraw(&self) -> io::Result<()> {
        if self.member.standing().svid.is_none() {
            return Ok(()); // Nobody was ever made known.
        }
        timeout(WITHDRAW_WITHIN, self.ask(Method::DELETE, &self.path(), None)).await?.map(drop)
    }

    fn path(&self) -> String {
        let name = &self.workload.name;
        format!("/apis/mesh.selvedge.dev/v1alpha1/namespaces/{}/workloads/{}", name.namespace, name.name)
    }

    /// Asks one control plane after the other until one answers, whatever it says.
    async fn ask(&self, method: Method, path: &str, object: Option<Value>) -> io::Result<StatusCode> {
        let (first, count) = (self.answered.load(Ordering::Relaxed), self.controls.len());
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for at in (0..count).map(|step| (first + step) % count) {
            match timeout(ANSWER_WITHIN, self.controls[at].connect(&self.tls)).await {
                Ok(Ok(wire)) => {
                    self.answered.store(at, Ordering::Relaxed);
                    let asked = self.ask_over(wire, &self.controls[at], method, path, object);
                    return timeout(ANSWER_WITHIN, asked).await?;
                }
                Ok(Err(error)) => last = error,
                Err(late) => last = late.into(),
            }
        }
        Err(last)
    }

    async fn ask_over(
        &self,
        mut wire: Wire,
        control: &ControlAddress,
        method: Method,
        path: &str,
        object: Option<Value>,
    ) -> io::Result<StatusCode> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{control}{path}"))
            .header(header::ACCEPT, "application/json");
        if object.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/apply-patch+yaml");
        }
        let body = object.map(|object| Bytes::from(object.to_string())).unwrap_or_default();
        let request = request.body(Body::new(Full::new(body))).map_err(io::Error::other)?;
        std::future::poll_fn(|context| wire.poll_ready(context)).await.map_err(io::Error::other)?;
        let response = wire.call(request).await.map_err(io::Error::other)?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_FOUND && path == self.path() {
            return Ok(status);
        }
        let body = Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Err(io::Error::other(refusal(status, &body)))
    }
}

/// Why it was refused, in the API's own words.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let message = said.as_ref().and_then(|said| said["message"].as_str());
    message.map_or_else(|| status.to_string(), |message| format!("{status}: {message}"))
}
