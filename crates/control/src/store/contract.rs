//! What every store promises, as one suite that runs on each engine.
//!
//! [`keeps_its_promises`] makes a test of each function here, with a new, empty store. Engines add tests of their own
//! for what only they can suffer: damaged files, lost connections.

mod chance;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt as _;
use model::{ResourceKey, Source};
use tokio::task::JoinSet;

use super::{
    AuditEntry, Change, ChangeSet, Expect, Fence, Object, Revision, Store, StoreError, Write, history,
};

pub use super::customers::contract::{
    a_page_of_rows_goes_on_where_the_one_before_ended,
    a_row_is_written_when_its_expectation_is_met_and_keeps_its_number,
    buckets_and_families_hold_what_belongs_there, rows_are_due_when_they_say_so_until_they_are_written_anew,
    rows_have_an_epoch_of_their_own_and_tell_what_happened, the_pepper_is_made_once_and_stays,
    what_one_row_claims_no_other_row_can_have,
};
pub use super::quotas::contract::{
    a_subscription_has_its_own_quotas_and_old_periods_are_forgotten,
    many_that_write_a_quota_at_once_lose_nothing, of_two_that_write_a_quota_anew_one_is_heard,
};
pub use super::usage::contract::{
    a_copy_of_a_disk_tells_nothing_while_the_original_counts,
    old_minutes_become_hours_and_hours_days_and_no_sum_changes,
    the_ledger_keeps_the_larger_of_two_tellings_whatever_their_order,
    what_ended_starts_left_behind_is_kept_together_each_for_itself,
    what_is_sealed_is_told_once_in_order_and_both_counts_can_be_compared,
    what_may_still_change_is_not_put_together, what_was_used_is_summed_as_it_is_asked_for,
    whatever_is_told_late_and_put_together_early_the_sums_are_those_of_a_plain_ledger,
};
pub use chance::random_change_sets_do_what_a_plain_model_does;

/// Makes a test of each promise. `$open` is an async function without arguments that returns something with a method
/// `store`, which keeps whatever the store needs for as long as it lives.
macro_rules! keeps_its_promises {
    ($open:path) => {
        crate::store::contract::keeps_its_promises!($open =>
            a_change_set_is_done_whole_or_not_at_all,
            a_write_happens_only_when_its_expectation_is_met,
            later_writes_of_a_set_see_the_earlier_ones,
            a_refused_set_does_no_harm_to_those_that_are_written_with_it,
            revisions_have_no_gaps_when_many_write_at_once,
            what_happened_after_a_revision_is_told_exactly,
            what_was_forgotten_is_said_to_be_forgotten,
            old_history_is_forgotten_step_by_step,
            a_load_is_one_moment_while_others_write,
            an_object_comes_back_as_it_was_put,
            a_lease_has_one_holder_and_each_new_one_a_larger_token,
            a_holder_that_was_replaced_can_write_no_more,
            the_audit_log_is_kept_with_the_writes_or_not_at_all,
            who_waits_is_woken_by_a_write,
            random_change_sets_do_what_a_plain_model_does,
            the_audit_log_forgets_its_oldest_entries_only_and_only_when_it_is_told_to,
            closing_does_what_waits_and_afterwards_nothing_is_available,
            a_row_is_written_when_its_expectation_is_met_and_keeps_its_number,
            what_one_row_claims_no_other_row_can_have,
            a_page_of_rows_goes_on_where_the_one_before_ended,
            rows_have_an_epoch_of_their_own_and_tell_what_happened,
            buckets_and_families_hold_what_belongs_there,
            rows_are_due_when_they_say_so_until_they_are_written_anew,
            the_pepper_is_made_once_and_stays,
            of_two_that_write_a_quota_anew_one_is_heard,
            many_that_write_a_quota_at_once_lose_nothing,
            a_subscription_has_its_own_quotas_and_old_periods_are_forgotten,
            the_ledger_keeps_the_larger_of_two_tellings_whatever_their_order,
            a_copy_of_a_disk_tells_nothing_while_the_original_counts,
            what_ended_starts_left_behind_is_kept_together_each_for_itself,
            what_was_used_is_summed_as_it_is_asked_for,
            what_is_sealed_is_told_once_in_order_and_both_counts_can_be_compared,
            old_minutes_become_hours_and_hours_days_and_no_sum_changes,
            what_may_still_change_is_not_put_together,
            whatever_is_told_late_and_put_together_early_the_sums_are_those_of_a_plain_ledger,
        );
    };
    ($open:path => $($promise:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let open = $open().await;
                crate::store::contract::$promise(open.store()).await;
            }
        )*
    };
}
pub(super) use keeps_its_promises;

