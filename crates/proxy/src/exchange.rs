//! The one value that travels: a request, what was decided about it, and what became of it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commerce::rate::Left;
use engine::authentication::{Place, ToldClaim};
use engine::authorization::Decision;
use engine::config::{
    Abort, Cors, HeaderEdits, Mirror, PlanTerms, ProductTerms, Quota, RateLimit, Rewrite, Rule, Settings,
    Timeouts,
};
use engine::customers::{ApplicationId, Holds, SubscriptionId};
use engine::{RequestView, Verdict};

use crate::buffer::{Buffer, Text};
use crate::counterpart::Counterpart;
use crate::failure::Failure;
use crate::findings::Findings;
use crate::heard::Heard;
use crate::hop::Hop;
use crate::message::{FieldsView, RequestHead};
use crate::principal::Principal;
use crate::request_id::RequestId;
use crate::state::clusters::EndpointState;
use crate::state::open::OpenRequest;
use crate::state::ports::{Pinned, PortState};
use crate::stream::WholeBody;
use crate::trace::Trace;
use crate::vouched::Vouched;
use crate::waits::Waits;
use crate::worker::Worker;

/// Who is at the other end of a client connection.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The address as text, without port, as it goes into `X-Forwarded-For`.
    pub ip: Box<str>,
    /// Name of the TLS listener that SNI selected; `None` for cleartext.
    pub listener: Option<std::sync::Arc<str>>,
    /// The server name it asked for in its handshake.
    pub server_name: Option<Box<str>>,
    /// What it has shown to a port that asked for a certificate.
    pub vouched: Option<Box<Vouched>>,
    /// Who it is in the mesh; `None` for those who came by another door.
    pub counterpart: Option<Rc<Counterpart>>,
}

/// A request as it came in.
#[derive(Debug)]
pub struct Request {
    /// Parsed head; its spans point into `text`.
    pub head: RequestHead,
    /// The head's text.
    pub text: Text,
    /// When its first byte was seen.
    pub started: Instant,
    /// Size of its head on the wire, in bytes.
    pub head_bytes: u64,
}

impl Request {
    /// A request of which nothing has been read.
    #[must_use]
    pub fn begun(started: Instant) -> Request {
        Request { head: RequestHead::default(), text: Text::empty(), started, head_bytes: 0 }
    }

    /// Copies the head's text out of the read buffer, so that the rest of the buffer can travel as body.
    pub fn take_text(&mut self, mut buffer: Buffer, length: usize) -> Buffer {
        self.text = Text::new();
        self.text.extend_from_slice(&buffer.filled()[..length]);
        self.head_bytes = length as u64;
        buffer.start += length;
        buffer
    }
}

/// What of a request goes no further than this proxy because it proves who the caller is, or would pretend to be said
/// by us.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concealed<'c> {
    /// Fields in which the backend is told claims, in lower case: what clients send by these names is taken out.
    pub reserved: &'c [Arc<[u8]>],
    /// Where a credential was found.
    pub place: Option<&'c Place>,
    /// Whether the backend sees it all the same. The log never does.
    pub keep: bool,
    /// Claims of the principal's token with the fields that tell them.
    pub told: &'c [ToldClaim],
}

/// The limit that a caller is told of.
#[derive(Clone, Copy, Debug)]
pub struct ToldRate<'c> {
    /// The limit.
    pub limit: &'c RateLimit,
    /// What it still gives.
    pub left: Left,
    /// When it has refused the request: until it would not.
    pub retry_after: Option<Duration>,
}

/// The quota that a caller is told of.
#[derive(Clone, Copy, Debug)]
pub struct ToldQuota<'c> {
    /// The quota.
    pub quota: &'c Quota,
    /// Requests that are left of it, as far as this proxy knows.
    pub left: u64,
    /// When it begins anew, in seconds since 1970.
    pub resets_at: i64,
    /// The same, in seconds from now.
    pub resets_in: u64,
}

/// On which terms a request was let in to an operation of products.
#[derive(Clone, Copy, Debug)]
pub struct Admitted<'c> {
    /// Who has agreed to them; `None` where nobody has to.
    pub subscriber: Option<Subscriber>,
    /// The product.
    pub product: &'c ProductTerms,
    /// The plan of it.
    pub plan: &'c PlanTerms,
}

/// Whoever has agreed to a plan, as numbers: what is counted by them outlives the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The subscription, to which all limits of the plan belong.
    pub subscription: SubscriptionId,
    /// The application that calls.
    pub application: ApplicationId,
    /// Where the calendar periods of the subscription begin, in seconds since 1970.
    pub anchor: u64,
}

