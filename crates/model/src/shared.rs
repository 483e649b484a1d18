//! One copy of what many objects say alike, for whoever holds thousands of them.
//!
//! Read one by one, a thousand replicas of a hundred Services bring a thousand times the text `HTTP`, and each its own
//! tree of labels. A proxy that may call them all keeps them for as long as it runs.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::kinds::Kind;
use crate::kinds::workload::{Manner, WorkloadStatus};
use crate::labels::Labels;
use crate::names::Namespace;
use crate::resource::Resource;

/// Fewer than this are not worth looking through.
const SWEPT_FROM: usize = 256;

/// The copies.
#[derive(Debug, Default)]
pub struct Shared {
    texts: Copies<str>,
    labels: Copies<Labels>,
    manners: Copies<Manner>,
    statuses: Copies<WorkloadStatus>,
}

impl Shared {
    /// Lets an object share what others have said before it.
    pub fn share(&mut self, resource: &mut Resource) {
        let texts = &mut self.texts;
        texts.share(&mut resource.api_version);
        texts.share(&mut resource.key.group);
        texts.share(&mut resource.key.kind);
        if let Some(namespace) = &mut resource.key.namespace {
            namespace_of(texts, namespace);
        }
        match &mut resource.kind {
            Kind::Workload(workload) => {
                self.manners.share(&mut workload.spec.manner);
                self.statuses.share(&mut workload.status);
            }
            Kind::Service(service) => self.labels.share(&mut service.spec.selector),
            _ => {}
        }
        self.labels.share(&mut resource.meta.labels);
    }
}

fn namespace_of(texts: &mut Copies<str>, namespace: &mut Namespace) {
    let mut text = namespace.to_arc();
    texts.share(&mut text);
    if let Ok(shared) = Namespace::try_from(text) {
        *namespace = shared;
    }
}

/// Copies of one type.
#[derive(Debug)]
struct Copies<T: ?Sized> {
    known: HashSet<Arc<T>>,
    /// How many there may be before those are let go of that nobody else has.
    swept_at: usize,
}

impl<T: ?Sized> Default for Copies<T> {
    fn default() -> Self {
        Copies { known: HashSet::new(), swept_at: SWEPT_FROM }
    }
}

impl<T: ?Sized + Eq + Hash> Copies<T> {
    fn share(&mut self, text: &mut Arc<T>) {
        if let Some(known) = self.known.get(&*text) {
            *text = known.clone();
            return;
        }
        if self.known.len() >= self.swept_at {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.swept_at = (2 * self.known.len()).max(SWEPT_FROM);
        }
        self.known.insert(text.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::Workload;

    #[test]
    fn an_object_takes_no_room_for_kinds_that_it_is_not() {
        assert!(size_of::<Resource>() <= 240, "{}", size_of::<Resource>());
        assert!(size_of::<Workload>() <= 40, "{}", size_of::<Workload>());
    }

    fn replica(name: &str) -> Resource {
        let value = json!({
            "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
            "metadata": {"name": name, "namespace": "shop", "labels": {"app": "cart"}},
            "spec": {"address": "10.0.0.1", "ports": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        });
        crate::yaml::read_value(value).expect("a sound object")
    }

    #[test]
    fn replicas_have_their_labels_and_words_in_common_and_mean_what_they_meant() {
        let mut shared = Shared::default();
        let (mut one, mut other) = (replica("a"), replica("b"));
        let before = other.clone();
        shared.share(&mut one);
        shared.share(&mut other);

        assert!(other == before);
        assert!(Arc::ptr_eq(&one.meta.labels, &other.meta.labels));
        assert!(Arc::ptr_eq(&one.api_version, &other.api_version));
        let said = |resource: &Resource| resource.content::<Workload>().expect("a Workload").clone();
        assert!(Arc::ptr_eq(&said(&one).spec.manner, &said(&other).spec.manner));
        assert!(Arc::ptr_eq(&said(&one).status, &said(&other).status));
    }

    #[test]
    fn what_nobody_says_any_more_is_let_go_of() {
        let mut copies = Copies::<str>::default();
        for number in 0..10 * SWEPT_FROM {
            copies.share(&mut number.to_string().into());
        }

        assert!(copies.known.len() <= SWEPT_FROM);
    }
}
