//! What is said to a collector: OTLP over HTTP with binary protobuf, or over gRPC (OTLP specification 1.x).
//!
//! Both are one POST with the same message in it; gRPC frames it and answers in trailers.

mod grpc;
mod http1;
mod line;

use std::time::Duration;

pub use line::Line;

/// Why a batch was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// For good.
    Final,
    /// It may be tried again, not before so long.
    ForNow(Option<Duration>),
}

/// `ExportTraceServiceResponse`, as far as it matters.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    partial: Option<Partial>,
}

/// `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
struct Partial {
    #[prost(int64, tag = "1")]
    rejected: i64,
}

impl Answer {
    /// How many spans were not wanted.
    fn rejected(&self) -> u64 {
        self.partial.as_ref().map_or(0, |partial| partial.rejected.max(0).unsigned_abs())
    }
}
