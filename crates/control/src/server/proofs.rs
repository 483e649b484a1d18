//! Proofs of the shims that carry traffic.
//!
//! They take longer than compiling, so they are made beside it, one after the other, and what was asked before is not
//! asked again: a change elsewhere costs nothing. Until a proof is there, nothing is said of its shim.

use std::sync::Arc;

use engine::compile::ShimInUse;
use engine::status::{Condition, Conditions};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::judge::Judged;

/// What proofs came to.
#[derive(Clone, Debug, Default)]
pub struct Proofs(Vec<(ShimInUse, Condition)>);

impl Proofs {
    /// Adds what is known of the shims of one snapshot to its conditions.
    pub fn tell(&self, shims: &[ShimInUse], conditions: &mut Conditions) {
        for shim in shims {
            if let Some(condition) = self.of(shim) {
                let generation = shim.binding.meta.generation;
                let condition = Condition { observed_generation: generation, ..condition.clone() };
                conditions.add(&shim.binding.key, condition);
            }
        }
    }

    fn of(&self, shim: &ShimInUse) -> Option<&Condition> {
        self.0.iter().find(|(known, _)| known.is(shim)).map(|(_, condition)| condition)
    }
}

/// Proves whatever is in use, and again what changed.
pub fn start(judged: watch::Receiver<Arc<Judged>>, tasks: &mut JoinSet<()>) -> watch::Receiver<Arc<Proofs>> {
    let (tell, proofs) = watch::channel(Arc::default());
    tasks.spawn(proving(judged, tell));
    proofs
}

async fn proving(mut judged: watch::Receiver<Arc<Judged>>, tell: watch::Sender<Arc<Proofs>>) {
    loop {
        let shims = Arc::clone(&judged.borrow_and_update().snapshot.shims);
        let before = Arc::clone(&tell.borrow());
        if !before.0.is_empty() || !shims.is_empty() {
            let mut after = Vec::with_capacity(shims.len());
            for shim in shims.iter() {
                let known = before.of(shim).cloned();
                let condition = match known {
                    Some(condition) => condition,
                    None => {
                        let asked = shim.clone();
                        let Ok(condition) = tokio::task::spawn_blocking(move || asked.prove()).await else {
                            continue;
                        };
                        condition
                    }
                };
                after.push((shim.clone(), condition));
            }
            tell.send_replace(Arc::new(Proofs(after)));
        }
        if judged.changed().await.is_err() {
            return;
        }
    }
}
