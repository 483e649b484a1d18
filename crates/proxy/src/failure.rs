//! Every failure: code, status, who is to blame, whether a retry is safe. One line each, in one table.
//!
//! Status, gRPC code, log field, metric label, retry decision and `docs/failures.md` all come from here, so a
//! failure cannot be called one thing in the log and another in the metrics.

/// Who caused a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client sent something we refuse.
    Client,
    /// The upstream failed or misbehaved.
    Upstream,
    /// The configuration says so, or cannot work.
    Config,
    /// Ourselves.
    Proxy,
}

/// Whether another attempt may be made after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never.
    Never,
    /// Nothing of the request was sent, so another endpoint may always be tried.
    Always,
    /// The request may have been seen; only an idempotent one with its body still at hand may be sent again.
    IfReplayable,
}

/// The facts of one failure.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Stable snake_case code: log field and metric label.
    pub code: &'static str,
    /// HTTP status answered.
    pub status: u16,
    /// gRPC status code answered to gRPC requests.
    pub grpc: u8,
    /// Who caused it.
    pub blame: Blame,
    /// Whether another attempt may be made.
    pub retry: Retry,
    /// One sentence for the client and for `docs/failures.md`.
    pub sentence: &'static str,
}

macro_rules! failures {
    ($($name:ident =>
        $code:literal, $status:literal, $grpc:literal, $blame:ident, $retry:ident, $sentence:literal;)*) => {
        /// A failure of one request or connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Failure {
            $(#[doc = $sentence] $name,)*
        }

        impl Failure {
            /// Every failure, in the order of the table.
            pub const ALL: &'static [Failure] = &[$(Failure::$name),*];

            /// The facts of this failure.
            #[must_use]
            pub const fn facts(self) -> Facts {
                match self {
                    $(Failure::$name => Facts {
                        code: $code, status: $status, grpc: $grpc,
                        blame: Blame::$blame, retry: Retry::$retry, sentence: $sentence,
                    },)*
                }
            }
        }
    };
}

