//! What a store in a file promises beside what every store does.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

use super::{Opened, Sqlite};
use crate::store::contract::{self, put, set};
use crate::store::keys::Keys;
use crate::store::{AuditEntry, Expect, Object, Store, StoreError, Write};

struct Open {
    store: Arc<Sqlite>,
    folder: TempDir,
}

impl Open {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
}

async fn new_store() -> Open {
    let folder = tempfile::tempdir().unwrap();
    let Opened { store, set_aside } = open(folder.path()).await.unwrap();
    assert_eq!(set_aside, None);
    Open { store, folder }
}

async fn open(folder: &Path) -> Result<Opened, StoreError> {
    Sqlite::open(&file(folder), Keys::open(&folder.join("store.keys")).unwrap()).await
}

fn file(folder: &Path) -> PathBuf {
    folder.join("store.db")
}

/// As if the disk had room for some 400 KiB.
async fn open_small(folder: &Path) -> Arc<Sqlite> {
    let keys = Keys::open(&folder.join("store.keys")).unwrap();
    Sqlite::open_with(&file(folder), keys, |options| options.pragma("max_page_count", "100"))
        .await
        .unwrap()
        .store
}

async fn raw(folder: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file(folder)).create_if_missing(true).connect().await.unwrap()
}

contract::keeps_its_promises!(new_store);

/// The folder of a store, once that is closed.
async fn closed(open: Open) -> TempDir {
    open.store.close().await.unwrap();
    open.folder
}

#[tokio::test]
async fn a_closed_store_is_one_file_that_another_process_may_open() {
    let first = new_store().await;
    first.store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();

    first.store.close().await.unwrap();

    let mut names: Vec<_> =
        std::fs::read_dir(first.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["store.db", "store.db.lock", "store.keys"]);
    let second = open(first.folder.path()).await.unwrap();
    assert_eq!(second.store.epoch().await, Ok(1), "while the first one is still held by somebody");
}

#[tokio::test]
async fn everything_is_still_there_after_a_restart() {
    let before = new_store().await;
    before.store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();
    let fence = before.store.lease("leader", "me", 600_000).await.unwrap().unwrap();
    let folder = closed(before).await;

    let after = open(folder.path()).await.unwrap();

    assert_eq!(after.set_aside, None);
    assert_eq!(
        after.store.load().await.unwrap(),
        (1, vec![Object { revision: 1, ..contract::object("a", 1) }])
    );
    assert_eq!(after.store.lease("leader", "me", 600_000).await.unwrap(), Some(fence));
}

#[tokio::test]
async fn a_second_process_is_told_that_the_store_is_in_use() {
    let first = new_store().await;

    let error = open(first.folder.path()).await.unwrap_err();

    assert!(
        matches!(&error, StoreError::Broken(why) if why.contains("another process has it open")),
        "{error}"
    );
    first.store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();
}

#[tokio::test]
async fn all_its_files_are_for_their_owner_only() {
    let open = new_store().await;
    open.store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();

    let mut names = Vec::new();
    for entry in std::fs::read_dir(open.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["store.db", "store.db-shm", "store.db-wal", "store.db.lock", "store.keys"]);
}

#[tokio::test]
async fn no_file_gives_a_secret_away() {
    let open = new_store().await;
    let mut object = contract::object("tls", 0);
    object.key.kind = "Secret".into();
    object.json = r#"{"data":{"password":"aHVudGVyMi1odW50ZXIy"},"note":"zanzibar"}"#.into();
    open.store.commit(set(vec![Write::Put { object, expect: Expect::Absent }])).await.unwrap();
    let mut plain = contract::object("plain", 0);
    plain.json = r#"{"note":"findable"}"#.into();
    open.store.commit(set(vec![Write::Put { object: plain, expect: Expect::Absent }])).await.unwrap();

    let folder = closed(open).await;

    let mut found_plain = false;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds("aHVudGVyMi1odW50ZXIy") && !holds("zanzibar"), "{}", path.display());
        found_plain |= holds("findable");
    }
    assert!(found_plain, "the search finds what is not sealed");
}

#[tokio::test]
async fn a_store_does_not_open_with_other_keys() {
    let folder = closed(new_store().await).await;
    std::fs::remove_file(folder.path().join("store.keys")).unwrap();

    let error = open(folder.path()).await.unwrap_err();

    assert!(error.to_string().contains("not in the key file"), "{error}");
    assert!(file(folder.path()).exists());
}

