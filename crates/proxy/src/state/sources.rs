//! Requests by the member that sent them, so that who calls can be seen without reading a log.
//!
//! A connection looks its counters up once, in its handshake; a request then adds to a cell of its own worker. There
//! are as many as there are identities that were let in, and never more than `MESH_SOURCES_MAX`.

use std::sync::{Arc, Mutex, PoisonError};

use model::spiffe::SpiffeId;

use super::metrics::Cell;
use crate::limits::MESH_SOURCES_MAX;

/// Requests by status class; index 0 is 1xx, 4 is 5xx.
pub type SourceCells = [Cell; 5];

/// The members that have called one worker.
#[derive(Debug, Default)]
pub struct Sources {
    known: Mutex<Vec<(SpiffeId, Arc<SourceCells>)>>,
    others: Arc<SourceCells>,
}

impl Sources {
    /// The counters of a member; those past the limit share one.
    pub fn of(&self, identity: &SpiffeId) -> Arc<SourceCells> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cells)) = known.iter().find(|(known, _)| known == identity) {
            return cells.clone();
        }
        if known.len() >= MESH_SOURCES_MAX {
            return self.others.clone();
        }
        let cells = Arc::<SourceCells>::default();
        known.push((identity.clone(), cells.clone()));
        cells
    }

    /// Every member with its counters, and whether it has a connection open: whoever has one holds them.
    pub fn named(&self) -> Vec<(SpiffeId, Arc<SourceCells>, bool)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = |cells: &Arc<SourceCells>| Arc::strong_count(cells) > 1;
        known.iter().map(|(identity, cells)| (identity.clone(), cells.clone(), is_held(cells))).collect()
    }

    /// Shows every member that was counted, and then all others together, without a name.
    pub fn each(&self, mut show: impl FnMut(Option<&SpiffeId>, &SourceCells)) {
        for (identity, cells) in self.known.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            show(Some(identity), cells);
        }
        show(None, &self.others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_past_the_limit_are_counted_together() {
        let sources = Sources::default();
        for number in 0..MESH_SOURCES_MAX + 2 {
            let identity = format!("spiffe://a/ns/b/sa/c{number}").parse().unwrap();
            sources.of(&identity)[1].add(1);
        }

        let (mut named, mut others) = (0, 0);
        sources.each(|identity, cells| match identity {
            Some(_) => named += cells[1].get(),
            None => others += cells[1].get(),
        });
        assert_eq!((named, others), (MESH_SOURCES_MAX as u64, 2));
    }
}
