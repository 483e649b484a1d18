//! Every bound of the API server: what it is measured in, its default, and what happens past it.

use std::time::Duration;

/// The bounds. Tests lower them; the defaults are for a control plane with thousands of objects.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's body. Past it: 413. Default 3 MiB, what Kubernetes takes.
    pub body_bytes_max: usize,
    /// Bytes of a request's head in HTTP/1, and of its fields in HTTP/2. Past it: 431. Default 64 KiB.
    pub head_bytes_max: usize,
    /// Bytes of a path with its query. Past it: 414. Default 16 KiB.
    pub target_bytes_max: usize,
    /// Requests under way at once, watches not counted. Past it: 429, try again in a second. Default 400.
    pub requests_max: usize,
    /// Watches of one user at once. Past it: 429. Default 2,000.
    pub watches_per_user_max: usize,
    /// Connections at once. Past it: the oldest ones are left alone, new ones wait to be accepted. Default 4,096.
    pub connections_max: usize,
    /// Streams at once on one HTTP/2 connection. Past it: the client waits. Default 250.
    pub streams_max: u32,
    /// Bytes of one list. Past it: the list ends early with a `continue` token, as if the client had asked for
    /// fewer objects, where the client can do that; otherwise 413. Default 64 MiB.
    pub list_bytes_max: usize,
    /// Objects in one chunk of a list, whatever a client asks for. Past it: `continue`. Default 100,000.
    pub list_objects_max: usize,
    /// Events taken from the world at once for one watch. More wait for the next round. Default 500.
    pub watch_events_max: usize,
    /// How long a handshake may take. Past it: the connection is closed. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long the head of a request may take in HTTP/1. Past it: the connection is closed. Default 30 s.
    pub head_timeout: Duration,
    /// How long a request may take, from its head to its answer, its body included. Past it: 504. Default 60 s.
    pub request_timeout: Duration,
    /// How long a list or watch waits for a revision that this process has not seen yet. Past it: 504 with the
    /// cause `ResourceVersionTooLarge`. Default 3 s.
    pub revision_timeout: Duration,
    /// How long a client may take nothing of what is sent to it. Past it: the connection is closed, and a watch
    /// resumes or is told 410. Default 60 s.
    pub write_stall_timeout: Duration,
    /// How long a watch lasts when its client does not say. Past it: it ends and the client resumes. Default 45 min.
    pub watch_timeout: Duration,
    /// How often a watch that takes bookmarks gets one. Default 30 s.
    pub bookmark_every: Duration,
    /// How often a patch or apply is tried again because its object changed meanwhile. Past it: 409. Default 5.
    pub patch_tries_max: u32,
    /// How often a name is made up for `generateName` because the last one was taken. Past it: 409. Default 8.
    pub name_tries_max: u32,
    /// Bytes from which an answer is compressed for clients that can read it. Default 128 KiB.
    pub gzip_bytes_min: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes_max: 3 << 20,
            head_bytes_max: 64 << 10,
            target_bytes_max: 16 << 10,
            requests_max: 400,
            watches_per_user_max: 2_000,
            connections_max: 4_096,
            streams_max: 250,
            list_bytes_max: 64 << 20,
            list_objects_max: 100_000,
            watch_events_max: 500,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            revision_timeout: Duration::from_secs(3),
            write_stall_timeout: Duration::from_secs(60),
            watch_timeout: Duration::from_secs(45 * 60),
            bookmark_every: Duration::from_secs(30),
            patch_tries_max: 5,
            name_tries_max: 8,
            gzip_bytes_min: 128 << 10,
        }
    }
}