#[tokio::test]
async fn a_secret_whose_row_was_exchanged_is_refused() {
    let open = new_store().await;
    for (name, text) in [("a", "{\"a\":1}"), ("b", "{\"b\":2}")] {
        let mut object = contract::object(name, 0);
        object.key.kind = "Secret".into();
        object.json = text.into();
        open.store.commit(set(vec![Write::Put { object, expect: Expect::Absent }])).await.unwrap();
    }
    let mut raw = raw(open.folder.path()).await;
    let exchange = "UPDATE objects SET json = (SELECT json FROM objects WHERE name = 'b') WHERE name = 'a'";
    sqlx::query(exchange).execute(&mut raw).await.unwrap();

    let error = open.store.load().await.unwrap_err();
    assert!(
        error.to_string().contains("Secret/shop/a cannot be read: it is sealed and does not open"),
        "{error}"
    );

    sqlx::query("UPDATE objects SET json = '{}' WHERE name = 'a'").execute(&mut raw).await.unwrap();
    let error = open.store.load().await.unwrap_err();
    assert!(error.to_string().contains("should be sealed"), "{error}");
}

#[tokio::test]
async fn the_audit_log_cannot_be_changed_with_sql() {
    let open = new_store().await;
    let entry = AuditEntry {
        at: 1,
        who: "kim".into(),
        verb: "delete".into(),
        what: "everything".into(),
        outcome: "allowed".into(),
    };
    open.store.audit(vec![entry.clone()]).await.unwrap();
    let mut raw = raw(open.folder.path()).await;

    for attempt in [
        "UPDATE audit SET who = 'somebody else'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit VALUES (1, 2, 'a', 'b', 'c', 'd')",
        "REPLACE INTO audit SELECT id, at, 'x', verb, what, outcome FROM audit",
    ] {
        let error = sqlx::query(attempt).execute(&mut raw).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{attempt}: {error}");
    }

    assert_eq!(open.store.audited(10).await.unwrap(), [entry]);
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_untouched_and_reported() {
    let open_store = new_store().await;
    for number in 0..200 {
        let name = format!("n-{number}");
        open_store.store.commit(set(vec![put(&name, number, Expect::Absent)])).await.unwrap();
    }
    let folder = closed(open_store).await;
    let whole = std::fs::read(file(folder.path())).unwrap();
    let torn = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let scratched = |bytes: &mut Vec<u8>| bytes[4096..20_000].fill(0xa5);
    let beheaded = |bytes: &mut Vec<u8>| bytes[..512].fill(0);
    let stump = |bytes: &mut Vec<u8>| bytes.truncate(2_000);
    let text =
        |bytes: &mut Vec<u8>| *bytes = b"hello, I am no database, but I am long enough to be one".repeat(9);

    type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cases: [(&str, Damage<'_>); 5] = [
        ("torn", &torn),
        ("scratched", &scratched),
        ("beheaded", &beheaded),
        ("stump", &stump),
        ("text", &text),
    ];
    for (case, damage) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = whole.clone();
        damage(&mut bytes);
        std::fs::write(file(folder.path()), &bytes).unwrap();

        let opened = open(folder.path()).await.expect(case);

        let set_aside = opened.set_aside.expect(case);
        assert_eq!(std::fs::read(&set_aside.to).unwrap(), bytes, "{case}: it was changed");
        let message = set_aside.to_string();
        assert!(message.contains("is damaged") && message.contains("store.db.damaged-"), "{case}: {message}");
        assert_eq!(opened.store.load().await.unwrap(), (0, vec![]), "{case}");
        opened.store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_ours_or_newer_is_refused_and_left_as_it_is() {
    for (script, said) in [
        ("CREATE TABLE recipes (name TEXT)", "the database of another program"),
        ("CREATE TABLE x (y TEXT); PRAGMA application_id = 7", "the database of another program"),
        (
            "CREATE TABLE meta (x TEXT); PRAGMA application_id = 1399617127; PRAGMA user_version = 99",
            "a newer version",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = raw(folder.path()).await;
        sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
        let before = std::fs::read(file(folder.path())).unwrap();

        let error = open(folder.path()).await.unwrap_err().to_string();

        assert!(error.contains(said) && error.contains("store.db"), "{error}");
        assert_eq!(std::fs::read(file(folder.path())).unwrap(), before);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(file(folder.path())).unwrap();
    assert!(open(folder.path()).await.unwrap_err().to_string().contains("not a file"));
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let open = new_store().await;
    open.store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();
    let folder = closed(open).await;
    let open = Open { store: open_small(folder.path()).await, folder };
    let mut huge = contract::object("huge", 0);
    huge.json = "x".repeat(8 << 20).into();

    let error =
        open.store.commit(set(vec![Write::Put { object: huge, expect: Expect::Absent }])).await.unwrap_err();

    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("full")), "{error}");
    assert_eq!(open.store.load().await.unwrap().0, 1);
    let next = open.store.commit(set(vec![put("a", 2, Expect::Revision(1))])).await.unwrap();
    assert_eq!(next[0].revision(), 2, "the writer goes on");
}
