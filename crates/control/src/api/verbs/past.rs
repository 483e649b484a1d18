//! The objects of a kind as they were at a revision.
//!
//! A list that is read in chunks must show one moment, however much is written meanwhile, and whoever asks for chunks
//! must not make us keep moments for them. So the past is worked out: from now, each change since is taken back. It
//! lasts as far back as watchers can resume.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::kinds::KindName;
use model::{Resource, ResourceKey};

use crate::store::Revision;
use crate::world::{Event, Gone, World};

/// Objects of one kind, in the order of namespace and name, at one revision.
#[derive(Debug)]
pub struct Objects {
    /// The revision.
    pub revision: Revision,
    /// The objects.
    pub items: Vec<Arc<Resource>>,
}

/// The objects of a kind now.
#[must_use]
pub fn now(world: &World, kind: KindName) -> Objects {
    let moment = world.now();
    let items = moment.resources.of(kind).cloned().collect();
    Objects { revision: moment.revision, items }
}

/// The objects of a kind at a revision that is not in the future.
///
/// # Errors
/// When changes since then are no longer known.
pub fn at(world: &World, kind: KindName, revision: Revision) -> Result<Objects, Gone> {
    let now = now(world, kind);
    if revision >= now.revision {
        return Ok(now);
    }
    let mut events = world.events(revision, usize::MAX)?;
    events.retain(|event| {
        event.revision <= now.revision && object(event).is_some_and(|it| it.kind_name() == kind)
    });
    if events.is_empty() {
        return Ok(Objects { revision, items: now.items });
    }
    let mut items: BTreeMap<(String, String), Arc<Resource>> =
        now.items.into_iter().map(|object| (place(&object.key), object)).collect();
    for event in events.into_iter().rev() {
        let Some(place) = object(&event).map(|it| place(&it.key)) else { continue };
        match event.before {
            Some(before) => items.insert(place, before),
            None => items.remove(&place),
        };
    }
    Ok(Objects { revision, items: items.into_values().collect() })
}

/// What an event is about.
fn object(event: &Event) -> Option<&Arc<Resource>> {
    event.after.as_ref().or(event.before.as_ref())
}

/// The place of an object in the order of lists.
#[must_use]
pub fn place(key: &ResourceKey) -> (String, String) {
    let namespace = key.namespace.as_ref().map_or("", |namespace| namespace.as_str());
    (namespace.to_owned(), key.name.as_str().to_owned())
}
