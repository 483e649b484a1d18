//! What every engine promises about rows of customers; run with the other promises of a store.

use std::sync::Arc;

use engine::customers::{ApplicationId, Place};
use model::kinds::KindName;

use super::{CustomerRows, Key, Page, Row, RowSet, RowWrite, Written};
use crate::store::{AuditEntry, Expect, Store};

fn row(kind: KindName, namespace: &str, name: &str) -> Row {
    Row {
        kind,
        namespace: namespace.into(),
        name: name.into(),
        uid: format!("uid-of-{name}").into(),
        number: 0,
        revision: 0,
        parent: None,
        owner: None,
        place: None,
        claim: None,
        json: format!(r#"{{"metadata":{{"name":"{name}","namespace":"{namespace}"}}}}"#).into(),
    }
}

fn application(name: &str) -> Row {
    row(KindName::Application, "shop", name)
}

async fn put(rows: &dyn CustomerRows, row: Row, expect: Expect) -> Written {
    let audit = vec![AuditEntry {
        at: 1_700_000_000_123,
        who: "kim".into(),
        verb: "create".into(),
        what: format!("{} {}", row.kind, row.name).into(),
        outcome: "allowed".into(),
    }];
    rows.write_rows(RowSet { writes: vec![RowWrite::Put { row, expect, due: None }], audit }).await.unwrap()
}

fn only(written: Written) -> Row {
    let Written::Done(changes) = written else { panic!("it was refused: {written:?}") };
    changes.into_iter().next().expect("a change").row
}

pub async fn a_row_is_written_when_its_expectation_is_met_and_keeps_its_number(store: Arc<dyn Store>) {
    let rows = store.customers().expect("rows");

    let first = only(put(rows, application("mobile"), Expect::Absent).await);
    assert_eq!(first.place, Some(Place::of_application(ApplicationId(first.number)).number()));
    let again = put(rows, application("mobile"), Expect::Absent).await;
    assert_eq!(again, Written::Conflict(first.key()));
    let second = only(put(rows, application("mobile"), Expect::Revision(first.revision)).await);
    assert_eq!((second.number, second.revision), (first.number, first.revision + 1));
    let late = put(rows, application("mobile"), Expect::Revision(first.revision)).await;
    assert_eq!(late, Written::Conflict(first.key()));

    let gone = RowWrite::Delete { key: first.key(), expect: Expect::Revision(second.revision) };
    rows.write_rows(RowSet { writes: vec![gone], audit: Vec::new() }).await.unwrap();
    assert_eq!(rows.row(first.key()).await.unwrap(), None);
    // Somebody else under the same name is somebody else.
    let other = Row { uid: "another".into(), ..application("mobile") };
    assert!(only(put(rows, other, Expect::Absent).await).number > first.number);
}

pub async fn what_one_row_claims_no_other_row_can_have(store: Arc<dyn Store>) {
    let rows = store.customers().expect("rows");
    let claiming = |name: &str| Row { claim: Some("abc".into()), ..row(KindName::Credential, "shop", name) };

    let first = only(put(rows, claiming("one"), Expect::Absent).await);
    assert_eq!(put(rows, claiming("two"), Expect::Absent).await, Written::Taken(first.key()));
    assert_eq!(rows.row(Key::new(KindName::Credential, "shop", "two")).await.unwrap(), None);
    only(put(rows, claiming("one"), Expect::Revision(first.revision)).await);
}

pub async fn a_page_of_rows_goes_on_where_the_one_before_ended(store: Arc<dyn Store>) {
    let rows = store.customers().expect("rows");
    let names = [("bank", "a"), ("bank", "b"), ("shop", "a"), ("shop", "b"), ("shop", "c"), ("zoo", "a")];
    for (namespace, name) in names {
        put(rows, row(KindName::Team, namespace, name), Expect::Absent).await;
    }
    put(rows, application("a"), Expect::Absent).await;

    for (namespace, expected) in [(None, &names[..]), (Some("shop"), &names[2..5]), (Some("none"), &[])] {
        let mut found = Vec::new();
        let mut page =
            Page { kind: KindName::Team, namespace: namespace.map(Into::into), after: None, limit: 2 };
        loop {
            let (epoch, some) = rows.page(page.clone()).await.unwrap();
            assert_eq!(epoch, 7);
            let Some(last) = some.last() else { break };
            page.after = Some((last.namespace.clone(), last.name.clone()));
            found.extend(some);
        }
        let found: Vec<(&str, &str)> = found.iter().map(|row| (&*row.namespace, &*row.name)).collect();
        assert_eq!(found, expected);
    }
}

pub async fn rows_have_an_epoch_of_their_own_and_tell_what_happened(store: Arc<dyn Store>) {
    let rows = store.customers().expect("rows");
    let before = store.epoch().await.unwrap();

    let first = only(put(rows, application("mobile"), Expect::Absent).await);
    let changed = Row { json: r#"{"metadata":{"name":"mobile"},"spec":{}}"#.into(), ..application("mobile") };
    put(rows, changed.clone(), Expect::Revision(first.revision)).await;
    let gone = RowWrite::Delete { key: first.key(), expect: Expect::Whatever };
    rows.write_rows(RowSet { writes: vec![gone.clone(), gone], audit: Vec::new() }).await.unwrap();

    assert_eq!(store.epoch().await.unwrap(), before);
    assert_eq!(rows.row_epoch().await.unwrap(), 3);
    let told = rows.row_changes(0, 100).await.unwrap();
    let told: Vec<_> =
        told.iter().map(|change| (change.row.revision, change.before.clone(), change.is_gone)).collect();
    assert_eq!(told, [(1, None, false), (2, Some(first.json), false), (3, Some(changed.json), true)]);
    assert_eq!(rows.row_changes(1, 1).await.unwrap()[0].row.revision, 2);
    assert_eq!(rows.row_changes(0, 1).await.unwrap()[0].at, 1_700_000_000_123);
    assert_eq!(store.audited(10).await.unwrap().len(), 2);
    rows.wait_rows(2).await.unwrap();
}

pub async fn rows_are_due_when_they_say_so_until_they_are_written_anew(store: Arc<dyn Store>) {
    let rows = store.customers().expect("rows");
    for (name, due) in [("late", Some(300)), ("soon", Some(100)), ("never", None)] {
        let put = RowWrite::Put { row: row(KindName::Credential, "shop", name), expect: Expect::Absent, due };
        rows.write_rows(RowSet { writes: vec![put], audit: Vec::new() }).await.unwrap();
    }
    let due = async |now| -> Vec<String> {
        rows.due(now, 10).await.unwrap().iter().map(|row| row.name.to_string()).collect()
    };

    assert_eq!(due(99).await, [""; 0]);
    assert_eq!(due(100).await, ["soon"]);
    assert_eq!(due(300).await, ["soon", "late"]);
    assert_eq!(rows.due(300, 1).await.unwrap().len(), 1);
    put(rows, row(KindName::Credential, "shop", "soon"), Expect::Whatever).await;
    let gone =
        RowWrite::Delete { key: Key::new(KindName::Credential, "shop", "late"), expect: Expect::Whatever };
    rows.write_rows(RowSet { writes: vec![gone], audit: Vec::new() }).await.unwrap();
    assert_eq!(due(300).await, [""; 0]);
}

pub async fn buckets_and_families_hold_what_belongs_there(store: Arc<dyn Store>) {
    let rows = store.customers().expect("rows");
    for (name, place) in [("a", 7), ("b", 7), ("c", 8)] {
        let credential = Row {
            place: Some(place),
            parent: Some("mobile".into()),
            owner: Some(9),
            ..row(KindName::Credential, "shop", name)
        };
        put(rows, credential, Expect::Absent).await;
    }

    let names = |found: Vec<Row>| {
        let mut names: Vec<String> = found.iter().map(|row| row.name.to_string()).collect();
        names.sort();
        names
    };
    let kinds = [KindName::Credential, KindName::Credential];
    assert_eq!(names(rows.buckets(kinds, 7, 7).await.unwrap().1), ["a", "b"]);
    assert_eq!(names(rows.buckets(kinds, 8, 4095).await.unwrap().1), ["c"]);
    let other = [KindName::Application, KindName::Subscription];
    assert!(rows.buckets(other, 0, 4095).await.unwrap().1.is_empty());
    assert_eq!(names(rows.children(KindName::Credential, "shop", "mobile", 2).await.unwrap()), ["a", "b"]);
    assert!(rows.children(KindName::Credential, "bank", "mobile", 2).await.unwrap().is_empty());
}

pub async fn the_pepper_is_made_once_and_stays(store: Arc<dyn Store>) {
    let rows = store.customers().expect("rows");

    assert_eq!(rows.pepper([1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(rows.pepper([2; 32]).await.unwrap(), [1; 32]);
}