/// The key of a ConfigMap in a namespace of the tests.
pub fn key(name: &str) -> ResourceKey {
    ResourceKey {
        group: "".into(),
        kind: "ConfigMap".into(),
        namespace: Some("shop".parse().unwrap()),
        name: name.parse().unwrap(),
    }
}

/// A ConfigMap with a number in it.
pub fn object(name: &str, number: usize) -> Object {
    let json = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","namespace":"shop"}},"data":{{"n":"{number}"}}}}"#
    );
    Object {
        key: key(name),
        uid: format!("uid-of-{name}").into(),
        revision: 0,
        json: json.into(),
        source: None,
    }
}

pub fn put(name: &str, number: usize, expect: Expect) -> Write {
    Write::Put { object: object(name, number), expect }
}

pub fn delete(name: &str, expect: Expect) -> Write {
    Write::Delete { key: key(name), expect }
}

pub fn set(writes: Vec<Write>) -> ChangeSet {
    ChangeSet { writes, ..ChangeSet::default() }
}

fn entry(what: &str) -> AuditEntry {
    AuditEntry {
        at: 1_700_000_000_123,
        who: "kim".into(),
        verb: "update".into(),
        what: what.into(),
        outcome: "allowed".into(),
    }
}

fn conflict(name: &str, found: Option<Revision>) -> StoreError {
    StoreError::Conflict { key: key(name), found }
}

fn revisions(changes: &[Change]) -> Vec<Revision> {
    changes.iter().map(Change::revision).collect()
}

pub async fn a_change_set_is_done_whole_or_not_at_all(store: Arc<dyn Store>) {
    let both = set(vec![put("a", 1, Expect::Absent), put("b", 1, Expect::Absent)]);
    assert_eq!(revisions(&store.commit(both).await.unwrap()), [1, 2]);

    let half =
        set(vec![put("a", 2, Expect::Revision(1)), put("c", 2, Expect::Absent), put("b", 2, Expect::Absent)]);
    assert_eq!(store.commit(half).await, Err(conflict("b", Some(2))));

    let (epoch, objects) = store.load().await.unwrap();
    let expected = [Object { revision: 1, ..object("a", 1) }, Object { revision: 2, ..object("b", 1) }];
    assert_eq!((epoch, objects), (2, expected.to_vec()));
    assert_eq!(store.changes(2, 10).await.unwrap(), []);
}

pub async fn a_write_happens_only_when_its_expectation_is_met(store: Arc<dyn Store>) {
    let commit = |write| store.commit(set(vec![write]));
    assert_eq!(commit(put("a", 1, Expect::Revision(1))).await, Err(conflict("a", None)));
    assert_eq!(commit(delete("a", Expect::Revision(1))).await, Err(conflict("a", None)));
    assert_eq!(commit(delete("a", Expect::Whatever)).await, Ok(vec![]));
    assert_eq!(revisions(&commit(put("a", 1, Expect::Absent)).await.unwrap()), [1]);
    assert_eq!(commit(put("a", 2, Expect::Absent)).await, Err(conflict("a", Some(1))));
    assert_eq!(commit(delete("a", Expect::Absent)).await, Err(conflict("a", Some(1))));
    assert_eq!(revisions(&commit(put("a", 2, Expect::Whatever)).await.unwrap()), [2]);
    assert_eq!(commit(delete("a", Expect::Revision(1))).await, Err(conflict("a", Some(2))));
    let gone = Change::Deleted { key: key("a"), revision: 3 };
    assert_eq!(commit(delete("a", Expect::Revision(2))).await, Ok(vec![gone]));
    assert_eq!(store.load().await, Ok((3, vec![])));
    assert_eq!(store.epoch().await, Ok(3));
}

pub async fn later_writes_of_a_set_see_the_earlier_ones(store: Arc<dyn Store>) {
    let writes = vec![
        put("a", 1, Expect::Absent),
        put("a", 2, Expect::Revision(1)),
        delete("a", Expect::Revision(2)),
        put("a", 3, Expect::Absent),
        put("b", 1, Expect::Absent),
        delete("b", Expect::Whatever),
    ];

    let changes = store.commit(set(writes)).await.unwrap();

    assert_eq!(revisions(&changes), [1, 2, 3, 4, 5, 6]);
    assert_eq!(store.load().await.unwrap(), (6, vec![Object { revision: 4, ..object("a", 3) }]));
    assert_eq!(store.changes(0, 10).await.unwrap(), changes);
}

