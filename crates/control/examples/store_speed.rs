//! How many durable writes a second a store takes, and how long one takes that comes alone.
//!
//! `cargo run --release --example store_speed -- [postgres://user@host/database]`; without an address, SQLite in a new
//! folder below the present one (a folder in memory would measure nothing).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use control::store::keys::Keys;
use control::store::postgres::{Patience, Postgres};
use control::store::sqlite::Sqlite;
use control::store::{ChangeSet, Expect, Object, Store, Write};
use model::ResourceKey;
use tokio::time::Instant;

/// Writers at the same time, from alone to many.
const WRITERS: [usize; 4] = [1, 4, 16, 64];

/// How long each measurement takes.
const TAKES: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let folder = tempfile::Builder::new().prefix("store-speed-").tempdir_in(".").expect("a folder");
    let store = open(folder.path(), std::env::args().nth(1)).await;
    println!("writers  sets/s   p50      p99      slowest");
    for writers in WRITERS {
        measure(&store, writers).await;
    }
}

async fn open(folder: &Path, url: Option<String>) -> Arc<dyn Store> {
    let keys = Keys::open(&folder.join("store.keys")).expect("keys");
    match url {
        Some(url) => Postgres::open(&url, keys, Patience::default()).await.expect("the database opens"),
        None => Sqlite::open(&folder.join("store.db"), keys).await.expect("the file opens").store,
    }
}

async fn measure(store: &Arc<dyn Store>, writers: usize) {
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        tasks.spawn(write(store.clone(), writer, begun + TAKES));
    }
    let mut took: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!("{writers:7}  {rate:6.0}  {:6.2}ms {:6.2}ms {:7.2}ms", at(0.5), at(0.99), at(1.0));
}

/// Writes objects of about two kilobytes, one set after the other.
async fn write(store: Arc<dyn Store>, writer: usize, until: Instant) -> Vec<Duration> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let asked = Instant::now();
        let object = route(&format!("w-{writer}-{}", took.len() % 500));
        let writes = vec![Write::Put { object, expect: Expect::Whatever }];
        store.commit(ChangeSet { writes, ..ChangeSet::default() }).await.expect("it is written");
        took.push(asked.elapsed());
    }
    took
}

fn route(name: &str) -> Object {
    let key = ResourceKey {
        group: "gateway.networking.k8s.io".into(),
        kind: "HTTPRoute".into(),
        namespace: Some("shop".parse().expect("a namespace")),
        name: name.parse().expect("a name"),
    };
    let json = format!(r#"{{"metadata":{{"name":"{name}"}},"spec":"{}"}}"#, "x".repeat(2_000));
    Object { key, uid: "uid".into(), revision: 0, json: json.into(), source: None }
}
