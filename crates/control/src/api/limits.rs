//! Every bound of the API server: what it is measured in, its default, and what happens past it. `docs/limits.md` is
//! generated from here.

use std::time::Duration;

/// One row of `docs/limits.md`.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its name.
    pub name: &'static str,
    /// Its default.
    pub default: String,
    /// What it is measured in.
    pub unit: &'static str,
    /// What happens past it.
    pub consequence: &'static str,
}

macro_rules! limits {
    ($($name:ident: $type:ty = $default:expr, $unit:literal, $consequence:literal;)*) => {
        /// The bounds. Tests lower them; the defaults are for a control plane with thousands of objects.
        #[derive(Clone, Copy, Debug)]
        pub struct Limits {
            $(#[doc = concat!("In ", $unit, ". Past it: ", $consequence, ".")] pub $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($name: $default,)* }
            }
        }

        /// Every bound, in the order of the table.
        #[must_use]
        pub fn all() -> Vec<Bound> {
            let limits = Limits::default();
            vec![$(Bound {
                name: stringify!($name),
                default: limits.$name.shown(),
                unit: $unit,
                consequence: $consequence,
            },)*]
        }
    };
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[rustfmt::skip] // the table is the point
limits! {
    body_bytes_max: usize = 3 << 20,            "bytes of a request's body, what Kubernetes takes", "413";
    head_bytes_max: usize = 64 << 10,           "bytes of a request's head in HTTP/1, and of its fields in HTTP/2", "431";
    target_bytes_max: usize = 16 << 10,         "bytes of a path with its query", "400";
    requests_max: usize = 400,                  "requests under way at once, watches not counted", "429, to be tried again in a second";
    watches_per_user_max: usize = 2_000,        "watches of one user at once", "429, to be tried again in a second";
    connections_max: usize = 4_096,             "connections at once", "the ones that are there are left alone, new ones wait to be accepted";
    streams_max: u32 = 250,                     "streams at once on one HTTP/2 connection", "the client waits";
    list_bytes_max: usize = 64 << 20,           "bytes of one list", "with `limit`, the list ends early with a `continue` token; without it, 413";
    list_objects_max: usize = 100_000,          "objects in one chunk of a list, whatever a client asks for", "with `limit`, `continue`; without it, 413";
    watch_events_max: usize = 500,              "events taken from the world at once for one watch", "more wait for the next round";
    handshake_timeout: Duration = seconds(10),  "time of a TLS handshake", "the connection is closed";
    head_timeout: Duration = seconds(30),       "time to receive the head of a request in HTTP/1", "the connection is closed";
    request_timeout: Duration = seconds(60),    "time of a request from its head to its answer, its body included", "504";
    revision_timeout: Duration = seconds(3),    "time that a list or watch waits for a revision which this process has not seen yet", "504 with the cause `ResourceVersionTooLarge`";
    write_stall_timeout: Duration = seconds(60), "time in which a client takes nothing of what is sent to it", "the connection is closed; a watch resumes or is told 410";
    watch_timeout: Duration = seconds(45 * 60), "time of a watch, whatever its client asks for", "it ends and the client resumes";
    bookmark_every: Duration = seconds(30),     "time between two bookmarks of a watch that takes them", "a bookmark is sent, and the permission looked at again";
    patch_tries_max: u32 = 5,                   "tries of a patch or apply whose object changed meanwhile", "409";
    name_tries_max: u32 = 8,                    "names made up for `generateName` because the last one was taken", "409";
    gzip_bytes_min: usize = 128 << 10,          "bytes of an answer", "it is compressed for clients that can read it";
}

/// A value as the table shows it.
trait Shown {
    fn shown(self) -> String;
}

impl Shown for usize {
    fn shown(self) -> String {
        self.to_string()
    }
}

impl Shown for u32 {
    fn shown(self) -> String {
        self.to_string()
    }
}

impl Shown for Duration {
    fn shown(self) -> String {
        format!("{} s", self.as_secs())
    }
}
