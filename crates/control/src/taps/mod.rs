//! Who watches which proxy from here. A proxy is told in its stream of reports that somebody wants to watch, opens a
//! call for that one watcher ([`crate::stream`]), and what it shows passes through here to whoever asked ([`Door`]).
//!
//! Only a proxy that reports to this control plane can be watched at it. Nothing is kept.

mod door;
mod show;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use discovery::reports::Lease;
use discovery::taps::{Shown, Tap};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tonic::Status;

pub use door::Door;

/// Messages of proxies that wait for a watcher. While it takes none, proxies leave lines out and count them.
const MESSAGES_WAITING_MAX: usize = 16;

/// The way to a proxy.
pub type Orders = Sender<Result<Lease, Status>>;

/// A message, and the name of the proxy that sent it.
pub type FromProxy = (Arc<str>, Shown);

/// Everybody who watches, and the ways to the proxies.
#[derive(Debug, Default)]
pub struct Taps {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    proxies: HashMap<Arc<str>, Orders>,
    awaited: HashMap<String, Awaited>,
}

/// A call that a proxy was asked to make.
#[derive(Debug)]
struct Awaited {
    /// Who may make it.
    proxy: Arc<str>,
    peer: Arc<str>,
    sender: Sender<FromProxy>,
}

/// Somebody who watches, until this is dropped.
#[derive(Debug)]
pub struct Watching {
    /// What proxies show; ends when none shows anything any more.
    pub shown: Receiver<FromProxy>,
    taps: Arc<Taps>,
    ids: Vec<String>,
}

impl Taps {
    /// A proxy can be told something this way. Another way that was known before is forgotten.
    pub fn reaches(&self, proxy: &Arc<str>, orders: &Orders) {
        self.lock().proxies.insert(proxy.clone(), orders.clone());
    }

    /// It cannot any more.
    pub fn lost(&self, proxy: &str, orders: &Orders) {
        let mut state = self.lock();
        if state.proxies.get(proxy).is_some_and(|known| known.same_channel(orders)) {
            state.proxies.remove(proxy);
        }
    }

    /// Asks proxies, by name and by who they showed to be, to show what passes.
    pub fn watch(self: &Arc<Self>, proxies: &[(Arc<str>, Arc<str>)], filter: &str) -> Watching {
        let (sender, shown) = mpsc::channel(MESSAGES_WAITING_MAX);
        let mut state = self.lock();
        let mut ids = Vec::new();
        for (proxy, peer) in proxies {
            let id = format!("{:032x}", u128::from_be_bytes(random()));
            let tap = Some(Tap { id: id.clone(), filter: filter.to_owned() });
            let asked =
                state.proxies.get(proxy).map(|orders| orders.try_send(Ok(Lease { lease_ms: 0, tap })));
            if let Some(Ok(())) = asked {
                let awaited = Awaited { proxy: proxy.clone(), peer: peer.clone(), sender: sender.clone() };
                state.awaited.insert(id.clone(), awaited);
                ids.push(id);
            }
        }
        drop(state);
        Watching { shown, taps: self.clone(), ids }
    }

    /// The watcher for whom this call was made, once, by whom it was to be made.
    pub fn take(&self, id: &str, peer: &Arc<str>) -> Option<(Arc<str>, Sender<FromProxy>)> {
        let mut state = self.lock();
        let is_theirs = state.awaited.get(id).is_some_and(|awaited| awaited.peer == *peer);
        let awaited = is_theirs.then(|| state.awaited.remove(id)).flatten()?;
        Some((awaited.proxy, awaited.sender))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    /// How many proxies were asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.ids.len()
    }

    /// Nobody waits any longer for proxies that have not called; returns how many those are.
    pub fn give_up_on_silent(&self) -> usize {
        let mut state = self.taps.lock();
        self.ids.iter().filter(|id| state.awaited.remove(*id).is_some()).count()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.give_up_on_silent();
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // The system's source does not fail where the rest of the process runs.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched() -> (Arc<Taps>, Receiver<Result<Lease, Status>>, Orders, Watching) {
        let taps = Arc::<Taps>::default();
        let (orders, asked) = mpsc::channel(1);
        taps.reaches(&"edge".into(), &orders);
        let watching = taps.watch(&[("edge".into(), "gateway".into()), ("gone".into(), "x".into())], "{}");
        (taps, asked, orders, watching)
    }

    #[tokio::test]
    async fn only_the_proxy_that_was_asked_can_show_and_only_once() {
        let (taps, mut asked, _orders, mut watching) = watched();
        assert_eq!(watching.asked(), 1);
        let tap = asked.recv().await.expect("a message").expect("a lease").tap.expect("a wish");

        assert!(taps.take(&tap.id, &"somebody".into()).is_none());
        let (proxy, sender) = taps.take(&tap.id, &"gateway".into()).expect("it was asked");
        assert!(taps.take(&tap.id, &"gateway".into()).is_none());
        sender.send((proxy, Shown::default())).await.expect("somebody watches");
        assert_eq!(&*watching.shown.recv().await.expect("a message").0, "edge");
        drop(sender);
        assert!(watching.shown.recv().await.is_none(), "nobody can show anything any more");
    }

    #[test]
    fn nobody_shows_anything_to_a_watcher_who_has_gone() {
        let (taps, mut asked, orders, watching) = watched();
        let tap = asked.try_recv().expect("a message").expect("a lease").tap.expect("a wish");

        drop(watching);

        assert!(taps.take(&tap.id, &"gateway".into()).is_none());
        taps.lost("edge", &orders);
        assert_eq!(taps.watch(&[("edge".into(), "gateway".into())], "{}").asked(), 0);
    }
}