/// A subscription that did not let a request in.
#[derive(Clone, Copy, Debug)]
pub struct Unadmitted<'c> {
    /// The product that it is to.
    pub product: &'c ProductTerms,
    /// Who holds it.
    pub holds: Holds,
}

/// A request on its way through the stages. Each stage reads what earlier ones wrote.
#[derive(Debug)]
pub struct Exchange<'c> {
    /// The worker that carries it.
    pub worker: &'c Rc<Worker>,
    /// The port it came in on.
    pub port: &'c Rc<PortState>,
    /// The config pinned for it.
    pub pinned: &'c Pinned,
    /// Who sent it.
    pub peer: &'c Rc<Peer>,
    /// What was sent.
    pub request: Request,
    /// Its id, in logs, towards the upstream and in the answer.
    pub request_id: RequestId,
    /// Where in a trace it is.
    pub trace: Trace,
    /// The rule that matched.
    pub rule: Option<&'c Rule>,
    /// Request header edits, in the order in which they apply: the rule's, then the backend's.
    pub request_edits: [Option<&'c HeaderEdits>; 2],
    /// Response header edits, in the order in which they apply: the backend's, then the rule's.
    pub response_edits: [Option<&'c HeaderEdits>; 2],
    /// Rewrite towards the upstream.
    pub rewrite: Option<&'c Rewrite>,
    /// Cross-origin rules, when the request's origin is allowed by them.
    pub cors: Option<&'c Cors>,
    /// Where copies of it go.
    pub mirrors: Vec<&'c Mirror>,
    /// Bounds of time, once it is known where it goes.
    pub timeouts: Timeouts,
    /// What the proxies on its way tell each other.
    pub hop: Hop,
    /// Its head as it goes on, where that is another than its client's; it points into the same text.
    pub onward: Option<Box<RequestHead>>,
    /// What could not be changed about it or its answer, and who wanted that.
    pub untransformed: Option<Rc<(Arc<str>, apis::shim::Fault)>>,
    /// Its body, once it was taken in whole: see [`crate::whole`].
    pub body: Option<Box<WholeBody>>,
    /// The length of its body, where the body is another than the client's.
    pub body_length: Option<u64>,
    /// Up to how many bytes its answer must be taken in whole before any of it goes on; `None` when it passes as it
    /// comes.
    pub answer_bytes_max: Option<usize>,
    /// Whether its answer is judged when it has passed.
    pub is_sampled: bool,
    /// What a policy has found wrong with it or its answer.
    pub findings: Option<Box<Findings<'c>>>,
    /// The length of the answer's body, where the body is another than the upstream's.
    pub answer_length: Option<u64>,
    /// Whether its body is kept to be sent again, and so handed on as content.
    pub keeps_body: bool,
    /// With what it is answered on purpose.
    pub abort: Option<Abort>,
    /// Whether it is a copy itself, of which nothing is told.
    pub is_copy: bool,
    /// Who its caller was found to be.
    pub principal: Principal<'c>,
    /// What of it goes no further.
    pub concealed: Concealed<'c>,
    /// Why a credential did not count, as a stable word for the log.
    pub unproven: Option<&'static str>,
    /// On which terms it was let in, once it was, to an operation of products.
    pub admitted: Option<Admitted<'c>>,
    /// Why it was not.
    pub unadmitted: Option<Unadmitted<'c>>,
    /// The limit that its caller is told of.
    pub told_rate: Option<ToldRate<'c>>,
    /// The quota that its caller is told of.
    pub told_quota: Option<ToldQuota<'c>>,
    /// The policy that does not let its address in, `namespace/name`.
    pub kept_out_by: Option<&'c str>,
    /// What authorizers have said of it.
    pub heard: Option<Box<Heard<'c>>>,
    /// The policy that refused it.
    pub denied_by: Option<Decision<'c>>,
    /// Audit policies that matched it.
    pub audits: Vec<Decision<'c>>,
    /// Its place among the requests that wait.
    pub open: &'c OpenRequest,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request: everything the log and the metrics tell beyond the request itself.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Status answered; 0 when nothing was.
    pub status: u16,
    /// What went wrong, if anything.
    pub failure: Option<Failure>,
    /// Whether its answer was made here because of that, or there was none.
    pub is_refused: bool,
    /// The endpoint that was asked last.
    pub upstream: Option<SocketAddr>,
    /// The same, where a member of the mesh had to answer.
    pub member: Option<Rc<EndpointState>>,
    /// Times an endpoint was asked.
    pub attempts: u32,
    /// Bytes received from the client: head and body.
    pub request_bytes: u64,
    /// Bytes sent to the client: head and body.
    pub response_bytes: u64,
}

impl<'c> Exchange<'c> {
    /// A request about which nothing has been decided.
    pub fn new(
        worker: &'c Rc<Worker>,
        port: &'c Rc<PortState>,
        pinned: &'c Pinned,
        peer: &'c Rc<Peer>,
        open: &'c OpenRequest,
        request: Request,
    ) -> Exchange<'c> {
        let settings = &pinned.port().settings;
        let trusted = settings.trusted_hops > 0;
        let request_id = RequestId::choose(&request.head, &request.text, trusted, &worker.random);
        let trace = Trace::begin(settings, &request, peer, &worker.random);
        let outcome = Outcome { request_bytes: request.head_bytes, ..Outcome::default() };
        Exchange {
            worker,
            port,
            pinned,
            peer,
            request,
            request_id,
            trace,
            rule: None,
            request_edits: [None; 2],
            response_edits: [None; 2],
            rewrite: None,
            cors: None,
            mirrors: Vec::new(),
            timeouts: Timeouts::default(),
            hop: Hop::default(),
            onward: None,
            untransformed: None,
            body: None,
            body_length: None,
            answer_bytes_max: None,
            is_sampled: false,
            findings: None,
            answer_length: None,
            keeps_body: false,
            abort: None,
            is_copy: false,
            principal: Principal::default(),
            concealed: Concealed::default(),
            unproven: None,
            admitted: None,
            unadmitted: None,
            told_rate: None,
            told_quota: None,
            kept_out_by: None,
            heard: None,
            denied_by: None,
            audits: Vec::new(),
            open,
            outcome,
        }
    }

    /// Its head as it goes on to an upstream.
    #[inline]
    #[must_use]
    pub fn onward(&self) -> &RequestHead {
        self.onward.as_deref().unwrap_or(&self.request.head)
    }

    /// How long it waits for either side to go on.
    #[must_use]
    pub fn waits(&self) -> Waits {
        Waits::of(&self.settings().limits).under(&self.timeouts)
    }

    /// Its id as text.
    #[must_use]
    pub fn request_id(&self) -> &[u8] {
        self.request_id.of(&self.request.text)
    }

    /// Settings of the Gateway.
    #[must_use]
    pub fn settings(&self) -> &'c Settings {
        &self.pinned.port().settings
    }

    /// What a config says of it.
    #[must_use]
    pub fn find<'p>(&self, pinned: &'p Pinned) -> Verdict<'p> {
        self.find_with(pinned, self.request.head.method_token.of(&self.request.text))
    }

    /// What a config would say of it, had it another method.
    #[must_use]
    pub fn find_with<'p>(&self, pinned: &'p Pinned, method: &[u8]) -> Verdict<'p> {
        let table = match &self.peer.counterpart {
            None => pinned.port().table(),
            // Asked for by each request: the service may have changed, or gone, since the connection was opened.
            Some(caller) => match pinned.port().asked_for(&caller.server_name) {
                Some((_, carries)) => carries.table(),
                None => return Verdict::Misdirected,
            },
        };
        let view = RequestView { method, ..self.view() };
        table.map_or(Verdict::NoMatch, |table| table.find(&view, self.peer.listener.as_deref()))
    }

    /// Whether the client reached us over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.peer.listener.is_some() || self.peer.counterpart.is_some()
    }

    /// Its fields.
    #[inline]
    #[must_use]
    pub fn headers(&self) -> FieldsView<'_> {
        FieldsView { fields: &self.request.head.fields, bytes: &self.request.text }
    }

    /// The canonical view that every decision is made from.
    #[inline]
    #[must_use]
    pub fn view(&self) -> RequestView<'_, FieldsView<'_>> {
        let Request { head, text, .. } = &self.request;
        RequestView {
            method: head.method_token.of(text),
            host: head.host.of(text),
            path: head.path.of(text),
            query: head.query.map(|query| query.of(text)),
            headers: self.headers(),
        }
    }

    /// Whether the client speaks gRPC and must be answered in its terms.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.view().headers.known(crate::message::Known::ContentType).is_some_and(|value| {
            value.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
        })
    }

    /// Remembers a failure for the log.
    pub fn fail(&mut self, failure: Failure) {
        self.outcome.failure.get_or_insert(failure);
    }
}
