//! Every bound of the stream: what a peer may make us hold.

use std::time::Duration;

/// Bytes of objects after which a response is cut and the next begins. Small, because each stream keeps the buffer of
/// its largest message for as long as it lives; large enough that the frame around it does not count.
pub const RESPONSE_BYTES: usize = 32 * 1024;
/// Most objects in one response, for the same reason.
pub const RESPONSE_OBJECTS: usize = 2_000;
/// Largest message that either end reads. A single object may be as large as the API takes; past it the stream is
/// closed.
pub const MESSAGE_BYTES_MAX: usize = 32 << 20;
/// Most objects that a push may stage on a proxy, and most versions that a proxy may state. Past it the stream is
/// closed, and what the proxy has stays in use.
pub const OBJECTS_MAX: usize = 1_000_000;
/// Most rejections that are told one by one in one answer. Those past it are counted.
pub const REJECTIONS_TOLD_MAX: usize = 256;
/// Longest text of one rejection in bytes; longer ones are cut.
pub const PROBLEM_BYTES_MAX: usize = 2 * 1024;
/// Steps that a view remembers. A proxy that is further behind is compared object by object.
pub const STEPS_KEPT_MAX: usize = 256;
/// Most Gateways that one proxy may ask for by name. Past it the stream is refused.
pub const GATEWAYS_ASKED_MAX: usize = 1_024;
/// Longest name of an object in bytes: a namespace, a slash and a name.
pub const NAME_BYTES_MAX: usize = 63 + 1 + 253;

/// Time between two reports of a proxy.
pub const REPORT_EVERY: Duration = Duration::from_secs(2);
/// How long a proxy counts as alive after its last report.
pub const LEASE: Duration = Duration::from_secs(10);
/// By when a proxy that is alive has come back to a control plane that was started, or that leads since then: the
/// longest time between two tries to reach it, and a lease.
pub const COME_BACK: Duration = Duration::from_secs(20);
/// Most routes whose counters stand in one report; the others wait for the next one.
pub const ROUTES_REPORTED_MAX: usize = 10_000;
/// Most callers that stand in one report; the others are not told.
pub const CALLERS_REPORTED_MAX: usize = 1_000;
/// Most quotas that one call may be about. A proxy makes another call for the rest; a control plane refuses more.
pub const QUOTAS_ASKED_MAX: usize = 1_024;
/// Most rates that one call may be about. A proxy tells those that are asked for most; a control plane refuses more.
pub const RATES_TOLD_MAX: usize = 4_096;

const _: () = assert!(COME_BACK.as_secs() > LEASE.as_secs());
const _: () = assert!(LEASE.as_millis() >= 3 * REPORT_EVERY.as_millis());
