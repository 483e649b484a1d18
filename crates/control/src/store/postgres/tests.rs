//! What a store in PostgreSQL promises beside what every store does.

use std::sync::Arc;
use std::time::Duration;

use super::server::Server;
use super::{Patience, Postgres};
use crate::leader::Candidate;
use crate::store::contract::{self, put, set};
use crate::store::keys::Keys;
use crate::store::{AuditEntry, ChangeSet, Expect, Fence, Store, StoreError, Write};
use crate::world::World;

struct Open {
    store: Arc<Postgres>,
    keys: Keys,
    server: Arc<Server>,
    database: String,
}

impl Open {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
}

pub(super) fn new_keys() -> Keys {
    let folder = tempfile::tempdir().unwrap();
    Keys::open(&folder.path().join("store.keys")).unwrap()
}

async fn new_store() -> Open {
    let server = Server::shared();
    let database = server.database().await;
    let keys = new_keys();
    let store = open(&server.url(&database), &keys).await.unwrap();
    Open { store, keys, server, database }
}

async fn open(url: &str, keys: &Keys) -> Result<Arc<Postgres>, StoreError> {
    Postgres::open(url, keys.clone(), Patience::default()).await
}

contract::keeps_its_promises!(new_store);

#[tokio::test]
async fn everything_is_there_for_a_second_control_plane_through_another_door() {
    let first = new_store().await;
    first.store.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();

    let second = open(&first.server.socket_url(&first.database), &first.keys).await.unwrap();

    assert_eq!(second.load().await.unwrap(), first.store.load().await.unwrap());
    second.commit(set(vec![put("a", 2, Expect::Revision(1))])).await.unwrap();
    let lost = first.store.commit(set(vec![put("a", 3, Expect::Revision(1))])).await;
    assert_eq!(lost, Err(StoreError::Conflict { key: contract::key("a"), found: Some(2) }));
}

#[tokio::test]
async fn two_control_planes_that_write_at_once_share_one_sequence() {
    let first = new_store().await;
    let second = open(&first.server.url(&first.database), &first.keys).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store: Arc<dyn Store> = if number % 2 == 0 { first.store.clone() } else { second.clone() };
        writers.spawn(async move {
            for round in 0..20 {
                let name = format!("w-{number}");
                store.commit(set(vec![put(&name, round, Expect::Whatever)])).await.unwrap();
            }
        });
    }
    writers.join_all().await;

    let changes = second.changes(0, 1_000).await.unwrap();

    assert!(changes.iter().map(crate::store::Change::revision).eq(1..=160));
    assert_eq!(changes, first.store.changes(0, 1_000).await.unwrap());
}

#[tokio::test]
async fn control_planes_that_start_at_once_make_one_store() {
    let server = Server::shared();
    let database = server.database().await;
    let keys = new_keys();

    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (url, keys) = (server.url(&database), keys.clone());
        opening.spawn(async move { open(&url, &keys).await });
    }
    let stores: Vec<_> = opening.join_all().await.into_iter().collect::<Result<_, _>>().unwrap();

    stores[0].commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();
    assert_eq!(stores[3].epoch().await, Ok(1));
}

#[tokio::test]
async fn the_keys_of_another_control_plane_are_refused() {
    let first = new_store().await;

    let error = open(&first.server.url(&first.database), &new_keys()).await.unwrap_err();

    let said = error.to_string();
    assert!(said.contains("not in the key file; copy the file from the control plane"), "{said}");
    assert!(said.contains(&first.database) && matches!(error, StoreError::Broken(_)), "{said}");
}

#[tokio::test]
async fn no_table_gives_a_secret_away() {
    let open = new_store().await;
    let mut object = contract::object("tls", 0);
    object.key.kind = "Secret".into();
    object.json = r#"{"data":{"password":"aHVudGVyMi1odW50ZXIy"}}"#.into();
    open.store.commit(set(vec![Write::Put { object, expect: Expect::Absent }])).await.unwrap();

    let mut connection = open.server.connect(&open.database).await;
    for table in ["objects", "changes"] {
        let rows = format!("SELECT t::text FROM selvedge.{table} AS t");
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_all(&mut connection).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert!(rows[0].contains("sealed:1:") && !rows[0].contains("aHVudGVy"), "{rows:?}");
    }
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
    let mut connection = open.server.connect(&open.database).await;

    for attempt in [
        "UPDATE selvedge.audit SET who = 'somebody else'",
        "DELETE FROM selvedge.audit",
        "TRUNCATE selvedge.audit",
        "MERGE INTO selvedge.audit USING (SELECT 1) AS x ON true WHEN MATCHED THEN DELETE",
    ] {
        let error = sqlx::query(attempt).execute(&mut connection).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{attempt}: {error}");
    }

    assert_eq!(open.store.audited(10).await.unwrap(), [entry]);
}

