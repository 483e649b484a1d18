//! Change sets as chance has them, against a model that is too plain to be wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{conflict, delete, put, revisions, set};
use crate::store::{Expect, Revision, Store, StoreError, Write};

/// A write as chance has it: which object, whether it is put, and what is expected.
type Draw = (u8, bool, u8);

/// What a store should hold: for each object its last write.
type Plain = BTreeMap<String, Revision>;

pub async fn random_change_sets_do_what_a_plain_model_does(store: Arc<dyn Store>) {
    let mut plain = Plain::new();
    let mut epoch = 0;
    let draw = (0_u8..4, prop::bool::weighted(0.7), 0_u8..8);
    let sets = prop::collection::vec(prop::collection::vec(draw, 1..5), 1..12);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let outcome = block_in_place(|| {
        // One store for all cases: what one left behind is where the next one begins.
        let state = std::sync::Mutex::new((&mut plain, &mut epoch));
        runner.run(&sets, |sets| {
            let mut state = state.lock().unwrap();
            let (plain, epoch) = &mut *state;
            for draws in sets {
                Handle::current().block_on(compare(&*store, plain, epoch, &draws))?;
            }
            Ok(())
        })
    });
    outcome.unwrap();

    let changes = store.changes(0, usize::MAX >> 1).await.unwrap();
    assert!(revisions(&changes).into_iter().eq(1..=epoch));
}

/// Does one set on both sides and compares what both say and hold.
async fn compare(
    store: &dyn Store,
    plain: &mut Plain,
    epoch: &mut Revision,
    draws: &[Draw],
) -> Result<(), TestCaseError> {
    let writes: Vec<Write> = draws.iter().map(|draw| drawn(draw, plain)).collect();
    let expected = expected(plain, *epoch, &writes);

    let answer = store.commit(set(writes)).await;

    match expected {
        Ok((after, last)) => {
            prop_assert!(answer.is_ok(), "{answer:?}");
            prop_assert!(revisions(&answer.unwrap()).into_iter().eq(*epoch + 1..=last));
            (*plain, *epoch) = (after, last);
        }
        Err(error) => prop_assert_eq!(answer, Err(error)),
    }
    let (now, objects) = store.load().await.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let held: Plain = objects.iter().map(|object| (object.key.name.to_string(), object.revision)).collect();
    prop_assert_eq!((now, &held), (*epoch, &*plain));
    Ok(())
}

fn drawn((which, is_put, expect): &Draw, plain: &Plain) -> Write {
    let name = format!("p-{which}");
    let now = plain.get(&name).copied();
    let expect = match expect {
        0..3 => Expect::Whatever,
        3..6 => now.map_or(Expect::Absent, Expect::Revision),
        6 => Expect::Absent,
        _ => Expect::Revision(now.unwrap_or(1).saturating_sub(1)),
    };
    if *is_put { put(&name, 0, expect) } else { delete(&name, expect) }
}

/// The model: writes one after the other into a copy, which counts only if all went well.
fn expected(plain: &Plain, mut epoch: Revision, writes: &[Write]) -> Result<(Plain, Revision), StoreError> {
    let mut copy = plain.clone();
    for write in writes {
        let name = write.key().name.to_string();
        let found = copy.get(&name).copied();
        let (Write::Put { expect, .. } | Write::Delete { expect, .. }) = write;
        let met = match expect {
            Expect::Absent => found.is_none(),
            Expect::Revision(revision) => found == Some(*revision),
            Expect::Whatever => true,
        };
        if !met {
            return Err(conflict(&name, found));
        }
        match write {
            Write::Put { .. } => {
                epoch += 1;
                copy.insert(name, epoch);
            }
            Write::Delete { .. } => epoch += u64::from(copy.remove(&name).is_some()),
        }
    }
    Ok((copy, epoch))
}
