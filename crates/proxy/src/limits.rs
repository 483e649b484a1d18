//! Every bound of the data path: name, unit, default, consequence. `docs/limits.md` is generated from here.
//!
//! What a Gateway may change stands in [`engine::config::Limits`]; the rest are constants of the binary, so
//! that memory per connection can be reasoned about.

/// One row of `docs/limits.md`.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The constant's name.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// Its unit.
    pub unit: &'static str,
    /// What happens past it.
    pub consequence: &'static str,
}

macro_rules! limits {
    ($($name:ident: $type:ty = $value:expr, $unit:literal, $consequence:literal;)*) => {
        $(#[doc = concat!("In ", $unit, ". Past it: ", $consequence, ".")] pub const $name: $type = $value;)*

        /// Every bound, in the order of the table.
        pub const ALL: &[Bound] = &[
            $(Bound { name: stringify!($name), value: $value as u64, unit: $unit, consequence: $consequence },)*
        ];
    };
}

const KIB: usize = 1024;

#[rustfmt::skip] // the table is the point
limits! {
    REQUEST_HEAD_BYTES_MAX: usize = 32 * KIB,        "bytes",        "431 `head_too_large`";
    REQUEST_TARGET_BYTES_MAX: usize = 8 * KIB,       "bytes",        "414 `target_too_long`";
    REQUEST_METHOD_BYTES_MAX: usize = 32,            "bytes",        "400 `bad_request_line`";
    REQUEST_ID_KEPT_BYTES_MAX: usize = 128,          "bytes",        "the `X-Request-Id` of a trusted proxy is replaced";
    REQUEST_HEADERS_MAX: usize = 128,                "fields",       "431 `headers_too_many`";
    CONNECTION_OPTIONS_MAX: usize = 32,              "options in `Connection`", "400 `bad_header` (502 `upstream_protocol` from an upstream)";
    RESPONSE_HEAD_BYTES_MAX: usize = 32 * KIB,       "bytes",        "502 `upstream_head_too_large`";
    RESPONSE_HEADERS_MAX: usize = 128,               "fields",       "502 `upstream_head_too_large`";
    INTERIM_RESPONSES_MAX: usize = 8,                "responses",    "502 `upstream_protocol`: more 1xx answers than that before the final one";
    CHUNK_SIZE_DIGITS_MAX: usize = 15,               "hex digits",   "400 `bad_chunk` (502 `upstream_protocol` from an upstream)";
    CHUNK_EXTENSION_BYTES_MAX: usize = 256,          "bytes a chunk","400 `bad_chunk` (502 `upstream_protocol` from an upstream)";
    TRAILERS_BYTES_MAX: usize = 8 * KIB,             "bytes",        "400 `bad_chunk` (502 `upstream_protocol` from an upstream)";
    TRAILERS_MAX: usize = 32,                        "fields",       "400 `bad_chunk` (502 `upstream_protocol` from an upstream)";
    HEAD_BUFFER_BYTES: usize = 32 * KIB,             "bytes",        "the head does not fit: see REQUEST_HEAD_BYTES_MAX";
    BODY_BUFFER_BYTES: usize = 64 * KIB,             "bytes",        "the body is carried in pieces of at most this size";
    BUFFERS_KEPT_MAX: usize = 256,                   "buffers a worker and size", "returned buffers are freed";
    TUNNEL_IDLE_SECONDS: u32 = 3600,                 "seconds",      "an upgraded connection without a byte either way is closed";
    TUNNEL_TURN_BYTES: usize = 1024 * KIB,           "bytes each way","a tunnel that has moved this much waits until the others of its worker had their turn";
    PIPE_BYTES: usize = 256 * KIB,                   "bytes",        "a tunnel moves bytes through a pipe in pieces of at most this size";
    PIPE_BYTES_MIN: usize = 64 * KIB,                "bytes",        "a pipe that the system makes smaller than this is not used: the tunnel copies";
    PIPES_LENT_MAX: usize = 256,                     "pipes a worker", "further tunnels copy";
    PIPES_KEPT_MAX: usize = 32,                      "pipes a worker", "returned pipes are closed";
    POSTGRES_REQUESTS_MAX: usize = 2,                "requests for encryption before the handshake", "the connection is reset, `encryption_required`";
    TLS_HANDSHAKE_SECONDS: u32 = 10,                 "seconds",      "the connection is closed, `tls_handshake`";
    MESH_DISTRUST_SECONDS: u32 = 5,                  "seconds",      "a mesh connection whose other end is no longer believed, or whose own certificate has expired, is cut";
    MESH_PAIRS_MAX: usize = 1000,                    "pairs of identities and service a worker", "the traffic of further ones is counted together, as `other`";
    MESH_SNIFF_MILLISECONDS: u64 = 500,              "milliseconds", "a silent connection to a permissive mesh port that carries bytes is taken for cleartext of a client that waits for the server to speak";
    POOL_IDLE_SECONDS: u32 = 60,                     "seconds",      "an idle upstream connection is closed";
    POOL_CONNECTIONS_MAX: usize = 256,               "idle connections a worker and endpoint", "the connection is closed after its response";
    CONNECT_ATTEMPTS_MAX: usize = 3,                 "attempts",     "the last connect failure is answered";
    DRAINED_BODY_BYTES_MAX: usize = 64 * KIB,        "bytes",        "an answered request whose body is longer closes the connection";
    HTTP2_STREAMS_MAX: u32 = 128,                    "streams a connection", "further streams are refused (REFUSED_STREAM)";
    HTTP2_HEADER_LIST_BYTES_MAX: u32 = 32 * 1024,    "bytes",        "431, or the stream is reset";
    HTTP2_WINDOW_BYTES: u32 = 256 * 1024,            "bytes a stream", "the peer must wait: back-pressure";
    HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024,"bytes a connection", "the peer must wait: back-pressure";
    HTTP2_RESETS_MAX: usize = 100,                   "resets in 30 s a connection", "GOAWAY ENHANCE_YOUR_CALM";
    HTTP2_CONTROL_FRAMES_MAX: usize = 500,           "PING, SETTINGS, PRIORITY, WINDOW_UPDATE beyond need and empty DATA frames in 30 s a connection", "the connection is closed, `http2_abuse`";
    HTTP2_BUDGET_SECONDS: u32 = 30,                  "seconds",      "the HTTP/2 budgets of a connection begin anew";
    HTTP2_EARLY_FRAMES_MAX: u32 = 64,                "frames before the first request", "the connection is closed, `http2_abuse`";
    HTTP2_HEADER_BLOCK_BYTES_MAX: u32 = 64 * 1024,   "bytes of a compressed header block", "the connection is closed, `http2_abuse`";
    HTTP2_COOKIE_CRUMBS_MAX: usize = 256,            "cookie fields of a request", "431 `headers_too_many`";
    HTTP2_MOVING_BYTES_MIN: u64 = 1024,              "bytes", "a stream that moves less than this within `writeStallTimeout` counts as stalled";
    HTTP2_STALL_SECONDS: u32 = 60,                   "seconds",      "an upstream's connection on which nothing can be written is closed";
    HTTP2_LINGER_SECONDS: u32 = 2,                   "seconds",      "a connection that was told to go away is closed";
    HTTP2_LINGER_BYTES_MAX: usize = 1024 * 1024,     "bytes",        "a connection that was told to go away and goes on sending is closed";
    HTTP2_CREDIT_FRAMES_MAX: u32 = 4096,             "control frames a connection", "a client that receives content earns no more than that";
    DRAIN_SECONDS: u32 = 30,                         "seconds",      "what is still open is closed";
    TCP_KEEPALIVE_SECONDS: u32 = 60,                 "seconds without a packet, then between questions", "a peer that answers none of the kernel's questions has gone";
    LISTENER_BACKLOG: i32 = 4096,                    "connections",  "the kernel refuses or delays connects";
    AUTHENTICATION_TURNS_MAX: usize = 8,             "turns a request", "503 `authentication_unavailable`: what was lacking still is";
    TOKENS_VERIFIED_MAX: usize = 4096,               "tokens a worker", "tokens that were not used for longest are verified again";
    PASSWORDS_VERIFIED_MAX: usize = 1024,            "passwords a worker", "passwords that were not used for longest are verified again";
    PASSWORD_CHECKS_MAX: usize = 1,                  "passwords a worker that are verified at once", "further ones wait";
    PASSWORDS_WAITING_MAX: usize = 64,               "passwords a worker that wait to be verified", "503 `authentication_unavailable`";
    INTROSPECTION_MILLISECONDS: u64 = 3000,          "milliseconds", "503 `authentication_unavailable`: the issuer did not say what a token is";
    INTROSPECTIONS_MAX: usize = 256,                 "questions about tokens at once", "503 `authentication_unavailable`";
    INTROSPECTION_ANSWER_BYTES_MAX: usize = 64 * KIB, "bytes",       "503 `authentication_unavailable`: the answer about a token is not taken";
    INTROSPECTED_MAX: usize = 4096,                  "tokens a worker", "issuers are asked again about tokens that were not used for longest";
    INTROSPECTED_INACTIVE_MAX: usize = 4096,         "tokens a worker", "issuers are asked again about tokens that do not count";
    INTROSPECTED_INACTIVE_SECONDS: u64 = 5,          "seconds",      "an issuer is asked again about a token that does not count";
    AUTHORIZER_ANSWER_BYTES_MAX: usize = 64 * KIB,   "bytes",        "`authorizer_failed`: the answer of an authorizer is not taken";
    AUTHORIZER_PARTLY_SHOWN_BYTES_MAX: usize = 8192 * KIB, "bytes",   "413 `body_too_large` where an authorizer is shown a part of the body";
    KEYS_WAIT_MILLISECONDS: u64 = 3000,              "milliseconds", "503 `authentication_unavailable`: the keys of the token's issuer did not come";
    KEYS_FETCH_SECONDS: u64 = 10,                    "seconds",      "the question for the keys of an issuer has failed";
    KEYS_ANSWER_BYTES_MAX: usize = 256 * KIB,        "bytes",        "the answer with the keys of an issuer is not taken";
    KEYS_REFRESH_SECONDS: u64 = 300,                 "seconds",      "the keys of an issuer are asked for again";
    KEYS_AGAIN_SECONDS: u64 = 5,                     "seconds",      "an issuer is not asked sooner again, whatever key a token names";
    KEYS_RETRY_SECONDS_MAX: u64 = 60,                "seconds",      "the wait after failed questions for the keys of an issuer grows no further";
    KEYS_MISSING_WAITING_MAX: usize = 64,            "missing keys", "further ones are not told; whoever waits for them hears of the next answer";
    LOG_BUFFER_BYTES: usize = 32 * KIB,              "bytes a worker", "the log buffer is handed to the writer";
    LOG_BUFFERS_WAITING_MAX: usize = 64,             "buffers",      "log lines are dropped and counted (`selvedge_log_lines_dropped_total`)";
    ORDERS_WAITING_MAX: usize = 64,                  "orders a worker", "the control plane waits";
    RULE_COUNTERS_MAX: usize = 1 << 20,              "rules",        "rules past it are counted together, as unrouted";
    POLICY_COUNTERS_MAX: usize = 1 << 16,            "rules of policies", "decisions of rules past it are counted with the default action's";
    DNS_FIRST_ANSWER_MILLISECONDS: u64 = 500,        "milliseconds", "a config is put into use without the addresses of its new DNS names; 503 `no_endpoint` until they are answered";
    DNS_QUESTIONS_MAX: usize = 32,                   "names asked for at once", "further names wait for an answer or its timeout";
    MIRRORS_IN_FLIGHT_MAX: usize = 256,              "requests a worker", "the copy is not sent, and counted";
    MIRROR_SECONDS: u32 = 60,                        "seconds",      "the copy is given up";
    BODIES_HELD_BYTES_MAX: usize = 16 * 1024 * KIB,  "bytes a worker", "a request whose body would need more is neither copied to a mirror, which is counted, nor sent again";
    WHOLE_BODIES_BYTES_MAX: usize = 64 * 1024 * KIB, "bytes a worker", "503 `whole_bodies_full`: a body that a rule must see whole is not taken in";
    WHOLE_BODY_SECONDS: u32 = 60,                    "seconds",      "408 `body_timeout`: a body that a rule must see whole did not come to its end";
    VIOLATIONS_TOLD_MAX: usize = 32,                "violations",   "further ones are counted in `moreViolations`, not told";
    MIRROR_BODY_BYTES_MAX: usize = 1024 * KIB,       "bytes",        "a request with a longer body is not copied, and counted";
    MOCK_BODY_BYTES_MAX: usize = 256 * KIB,          "bytes",        "413 `body_too_large` where a mock answers; upstreams are not concerned";
    LIMITED_PARTIES_MAX: usize = 1 << 20,            "callers",      "limited callers whose places are all taken share an account with another until it has paid";
    QUOTA_ACCOUNTS_MAX: usize = 1 << 18,             "quotas of subscriptions", "what a plan says of the time when nobody can be asked holds for further ones";
    QUOTA_ACCOUNTS_KEPT_MAX: usize = 1 << 13,        "quotas of subscriptions", "what was lent of further ones stays held for its period when the gateway is killed";
    QUOTA_ASKS_WAITING_MAX: usize = 1 << 14,         "quotas",       "more is asked for when the next request needs it";
    QUOTA_ANSWER_MILLISECONDS: u64 = 1_000,          "milliseconds", "a request that waited so long for the coordinator of its quota is treated as if nobody could be asked";
    QUOTA_IDLE_SECONDS: u32 = 30,                    "seconds",      "what is left of a quota that nobody used for so long is given back";
    QUOTA_DEMAND_SECONDS: u32 = 2,                   "seconds",      "a gateway asks for about as much of a quota as it has spent in so long; what comes beyond it is asked for again";
    QUOTA_LATE_SECONDS: u32 = 3_600,                 "seconds",      "what was spent in a period that is over for so long, and could not be told, is forgotten";
    QUOTA_TOLD_SECONDS: u32 = 5,                     "seconds",      "the coordinator knows of what was spent at least so often";
    LIMITED_PARTIES_NEAR: usize = 16,                "places",       "see LIMITED_PARTIES_MAX: so many places are looked at for one caller";
    SHARED_PARTIES_MAX: usize = 1 << 16,             "callers",      "further callers of rates that several gateways give together have an even part of them here";
    SHARED_PARTIES_WAITING_MAX: usize = 1 << 12,     "callers",      "a caller that comes while so many new ones wait has an even part until it comes again";
    SHARE_KEPT_SECONDS: u64 = 10,                    "seconds",      "a gateway that was told no shares for so long gives an even part of each rate that it gives together with others";
    METER_ROWS_MAX: usize = 1 << 15,                 "rows a worker",  "a minute of usage goes on, as long as it has to, until the ledger has taken others; at last what is called is counted together, as others";
    METER_NAMES_BYTES_MAX: usize = 8 * 1024 * KIB,   "bytes of names of what was called since the start", "all operations that a subscription calls are counted together, at last all subscriptions, as others";
    METER_CALLS_MAX: usize = 1 << 16,                "operations of subscriptions a worker", "where they are counted is looked up anew, by name";
    USAGE_SHIP_SECONDS: u64 = 2,                     "seconds",      "what was used is told to the ledger";
    HOP_DIGITS_MAX: usize = 8,                       "digits",       "a longer `grpc-timeout`, `selvedge-timeout-ms` or `selvedge-attempt` is not read, as if it were not there";
    RETRY_WINDOW_SECONDS: usize = 10,                "seconds",      "requests and retries before are no longer counted for the retry budget";
    EJECTION_SECONDS_MAX: u32 = 300,                 "seconds",      "an endpoint that keeps failing is asked again after that, or after `baseEjection` if that is longer";
    HEALTH_CHECKS_MAX: usize = 64,                   "health checks at once", "further checks wait for their turn";
    HEALTH_ANSWER_BYTES_MAX: usize = 4 * KIB,        "bytes",        "a health check whose status line, or whose answer over gRPC, is longer has failed";
    CLUSTER_COUNTERS_MAX: usize = 1 << 16,           "clusters",     "retries, ejections and overflows of clusters past it are not counted";
    SPAN_BUFFER_BYTES: usize = 64 * KIB,             "bytes a worker and collector", "spans go to the exporter; they go each second in any case";
    SPAN_TARGETS_MAX: usize = 8,                     "tellers a worker", "what waits goes to the exporter at once";
    SPAN_TEXT_BYTES_MAX: usize = 1024,               "bytes",        "the text of an attribute of a span is cut";
    SPAN_BATCHES_WAITING_MAX: usize = 64,            "batches of `SPAN_BUFFER_BYTES`", "spans are dropped, and counted: the exporter cannot keep up";
    SPAN_BATCHES_HELD_MAX: usize = 64,               "batches of `SPAN_BUFFER_BYTES` a collector", "spans are dropped, and counted: the collector cannot keep up";
    SPAN_POST_BYTES: usize = 512 * KIB,              "bytes",        "further spans travel in the next message to their collector";
    COLLECTORS_MAX: usize = 16,                      "collectors",   "spans for further ones are dropped, and counted";
    COLLECTOR_SECONDS: u32 = 10,                     "seconds",      "a collector that has not answered is asked again";
    COLLECTOR_IDLE_SECONDS: u32 = 60,                "seconds",      "the connection to a collector that is told nothing is closed";
    COLLECTOR_ANSWER_BYTES_MAX: usize = 64 * KIB,    "bytes",        "what a collector answers is not read further";
    SPAN_RETRIES_MAX: u32 = 6,                       "tries after the first", "the spans are dropped, and counted: the collector is unreachable";
    SPAN_RETRY_SECONDS: u32 = 30,                    "seconds",      "the pause between two tries grows no further, whatever the collector asks for";
    SPAN_DRAIN_SECONDS: u32 = 5,                     "seconds",      "spans that a proxy at its end has not told are lost";
    TAPS_MAX: usize = 4,                             "watchers",     "further ones are let go at once";
    TAP_FILTER_BYTES_MAX: usize = 4 * KIB,           "bytes",        "what a watcher asks for is not understood";
    TAP_QUESTION_SECONDS: u64 = 5,                   "seconds",      "a watcher who does not say what to watch is let go";
    TAP_LINES_WAITING_MAX: usize = 256,              "lines a watcher", "lines are not shown, and counted";
    TAP_LINES_PER_SECOND_MAX: u32 = 500,             "lines a worker and second", "lines are not shown, and counted";
    CONTROL_CONNECT_SECONDS: u32 = 5,                "seconds an address", "the next address of the control plane is tried, and later all again";
    CONTROL_ACCEPT_SECONDS: u32 = 60,                "seconds",      "a control plane that does not accept the stream is tried again";
    CONTROL_SILENCE_SECONDS: u32 = 10,               "seconds",      "a silent control plane is asked whether it is there, and after as long again it counts as away";
    CONTROL_RETRY_SECONDS: u32 = 10,                 "seconds",      "the wait between two tries to connect grows no further; each is a random part of it";
    CONTROL_RETRY_AFTER_SECONDS: u32 = 60,           "seconds",      "a control plane cannot send a proxy away for longer";
    CONTROL_WINDOW_BYTES: u32 = 4 * 1024 * 1024,     "bytes",        "the control plane must wait: back-pressure";
    CERTIFICATE_WITHIN_SECONDS: u32 = 20,            "seconds",      "a control plane that gives no certificate in time is asked again, or another one is";
    CERTIFICATE_ANSWER_BYTES_MAX: usize = 256 * KIB, "bytes",        "the answer is not taken, and the certificate in use stays";
    UPDATES_WAITING_MAX: usize = 1,                  "updates",      "the connection to the control plane waits";
    CUSTOMERS_CACHE_BYTES_MAX: u64 = 512 * 1024 * 1024, "bytes",     "all customers are asked for again, and their cache is written anew";
    CUSTOMERS_MESSAGE_BYTES_MAX: usize = 32 * 1024 * KIB, "bytes",   "the cache of customers is not read from there on";
    CACHE_RECORD_BYTES_MAX: usize = 1 << 30,         "bytes",        "the epoch is not cached, and said so";
    CACHE_GARBAGE_BYTES_MAX: u64 = 8 * 1024 * 1024,  "bytes beyond twice what is in force", "the cache is written anew";
}

const _: () = assert!(REQUEST_HEAD_BYTES_MAX <= HEAD_BUFFER_BYTES);
const _: () = assert!(RESPONSE_HEAD_BYTES_MAX <= HEAD_BUFFER_BYTES);
const _: () = assert!(TRAILERS_BYTES_MAX <= BODY_BUFFER_BYTES);