#[tokio::test]
async fn a_database_that_is_not_ours_newer_or_unfit_is_refused_and_left_as_it_is() {
    let server = Server::shared();
    let newer = "CREATE SCHEMA selvedge; CREATE TABLE selvedge.meta AS SELECT 99::bigint AS schema";
    let foreign = "CREATE SCHEMA selvedge; CREATE TABLE selvedge.recipes (name TEXT)";
    let ascii = "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0";
    for (settings, script, said) in [
        ("", newer, "written by a newer version"),
        ("", foreign, "tables that are not ours"),
        (ascii, "SELECT 1", "the encoding of the database is SQL_ASCII"),
    ] {
        let database = server.database_with(settings).await;
        server.sql(&database, script).await;

        let error = open(&server.url(&database), &new_keys()).await.unwrap_err();

        assert!(matches!(&error, StoreError::Broken(why) if why.contains(said)), "{error}");
    }
    let absent = open(&server.url("absent"), &new_keys()).await.unwrap_err();
    assert!(matches!(&absent, StoreError::Broken(why) if why.contains("does not exist")), "{absent}");
}

#[tokio::test]
async fn nothing_that_is_printed_holds_the_password() {
    let server = Server::shared();
    let database = server.database().await;
    let address = server.url(&database).replace("selvedge@", "selvedge:hunter2@");

    let store = open(&address, &new_keys()).await.unwrap();
    assert!(!format!("{store:?}").contains("hunter2"), "{store:?}");

    for wrong in
        ["postgres://selvedge:hunter2@127.0.0.1:1/nothing", "postgres://selvedge:hunter2@[::1/nothing"]
    {
        let error = open(wrong, &new_keys()).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named() {
    let error = open("postgres://selvedge@127.0.0.1:1/nothing", &new_keys()).await.unwrap_err();

    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("127.0.0.1:1")), "{error}");
}

