//! A hundred times, a process is killed in the middle of writing (`kill -9`): what it said it had written is there,
//! and no change set is there by half.
//!
//! The process is this test binary once more, asked for one test only, which writes and says so until it dies.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::contract::{put, set};
use super::keys::Keys;
use super::postgres::server::Server;
use super::postgres::{Patience, Postgres};
use super::sqlite::Sqlite;
use super::{Change, Expect, Revision, Store, StoreError};

const KILLS: usize = 100;

/// How many write at the same time in the process.
const WRITERS: usize = 4;

/// Where the process writes: the folder with the keys, and behind a space the address of a database if there is one.
const PLACE: &str = "SELVEDGE_TEST_STORE";

/// How often, and how long after each other, the lock of a file is tried: 20 s.
const LOCK_TRIES: usize = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What it says before the name and the revision of a set that was acknowledged.
const SAID: &str = "acknowledged ";

async fn open(place: &str) -> Arc<dyn Store> {
    let (folder, url) = place.split_once(' ').unwrap_or((place, ""));
    let keys = Keys::open(&Path::new(folder).join("store.keys")).unwrap();
    if url.is_empty() {
        let opened = open_file(&Path::new(folder).join("store.db"), keys).await;
        assert_eq!(opened.set_aside, None, "a kill damaged the file");
        return opened.store;
    }
    Postgres::open(url, keys, Patience::default()).await.unwrap()
}

/// A process that another test of this binary is just starting holds what this process has open until it becomes the
/// other program, the lock on the file included: so it may be held a moment longer than by its holder.
async fn open_file(path: &Path, keys: Keys) -> super::sqlite::Opened {
    for _ in 0..LOCK_TRIES {
        match Sqlite::open(path, keys.clone()).await {
            Err(StoreError::Broken(why)) if why.contains("another process has it open") => {
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the lock was never given up");
}

#[test]
#[ignore = "the other tests of this file start it in a process of its own"]
fn writes_until_it_is_killed() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&place).await;
        let process = std::process::id();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(store.clone(), format!("p-{process}-{writer}")));
        }
        writers.join_all().await;
    });
}

async fn write(store: Arc<dyn Store>, writer: String) {
    for number in 0.. {
        let name = format!("{writer}-{number}");
        let twin = format!("{name}-twin");
        let mut secret = super::contract::object(&twin, number);
        secret.key.kind = "Secret".into();
        let secret = super::Write::Put { object: secret, expect: Expect::Absent };
        let changes = store.commit(set(vec![put(&name, number, Expect::Absent), secret])).await.unwrap();
        // One write to a pipe of less than a page is whole or not there.
        let line = format!("{SAID}{name} {}\n", changes[0].revision());
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

/// The process, and what it said so far.
struct Writing {
    process: Child,
    said: BufReader<ChildStdout>,
    acknowledged: Vec<(String, Revision)>,
}

impl Writing {
    fn start(place: &str) -> Writing {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::kills::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(PLACE, place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Writing { process, said, acknowledged: Vec::new() }
    }

    /// Waits for so many acknowledgements, kills it, and returns all that it had said.
    fn killed_after(mut self, count: usize) -> Vec<(String, Revision)> {
        while self.acknowledged.len() < count {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "the process ended by itself");
            self.hear(&line);
        }
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        for line in rest.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            self.hear(line);
        }
        self.acknowledged
    }

    fn hear(&mut self, line: &str) {
        if let Some((_, what)) = line.split_once(SAID) {
            let (name, revision) = what.trim().split_once(' ').unwrap();
            self.acknowledged.push((name.to_owned(), revision.parse().unwrap()));
        }
    }
}

/// Kills again and again, and looks each time whether all is well.
fn kill_and_look(place: &str) {
    let mut known = 0;
    let mut unacknowledged = 0;
    for round in 0..KILLS {
        let acknowledged = Writing::start(place).killed_after(1 + round * 7 % 31);
        // A runtime of its own: when it ends, so has everything that the store was doing.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let changes = runtime.block_on(look(place, known));
        let names: HashMap<Revision, String> =
            changes.iter().map(|change| (change.revision(), change.key().name.to_string())).collect();
        for (name, revision) in &acknowledged {
            assert_eq!(names.get(revision), Some(name), "round {round}: an acknowledged write is lost");
        }
        unacknowledged += changes.len() / 2 - acknowledged.len();
        known += changes.len() as Revision;
    }
    println!(
        "{KILLS} kills, {known} writes, {unacknowledged} sets written whose acknowledgement was not heard"
    );
}

/// What was written since, after looking whether it is whole.
async fn look(place: &str, known: Revision) -> Vec<Change> {
    let store = open(place).await;
    let changes = store.changes(known, usize::MAX >> 1).await.unwrap();
    let (epoch, objects) = store.load().await.unwrap();
    assert!(changes.iter().map(Change::revision).eq(known + 1..=epoch), "the sequence has gaps");
    assert_eq!(objects.len() as Revision, epoch, "each write made an object");
    for pair in changes.chunks(2) {
        let names = [pair[0].key().name.as_str(), pair[1].key().name.as_str()];
        assert_eq!(format!("{}-twin", names[0]), names[1], "a set is torn");
    }
    changes
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_acknowledged_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();

    kill_and_look(folder.path().to_str().unwrap());
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_acknowledged_in_postgres() {
    let server = Server::shared();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(server.database());

    kill_and_look(&format!("{} {}", folder.path().display(), server.url(&database)));
}
