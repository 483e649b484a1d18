//! What a watcher reads: a line of JSON each, the same words as at the socket of a proxy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use discovery::taps::Shown;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep_until};

use super::Watching;

/// Longest time for a proxy to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);
/// Longest time anybody watches; whoever wants to see more asks again.
pub const WATCH_LASTS: Duration = Duration::from_secs(3_600);

/// Writes until nobody reads, nothing comes or the time is over.
pub async fn write(mut watching: Watching, out: Sender<Bytes>) {
    let (late, end) = (Instant::now() + BEGIN_WITHIN, Instant::now() + WATCH_LASTS);
    let mut told = Told::default();
    let mut is_late = false;
    loop {
        let lines = tokio::select! {
            shown = watching.shown.recv() => match shown {
                Some((proxy, shown)) => told.lines(proxy, shown),
                None => return,
            },
            () = sleep_until(late), if !is_late => {
                is_late = true;
                match watching.give_up_on_silent() {
                    0 => Bytes::new(),
                    silent => line(&json!({"error": format!(
                        "{silent} of {} proxies did not begin to show anything within {} s; they may be older than this \
                         control plane", watching.asked(), BEGIN_WITHIN.as_secs(),
                    )})),
                }
            }
            () = out.closed() => return,
            () = sleep_until(end) => return,
        };
        if !lines.is_empty() && out.send(lines).await.is_err() {
            return;
        }
    }
}

/// What a watcher has read so far.
#[derive(Default)]
struct Told {
    is_watching: bool,
    missed: HashMap<Arc<str>, u64>,
}

impl Told {
    fn lines(&mut self, proxy: Arc<str>, shown: Shown) -> Bytes {
        let Shown { id: _, lines, missed, refused } = shown;
        let mut out = BytesMut::new();
        if !refused.is_empty() {
            out.put(line(&json!({"error": format!("{proxy}: {refused}")})));
            return out.freeze();
        }
        if !self.is_watching {
            self.is_watching = true;
            out.put(line(&json!({"watching": true})));
        }
        for each in lines {
            out.put(each.trim_ascii_end());
            out.put_u8(b'\n');
        }
        let before: u64 = self.missed.values().sum();
        self.missed.insert(proxy, missed);
        let now: u64 = self.missed.values().sum();
        if now != before {
            out.put(line(&json!({"missed": now})));
        }
        out.freeze()
    }
}

fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}