#[tokio::test]
async fn the_certificate_of_the_server_is_verified_when_the_address_says_so() {
    let authority = |name: &str| {
        let mut parameters = rcgen::CertificateParams::new([]).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        (parameters.self_signed(&key).unwrap().pem(), rcgen::Issuer::new(parameters, key))
    };
    let ((ours, issuer), (other, _)) = (authority("ours"), authority("other"));
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &issuer).unwrap().pem();
    let server = Server::start_with_tls(&certificate, &key.serialize_pem());
    let database = server.database().await;
    let folder = tempfile::tempdir().unwrap();
    let address = |name: &str, authority: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, authority).unwrap();
        format!("{}?sslmode=verify-full&sslrootcert={}", server.url(&database), file.display())
    };

    let store = open(&address("ours.pem", &ours), &new_keys()).await.unwrap();
    let tls = async |connection: &mut sqlx::PgConnection| {
        let used = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let used: bool = sqlx::query_scalar(used).fetch_one(connection).await.unwrap();
        Ok(used)
    };
    assert!(store.readers.with(tls).await.unwrap());

    let refused = open(&address("other.pem", &other), &new_keys()).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_worlds_on_one_database_see_each_others_changes_in_order() {
    let first = new_store().await;
    let second = open(&first.server.url(&first.database), &first.keys).await.unwrap();
    let worlds = [World::open(first.store.clone()).await.unwrap(), World::open(second).await.unwrap()];
    let mut tasks = tokio::task::JoinSet::new();
    for world in worlds.clone() {
        tasks.spawn(async move { world.follow().await });
    }

    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..6 {
        let world = worlds[writer % 2].clone();
        writers.spawn(async move {
            for round in 0..15 {
                let name = format!("w-{writer}");
                let changes = world.commit(set(vec![put(&name, round, Expect::Whatever)])).await.unwrap();
                assert!(world.now().revision >= changes[0].revision(), "who wrote sees it at once");
            }
        });
    }
    writers.join_all().await;

    for world in &worlds {
        world.subscribe().wait_for(|revision| *revision == 90).await.unwrap();
        let events = world.events(0, 1_000).unwrap();
        assert!(events.iter().map(|event| event.revision).eq(1..=90));
    }
    let objects = |world: &World| world.now().resources.iter().cloned().collect::<Vec<_>>();
    assert_eq!(objects(&worlds[0]), objects(&worlds[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_not_notified_looks_for_itself() {
    let first = new_store().await;
    let world = World::open(first.store.clone()).await.unwrap();
    let following = world.clone();
    let task = tokio::spawn(async move { following.follow().await });
    first.store.listening.abort();

    let second = open(&first.server.url(&first.database), &first.keys).await.unwrap();
    second.commit(set(vec![put("a", 1, Expect::Absent)])).await.unwrap();

    world.subscribe().wait_for(|revision| *revision == 1).await.unwrap();
    assert!(world.following().borrow().failure.is_none());
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_went_back_in_time_is_noticed() {
    let first = new_store().await;
    for number in 0..3 {
        first.store.commit(set(vec![put("a", number, Expect::Whatever)])).await.unwrap();
    }
    let world = World::open(first.store.clone()).await.unwrap();
    first.server.sql(&first.database, "UPDATE selvedge.meta SET epoch = 1").await;

    let following = world.clone();
    let task = tokio::spawn(async move { following.follow().await });

    let mut told = world.following();
    let told = told.wait_for(|following| following.failure.is_some()).await.unwrap().clone();
    assert!(told.failure.unwrap().to_string().contains("gone back from revision 3 to 1"));
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_candidates_one_leads_and_what_an_old_leader_writes_is_refused() {
    let first = new_store().await;
    let second = open(&first.server.url(&first.database), &first.keys).await.unwrap();
    let (terms, mut begun) = tokio::sync::mpsc::channel(4);
    let mut candidates = Vec::new();
    for store in [first.store.clone(), second.clone()] {
        let (store, terms): (Arc<dyn Store>, _) = (store, terms.clone());
        let candidate = Candidate::new(store.clone(), "work", Duration::from_millis(900));
        candidates.push(tokio::spawn(async move {
            let work = |fence: Fence| {
                let (store, terms) = (store.clone(), terms.clone());
                async move {
                    let writes = vec![put("leader", fence.token as usize, Expect::Whatever)];
                    store.commit(ChangeSet { fence: Some(fence.clone()), ..set(writes) }).await.unwrap();
                    terms.send(fence).await.unwrap();
                    std::future::pending().await
                }
            };
            candidate.run(std::future::pending(), work).await;
        }));
    }

    let old = begun.recv().await.unwrap();
    // Which of the two leads is chance; when both are ended and one comes back, it does in a new term.
    candidates.iter().for_each(tokio::task::JoinHandle::abort);
    let next = Candidate::new(second.clone(), "work", Duration::from_secs(60));
    let mut leading = next.leading();
    let task =
        tokio::spawn(async move { next.run(std::future::pending(), |_| std::future::pending()).await });
    let new = leading.wait_for(Option::is_some).await.unwrap().clone().unwrap();

    assert!(new.token > old.token);
    let late = ChangeSet { fence: Some(old.clone()), ..set(vec![put("leader", 0, Expect::Whatever)]) };
    let refused = StoreError::Fenced { lease: "work".into(), token: old.token };
    assert_eq!(first.store.commit(late).await, Err(refused));
    task.abort();
}

#[tokio::test]
async fn what_is_acknowledged_is_on_the_disk_whatever_the_database_says_by_default() {
    for (default, ours) in [("off", "on"), ("remote_apply", "remote_apply")] {
        let server = Server::shared();
        let database = server.database().await;
        let alter = format!("ALTER DATABASE {database} SET synchronous_commit = {default}");
        server.sql("postgres", &alter).await;

        let store = open(&server.url(&database), &new_keys()).await.unwrap();

        let show = async |connection: &mut sqlx::PgConnection| {
            let setting: String =
                sqlx::query_scalar("SHOW synchronous_commit").fetch_one(connection).await.unwrap();
            Ok(setting)
        };
        assert_eq!(store.readers.with(show).await.unwrap(), ours);
    }
}
