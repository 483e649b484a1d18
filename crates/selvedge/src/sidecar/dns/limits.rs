//! Bounds of the resolver: it serves one application and must not be a lever for anybody else.

use std::time::Duration;

/// How long an answer of ours may be kept, in seconds, and for how long there is nothing where there was nothing. Short:
/// what can be reached changes, and asking again costs a packet on the loopback.
pub const TTL_SECONDS: u32 = 5;
/// Largest answer over UDP in bytes. Past it the answer says that it is truncated, and TCP brings all of it.
pub const ANSWER_BYTES_MAX: u16 = 1_232;
/// Largest question in bytes. Past it a datagram is cut and answered as unreadable; a TCP connection is closed.
pub const QUESTION_BYTES_MAX: usize = 4_096;
/// Most questions that are with others at once. Past it the answer is SERVFAIL.
pub const FORWARDED_MAX: usize = 256;
/// How long each of the system's name servers has to answer. After it the next one is asked.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Most name servers of the system that are asked, one after the other. Those past it are left out.
pub const SERVERS_ASKED_MAX: usize = 3;
/// Most TCP connections at once. Past it a connection is closed at once.
pub const CONNECTIONS_MAX: usize = 64;
/// How long a TCP connection may be silent before it is closed.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(10);
/// For how long the system's list of name servers is believed before it is read again.
pub const SERVERS_BELIEVED: Duration = Duration::from_secs(10);