pub async fn a_refused_set_does_no_harm_to_those_that_are_written_with_it(store: Arc<dyn Store>) {
    store.commit(set(vec![put("taken", 0, Expect::Absent)])).await.unwrap();

    let mut writers = JoinSet::new();
    for number in 0..60 {
        let store = store.clone();
        let last = if number % 3 == 0 { "taken".to_owned() } else { format!("other-{number}") };
        let writes = vec![put(&format!("n-{number}"), number, Expect::Absent), put(&last, 0, Expect::Absent)];
        writers.spawn(async move { (number, store.commit(set(writes)).await) });
    }
    for (number, answer) in writers.join_all().await {
        match number % 3 {
            0 => assert_eq!(answer, Err(conflict("taken", Some(1)))),
            _ => assert_eq!(answer.unwrap().len(), 2),
        }
    }

    let (epoch, objects) = store.load().await.unwrap();
    assert_eq!((epoch, objects.len()), (81, 81), "40 sets of two writes, and one write before");
}

pub async fn revisions_have_no_gaps_when_many_write_at_once(store: Arc<dyn Store>) {
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let store = store.clone();
        writers.spawn(async move {
            let mut seen = Vec::new();
            for number in 0..12 {
                let mine = format!("w-{writer}");
                let writes = vec![put(&mine, number, Expect::Whatever), put("all", number, Expect::Whatever)];
                let revisions = revisions(&store.commit(set(writes)).await.unwrap());
                assert_eq!(revisions[1], revisions[0] + 1, "the writes of a set follow on each other");
                seen.extend(revisions);
            }
            assert!(seen.is_sorted(), "a later write has a larger revision");
            seen
        });
    }
    let all: BTreeSet<Revision> = writers.join_all().await.into_iter().flatten().collect();

    assert!(all.into_iter().eq(1..=16 * 12 * 2));
    assert!(revisions(&store.changes(0, 1_000).await.unwrap()).into_iter().eq(1..=16 * 12 * 2));
    assert_eq!(store.epoch().await, Ok(16 * 12 * 2));
}

pub async fn what_happened_after_a_revision_is_told_exactly(store: Arc<dyn Store>) {
    let mut told = Vec::new();
    for number in 0..5 {
        let writes = vec![put("a", number, Expect::Whatever), delete("a", Expect::Whatever)];
        told.extend(store.commit(set(writes)).await.unwrap());
    }

    for after in 0..=10 {
        let rest = &told[after..];
        assert_eq!(store.changes(after as Revision, 100).await.unwrap(), rest);
        assert_eq!(store.changes(after as Revision, 3).await.unwrap(), rest[..rest.len().min(3)]);
    }
    assert_eq!(store.changes(99, 100).await.unwrap(), [], "nothing has happened after what is to come");
}

pub async fn what_was_forgotten_is_said_to_be_forgotten(store: Arc<dyn Store>) {
    for number in 0..6 {
        store.commit(set(vec![put("a", number, Expect::Whatever)])).await.unwrap();
    }

    store.compact(4).await.unwrap();
    assert_eq!(store.changes(3, 10).await, Err(StoreError::Compacted { compacted: 4 }));
    assert_eq!(revisions(&store.changes(4, 10).await.unwrap()), [5, 6]);

    store.compact(2).await.unwrap();
    assert_eq!(store.changes(3, 10).await, Err(StoreError::Compacted { compacted: 4 }), "nothing comes back");

    store.compact(1_000).await.unwrap();
    assert_eq!(store.changes(5, 10).await, Err(StoreError::Compacted { compacted: 6 }));
    let next = store.commit(set(vec![put("b", 0, Expect::Absent)])).await.unwrap();
    assert_eq!(store.changes(6, 10).await.unwrap(), next, "what is still to come is not forgotten");
    assert_eq!(store.load().await.unwrap().1.len(), 2, "the objects stay");
}

pub async fn old_history_is_forgotten_step_by_step(store: Arc<dyn Store>) {
    for number in 0..25 {
        store.commit(set(vec![put("a", number, Expect::Whatever)])).await.unwrap();
    }

    history::forget(&*store, 7, 4).await.unwrap();
    assert_eq!(store.changes(17, 100).await, Err(StoreError::Compacted { compacted: 18 }));
    assert_eq!(store.changes(18, 100).await.unwrap().len(), 7);

    history::forget(&*store, 7, 4).await.unwrap();
    history::forget(&*store, 100, 4).await.unwrap();
    assert_eq!(store.changes(18, 100).await.unwrap().len(), 7, "there was nothing more to forget");
}