#[rustfmt::skip] // the table is the point
failures! {
    // name              => code                       status grpc blame     retry         sentence
    BadRequestLine       => "bad_request_line",         400, 13, Client,   Never,        "the request line is not `METHOD target HTTP/1.1` with single spaces";
    BadVersion           => "bad_version",              505, 13, Client,   Never,        "only HTTP/1.0 and HTTP/1.1 are spoken on this connection";
    BadTarget            => "bad_target",               400, 13, Client,   Never,        "the request target is not a path or URL we accept";
    AmbiguousPath        => "ambiguous_path",           400, 13, Client,   Never,        "the path could be read in two ways by different servers";
    BadHeader            => "bad_header",               400, 13, Client,   Never,        "a header line is malformed";
    HeaderUnderscore     => "header_underscore",        400, 13, Client,   Never,        "a header name contains `_`, which some servers read as `-`";
    BadHost              => "bad_host",                 400, 13, Client,   Never,        "the host is missing, repeated, or not a host name";
    BadFraming           => "bad_framing",              400, 13, Client,   Never,        "Content-Length and Transfer-Encoding do not say one thing";
    BadChunk             => "bad_chunk",                400, 13, Client,   Never,        "a chunk of the body is malformed";
    BadExpectation       => "bad_expectation",          417, 13, Client,   Never,        "only `Expect: 100-continue` is understood";
    BadUpgrade           => "bad_upgrade",              400, 13, Client,   Never,        "the upgrade request is malformed or carries a body";
    MethodRefused        => "method_refused",           405, 12, Client,   Never,        "this method is not carried";
    HeadTooLarge         => "head_too_large",           431,  8, Client,   Never,        "the request line and headers are too large";
    HeadersTooMany       => "headers_too_many",         431,  8, Client,   Never,        "there are too many headers";
    TargetTooLong        => "target_too_long",          414,  8, Client,   Never,        "the request target is too long";
    BodyTooLarge         => "body_too_large",           413,  8, Client,   Never,        "the request body is larger than this gateway allows";
    HeadTimeout          => "head_timeout",             408,  4, Client,   Never,        "the request head did not arrive in time";
    BodyTimeout          => "body_timeout",             408,  4, Client,   Never,        "the request body did not arrive in time";
    ClientClosed         => "client_closed",            499,  1, Client,   Never,        "the client closed the connection before it was answered";
    ClientStalled        => "client_stalled",           499,  1, Client,   Never,        "the client stopped reading its response";
    Misdirected          => "misdirected",              421, 12, Client,   Never,        "the connection was opened for another host";
    ClientUnverified     => "client_unverified",        421, 16, Client,   Never,        "the port verifies clients by now and this connection's was not; a new connection may satisfy it";
    TlsHandshake         => "tls_handshake",            400, 14, Client,   Never,        "the TLS handshake failed";
    PeerUnverified       => "peer_unverified",          502, 14, Upstream, Always,       "the other end of a mesh connection could not prove that it is a member";
    PeerIdentityMismatch => "peer_identity_mismatch",   502, 14, Upstream, Always,       "another member answered than the one that was called";
    IdentityMissing      => "identity_missing",         503, 14, Proxy,    Never,        "this proxy has no valid certificate of its mesh, and members are never reached in cleartext";
    MeshServiceUnknown   => "mesh_service_unknown",     421, 14, Client,   Never,        "the caller asked a mesh port for a service that it does not serve";
    MeshProtocol         => "mesh_protocol",            502, 14, Upstream, Never,        "the two ends of a mesh connection did not agree on a protocol that the service carries";
    MeshCleartext        => "mesh_cleartext",           421, 16, Client,   Never,        "the port takes members of the mesh only, and this connection has shown no certificate";
    ConnectionLimit      => "connection_limit",         503, 14, Client,   Never,        "too many connections are open on this port";
    Http2Abuse           => "http2_abuse",              400,  8, Client,   Never,        "the HTTP/2 connection exceeded a frame, reset or header budget";
    Http2Protocol        => "http2_protocol",           400, 13, Client,   Never,        "the HTTP/2 request is malformed";
    WholeBodiesFull      => "whole_bodies_full",        503,  8, Proxy,    Never,        "a rule must see bodies whole, and this proxy holds as many at this moment as it may";
    AnswerTooLarge       => "answer_too_large",         502,  8, Upstream, Never,        "a rule must see the answer whole, and it is larger than the rule allows";
    NoRoute              => "no_route",                 404, 12, Client,   Never,        "no route matches this request";
    AddressDenied        => "address_denied",           403,  7, Config,   Never,        "a policy does not let requests come from the address of the client";
    CredentialMissing    => "credential_missing",       401, 16, Client,   Never,        "the route asks who the caller is, and the request does not say";
    CredentialInvalid    => "credential_invalid",       401, 16, Client,   Never,        "the credential of the request does not count";
    AuthenticationUnavailable => "authentication_unavailable", 503, 14, Upstream, Never, "what is needed to verify the credential is not to be had in time";
    AuthenticationInvalid => "authentication_invalid",  500, 13, Config,   Never,        "the authentication policy of the route cannot do what it says, so nobody is let in";
    ExternallyDenied     => "externally_denied",        403,  7, Config,   Never,        "an authorizer that a policy names does not let this request pass, and says with what it is answered";
    AuthorizerFailed     => "authorizer_failed",        403,  7, Upstream, Never,        "an authorizer that a policy names has not said in time, or not in a way that is understood, whether the request may pass";
    DeniedByPolicy       => "denied_by_policy",         403,  7, Config,   Never,        "an authorization policy does not let this request pass";
    ApplicationMissing   => "application_missing",      403,  7, Client,   Never,        "the caller is known, and no application of a customer is recognised by its credential";
    ApplicationSuspended => "application_suspended",    403,  7, Client,   Never,        "the credential is good, and its application or the team of that is suspended";
    SubscriptionMissing  => "subscription_missing",     403,  7, Client,   Never,        "the application has subscribed to no product with this operation";
    SubscriptionHeld     => "subscription_held",        403,  7, Client,   Never,        "the subscription is held, and may be used again when nobody holds it";
    SubscriptionInactive => "subscription_inactive",    403,  7, Client,   Never,        "the subscription is not granted yet, or is over";
    PlanEnded            => "plan_ended",               403,  7, Client,   Never,        "the plan of the subscription, or its product, has ended";
    PlanCredential       => "plan_credential",          403,  7, Client,   Never,        "the plan of the subscription does not take this kind of credential";
    RateLimited          => "rate_limited",             429,  8, Client,   Never,        "the caller has asked more often than a limit allows";
    QuotaExceeded        => "quota_exceeded",           429,  8, Client,   Never,        "the subscription has used up a quota of its plan";
    QuotaUnknown         => "quota_unknown",            503, 14, Proxy,    Never,        "how much of a quota is left cannot be found out now, and the plan refuses requests then";
    RequestMalformed     => "request_malformed",        400,  3, Client,   Never,        "the request does not keep to what its operation asks for; `violations` says where";
    MediaTypeUnsupported => "media_type_unsupported",   415,  3, Client,   Never,        "the body of the request is of a type or an encoding that its operation does not take";
    RequestInvalid       => "request_invalid",          422,  3, Client,   Never,        "the body of the request does not keep to its description; `violations` says where";
    AnswerInvalid        => "answer_invalid",           502, 13, Upstream, Never,        "the answer does not keep to its description, and a policy lets only those pass that do";
    ValidationInvalid    => "validation_invalid",       500, 13, Config,   Never,        "the validation policy of the route cannot do what it says, so nothing passes";
    BodyUnreadable       => "body_unreadable",          415,  3, Client,   Never,        "the body of the request is to be changed on its way, and is no JSON by its type or is encoded";
    BodyNotJson          => "body_not_json",            400,  3, Client,   Never,        "the body of the request is to be changed on its way, and cannot be read as JSON without a loss";
    TransformImpossible  => "transform_impossible",     422,  3, Client,   Never,        "the request has a value that cannot become what its upstream asks for";
    AnswerUnreadable     => "answer_unreadable",        502, 13, Upstream, Never,        "the answer is to be changed on its way, and cannot be read as JSON without a loss";
    AnswerUntransformable => "answer_untransformable",  502, 13, Upstream, Never,        "the answer has a value that cannot become what the caller was promised";
    RouteRefused         => "route_refused",            500, 14, Config,   Never,        "the route that matches cannot work as it is configured";
    BackendInvalid       => "backend_invalid",          500, 14, Config,   Never,        "the backend that was chosen does not exist or may not be used";
    BackendTlsInvalid    => "backend_tls_invalid",      500, 14, Config,   Never,        "the TLS policy of the backend is invalid";
    BackendCredentialMissing => "backend_credential_missing", 500, 14, Config, Never,   "the credential that the backend is to be shown is not to be had";
    NoEndpoint           => "no_endpoint",              503, 14, Upstream, Never,        "the backend has no ready endpoint";
    UpstreamLimitRequests => "upstream_limit_requests", 503, 14, Upstream, Never,       "as many requests are under way at the backend as its policy allows";
    UpstreamLimitPending => "upstream_limit_pending",  503, 14, Upstream, Never,        "all connections that the policy of the backend allows are busy, and too many requests wait or waited too long";
    UpstreamLimitEndpoint => "upstream_limit_endpoint", 503, 14, Upstream, Never,       "every endpoint of the backend has as many requests under way as its policy allows";
    FaultInjected        => "fault_injected",          503, 14, Config,   Never,        "a policy lets this request fail on purpose";
    ConnectRefused       => "connect_refused",          503, 14, Upstream, Always,       "no endpoint of the backend accepted a connection";
    ConnectTimeout       => "connect_timeout",          504, 14, Upstream, Always,       "no endpoint of the backend accepted a connection in time";
    UpstreamTls          => "upstream_tls",             502, 14, Upstream, Always,       "the TLS handshake with the upstream failed or its certificate does not verify";
    UpstreamReset        => "upstream_reset",           502, 14, Upstream, IfReplayable, "the upstream closed the connection before it answered";
    UpstreamProtocol     => "upstream_protocol",        502, 14, Upstream, Never,        "the upstream's response is malformed or ambiguous";
    UpstreamHeadTooLarge => "upstream_head_too_large",  502, 14, Upstream, Never,        "the upstream's response headers are too large";
    UpstreamTruncated    => "upstream_truncated",       502, 14, Upstream, Never,        "the upstream closed the connection inside its response";
    UpstreamTimeout      => "upstream_timeout",         504,  4, Upstream, Never,        "the upstream did not answer in time";
    ConnectionIdle       => "connection_idle",          504,  4, Client,   Never,        "a connection that carries bytes moved none for too long, either way";
    ConnectionStalled    => "connection_stalled",       504,  4, Client,   Never,        "one side of a connection that carries bytes took none for too long";
    ConnectionExpired    => "connection_expired",       504,  4, Config,   Never,        "a connection that carries bytes lasted longer than the Gateway allows";
    Drained              => "drained",                  503, 14, Proxy,    Never,        "the connection was still open when the drain of its port ended";
    EncryptionRequired   => "encryption_required",      400, 16, Client,   Never,        "a PostgreSQL client began without TLS on a port that takes nothing else";
    EncryptionSmuggled   => "encryption_smuggled",      400, 13, Client,   Never,        "bytes followed PostgreSQL's request for TLS before it was answered";
    RequestTimeout       => "request_timeout",          504,  4, Upstream, Never,        "the request took longer than the route allows";
    Panicked             => "panicked",                 500, 13, Proxy,    Never,        "an internal error ended this request";
}

impl Failure {
    /// Whether the connection is of no more use to its client, who has to open another one.
    #[must_use]
    pub const fn ends_connection(self) -> bool {
        matches!(self, Failure::ClientUnverified | Failure::MeshCleartext)
    }
}