pub async fn a_load_is_one_moment_while_others_write(store: Arc<dyn Store>) {
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 0..150 {
                let writes =
                    vec![put("left", number, Expect::Whatever), put("right", number, Expect::Whatever)];
                store.commit(set(writes)).await.unwrap();
            }
        }
    });
    let mut loaded = 0;
    while !writer.is_finished() || loaded == 0 {
        let (epoch, objects) = store.load().await.unwrap();
        let content = |at: usize| objects[at].json.rsplit_once("data").map(|(_, data)| data.to_owned());
        if !objects.is_empty() {
            assert_eq!(content(0), content(1), "a set was seen half done");
            assert_eq!((objects[0].revision, objects[1].revision), (epoch - 1, epoch));
        }
        loaded += 1;
    }
    writer.await.unwrap();

    assert_eq!(store.load().await.unwrap().0, 300);
}

pub async fn an_object_comes_back_as_it_was_put(store: Arc<dyn Store>) {
    let strange = |name: &str, json: &str, source: Option<Box<Source>>| Object {
        json: json.into(),
        source,
        ..object(name, 0)
    };
    let source = Box::new(Source { file: "a b/'ü\"%.yaml".into(), line: u32::MAX });
    let outside = ResourceKey { namespace: None, kind: "Namespace".into(), ..key("shop") };
    let secret = ResourceKey { kind: "Secret".into(), ..key("tls") };
    let long = format!(r#"{{"data":"{}"}}"#, "x".repeat(1 << 20));
    let objects = [
        strange("plain", r#"{"a":"it's \"so\" \u0000 \n 中文 \uD834\uDD1E 🦀"}"#, None),
        strange("long", &long, Some(source)),
        Object { key: outside, ..strange("shop", "{}", None) },
        Object { key: secret, ..strange("tls", r#"{"data":{"tls.key":"c2VjcmV0"}}"#, None) },
    ];
    let writes = objects.iter().map(|object| Write::Put { object: object.clone(), expect: Expect::Absent });

    let changes = store.commit(set(writes.collect())).await.unwrap();

    let told: Vec<Change> = (1..)
        .zip(&objects)
        .map(|(revision, object)| Change::Put(Object { revision, ..object.clone() }))
        .collect();
    assert_eq!(changes, told);
    assert_eq!(store.changes(0, 10).await.unwrap(), told);
    let loaded: BTreeMap<ResourceKey, Object> =
        store.load().await.unwrap().1.into_iter().map(|object| (object.key.clone(), object)).collect();
    for change in &told {
        assert_eq!(&Change::Put(loaded[change.key()].clone()), change);
    }
}

/// Long enough that it does not run out during a test.
const LONG: u64 = 600_000;

pub async fn a_lease_has_one_holder_and_each_new_one_a_larger_token(store: Arc<dyn Store>) {
    let lease = |holder: &'static str, milliseconds| {
        let store = store.clone();
        async move { store.lease("leader", holder, milliseconds).await.unwrap().map(|fence| fence.token) }
    };
    assert_eq!(lease("a", LONG).await, Some(1));
    assert_eq!(lease("a", LONG).await, Some(1), "who is in time keeps its token");
    assert_eq!(lease("b", LONG).await, None);

    store.release(&Fence { lease: "leader".into(), token: 1 }).await.unwrap();
    assert_eq!(lease("b", LONG).await, Some(2));
    store.release(&Fence { lease: "leader".into(), token: 1 }).await.unwrap();
    assert_eq!(lease("a", LONG).await, None, "an old token gives back nothing");

    assert_eq!(lease("b", 0).await, Some(2), "held until this very moment");
    assert_eq!(lease("a", LONG).await, Some(3), "what ran out is free");
    assert_eq!(store.lease("other", "b", LONG).await.unwrap().map(|fence| fence.token), Some(1));
}

pub async fn a_holder_that_was_replaced_can_write_no_more(store: Arc<dyn Store>) {
    let fenced = |fence: &Fence, number| ChangeSet {
        fence: Some(fence.clone()),
        audit: vec![entry("a")],
        ..set(vec![put("a", number, Expect::Whatever)])
    };
    let old = store.lease("leader", "old", LONG).await.unwrap().unwrap();
    store.commit(fenced(&old, 1)).await.unwrap();
    assert!(store.lease("leader", "old", 0).await.unwrap().is_some());
    let refused = StoreError::Fenced { lease: "leader".into(), token: 1 };
    assert_eq!(
        store.commit(fenced(&old, 2)).await,
        Err(refused.clone()),
        "it ran out, if nobody has it or not"
    );

    let new = store.lease("leader", "new", LONG).await.unwrap().unwrap();
    assert_eq!(store.commit(fenced(&old, 3)).await, Err(refused));
    store.commit(fenced(&new, 4)).await.unwrap();

    assert_eq!(store.load().await.unwrap(), (2, vec![Object { revision: 2, ..object("a", 4) }]));
    assert_eq!(store.audited(10).await.unwrap().len(), 2);
}

pub async fn the_audit_log_is_kept_with_the_writes_or_not_at_all(store: Arc<dyn Store>) {
    let audited = |what: &str, write| ChangeSet { audit: vec![entry(what)], ..set(vec![write]) };
    store.commit(audited("first", put("a", 1, Expect::Absent))).await.unwrap();
    store.commit(audited("refused", put("a", 1, Expect::Absent))).await.unwrap_err();
    store.audit(vec![entry("second"), entry("third")]).await.unwrap();

    let all = store.audited(10).await.unwrap();

    assert_eq!(all, [entry("third"), entry("second"), entry("first")]);
    assert_eq!(store.audited(1).await.unwrap(), [entry("third")]);
    assert_eq!(store.epoch().await, Ok(1), "the audit log has no revisions");
}

pub async fn the_audit_log_forgets_its_oldest_entries_only_and_only_when_it_is_told_to(
    store: Arc<dyn Store>,
) {
    let entries: Vec<AuditEntry> = (0..6_000).map(|number| entry(&number.to_string())).collect();
    assert_eq!(store.shorten_audit(0).await, Ok(false), "an empty log");
    store.audit(entries.clone()).await.unwrap();

    assert_eq!(store.shorten_audit(6_000).await, Ok(false));
    assert_eq!(store.audited(10_000).await.unwrap().len(), 6_000);
    assert_eq!(store.shorten_audit(10).await, Ok(true), "a step at a time");
    assert_eq!(store.shorten_audit(10).await, Ok(false));

    let newest: Vec<AuditEntry> = entries.into_iter().rev().take(10).collect();
    assert_eq!(store.audited(10_000).await.unwrap(), newest);
    store.audit(vec![entry("next")]).await.unwrap();
    assert_eq!(store.audited(1).await.unwrap(), [entry("next")]);
}

pub async fn who_waits_is_woken_by_a_write(store: Arc<dyn Store>) {
    store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();
    store.wait(0).await.unwrap();

    let follower = tokio::spawn({
        let store = store.clone();
        async move {
            while store.epoch().await.unwrap() < 2 {
                store.wait(1).await.unwrap();
            }
        }
    });
    store.commit(set(vec![put("a", 2, Expect::Whatever)])).await.unwrap();

    follower.await.unwrap();
}

pub async fn closing_does_what_waits_and_afterwards_nothing_is_available(store: Arc<dyn Store>) {
    let mut asked_before = Vec::new();
    for number in 0..20 {
        let mut commit = store.commit(set(vec![put(&format!("n-{number}"), number, Expect::Absent)]));
        assert!((&mut commit).now_or_never().is_none(), "it waits to be written");
        asked_before.push(commit);
    }
    let waits = tokio::spawn({
        let store = store.clone();
        async move { while store.wait(1_000).await.is_ok() {} }
    });

    let (one, other) = tokio::join!(store.close(), store.close());
    assert_eq!((one, other), (Ok(()), Ok(())));

    for commit in asked_before {
        assert_eq!(commit.await.map(|changes| changes.len()), Ok(1));
    }
    waits.await.unwrap();
    let fence = Fence { lease: "leader".into(), token: 1 };
    for (asked, answer) in [
        ("commit", store.commit(set(vec![put("late", 0, Expect::Absent)])).await.map(drop)),
        ("load", store.load().await.map(drop)),
        ("epoch", store.epoch().await.map(drop)),
        ("changes", store.changes(0, 1).await.map(drop)),
        ("compact", store.compact(1).await),
        ("wait", store.wait(1_000).await),
        ("lease", store.lease("leader", "me", LONG).await.map(drop)),
        ("release", store.release(&fence).await),
        ("audit", store.audit(vec![entry("late")]).await),
        ("shorten_audit", store.shorten_audit(1).await.map(drop)),
        ("audited", store.audited(1).await.map(drop)),
    ] {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{asked}: {answer:?}");
    }
    assert_eq!(store.close().await, Ok(()));
}
