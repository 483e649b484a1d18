//! What happens when the way to PostgreSQL is cut in each of the ways in which it can be: nothing that was
//! acknowledged is lost, nobody who follows misses a change, and every answer comes in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::server::{Server, Stop};
use super::tests::new_keys;
use super::{Patience, Postgres};
use crate::store::contract::{put, set};
use crate::store::keys::Keys;
use crate::store::{Change, Expect, Revision, Store, StoreError};
use crate::world::World;

/// Short, so that a test does not take long; the bounds are multiples of it.
const PATIENCE: Patience = Patience {
    transaction: Duration::from_secs(1),
    read: Duration::from_secs(1),
    load: Duration::from_secs(10),
    poll: Duration::from_millis(200),
};

/// What a busy machine may add to a bound.
const SLACK: Duration = Duration::from_secs(2);

const WRITERS: usize = 6;

async fn open(url: &str, keys: &Keys) -> Arc<Postgres> {
    Postgres::open(url, keys.clone(), PATIENCE).await.unwrap()
}

/// What a writer was told, in the order in which it asked: the first revision of a set of two writes, or a failure.
type Told = Vec<(String, Result<Revision, StoreError>)>;

/// Writers that write without end.
struct Pressure {
    stop: Arc<AtomicBool>,
    counts: watch::Sender<Counts>,
    writers: JoinSet<Told>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    acknowledged: usize,
    failed: usize,
}

impl Pressure {
    /// Half of the writers on each store.
    fn on(stores: [&Arc<Postgres>; 2]) -> Pressure {
        let mut pressure =
            Pressure { stop: Arc::default(), counts: watch::Sender::default(), writers: JoinSet::new() };
        for writer in 0..WRITERS {
            let store = stores[writer % 2].clone();
            let (stop, counts) = (pressure.stop.clone(), pressure.counts.clone());
            pressure.writers.spawn(write(store, writer, stop, counts));
        }
        pressure
    }

    async fn acknowledged(&self, more: usize) {
        let goal = self.counts.borrow().acknowledged + more;
        self.until(|counts| counts.acknowledged >= goal).await;
    }

    async fn failed(&self, more: usize) {
        let goal = self.counts.borrow().failed + more;
        self.until(|counts| counts.failed >= goal).await;
    }

    async fn until(&self, reached: impl Fn(&Counts) -> bool) {
        let mut counts = self.counts.subscribe();
        let wait = tokio::time::timeout(Duration::from_secs(60), counts.wait_for(reached)).await;
        wait.unwrap_or_else(|_| panic!("stuck at {:?}", self.counts.borrow())).unwrap();
    }

    async fn ended(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.join_all().await.into_iter().flatten().collect()
    }
}

async fn write(
    store: Arc<Postgres>,
    writer: usize,
    stop: Arc<AtomicBool>,
    counts: watch::Sender<Counts>,
) -> Told {
    let mut told = Told::new();
    while !stop.load(Ordering::Relaxed) {
        let name = format!("w-{writer}-{}", told.len());
        let writes = vec![put(&name, 0, Expect::Absent), put(&format!("{name}-twin"), 0, Expect::Absent)];
        let asked = Instant::now();

        let answer = store.commit(set(writes)).await;

        let took = asked.elapsed();
        assert!(took <= PATIENCE.transaction * 2 + SLACK, "an answer took {took:?}: {answer:?}");
        let answer = answer.map(|changes| changes[0].revision());
        assert!(
            !matches!(answer, Err(StoreError::Broken(_))),
            "a fault that passes was taken for one that stays: {answer:?}"
        );
        counts.send_modify(|counts| match &answer {
            Ok(_) => counts.acknowledged += 1,
            Err(_) => counts.failed += 1,
        });
        told.push((name, answer));
    }
    told
}

/// A world that follows its store in the background.
struct Follower {
    world: Arc<World>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    async fn of(store: &Arc<Postgres>) -> Follower {
        let world = World::open(store.clone()).await.unwrap();
        let task = tokio::spawn({
            let world = world.clone();
            async move { world.follow().await }
        });
        Follower { world, task }
    }

    /// Waits until it knows everything, and returns the names it has seen written, in order.
    async fn names(self, epoch: Revision) -> Vec<String> {
        let mut revision = self.world.subscribe();
        let caught_up = revision.wait_for(|revision| *revision >= epoch);
        tokio::time::timeout(Duration::from_secs(30), caught_up).await.expect("it catches up").unwrap();
        self.task.abort();
        let events = self.world.events(0, usize::MAX).unwrap();
        assert!(events.iter().map(|event| event.revision).eq(1..=epoch), "a change was missed or seen twice");
        events.iter().map(|event| event.after.as_ref().unwrap().key.name.to_string()).collect()
    }
}

/// Nothing acknowledged is lost, no set is half there, and followers have seen it all in order.
async fn check(store: &Arc<Postgres>, told: Told, followers: Vec<Follower>) {
    let changes = store.changes(0, 1_000_000).await.unwrap();
    let epoch = store.epoch().await.unwrap();
    assert!(changes.iter().map(Change::revision).eq(1..=epoch), "the sequence has gaps");
    let names: Vec<String> = changes.iter().map(|change| change.key().name.to_string()).collect();
    for pair in names.chunks(2) {
        assert_eq!(format!("{}-twin", pair[0]), pair[1], "a set is torn");
    }
    for (name, answer) in &told {
        if let Ok(revision) = answer {
            assert_eq!(
                &names[usize::try_from(*revision).unwrap() - 1],
                name,
                "an acknowledged write is lost"
            );
        }
    }
    for follower in followers {
        assert_eq!(follower.names(epoch).await, names);
    }
}

async fn terminate_all(connection: &mut PgConnection, database: &str) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
    )
    .bind(database)
    .execute(connection)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_terminated_in_the_middle_lose_nothing() {
    let server = Server::shared();
    let (database, keys) = (server.database().await, new_keys());
    let stores =
        [open(&server.url(&database), &keys).await, open(&server.socket_url(&database), &keys).await];
    let followers = vec![Follower::of(&stores[0]).await, Follower::of(&stores[1]).await];
    let mut administrator = server.connect("postgres").await;
    let pressure = Pressure::on([&stores[0], &stores[1]]);

    for round in 0..20 {
        pressure.acknowledged(round % 4).await;
        terminate_all(&mut administrator, &database).await;
    }
    pressure.acknowledged(20).await;

    let told = pressure.ended().await;
    assert!(told.iter().any(|(_, answer)| answer.is_err()), "nothing was hit, so nothing was shown");
    check(&stores[0], told, followers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_and_started_loses_nothing() {
    let server = Server::start();
    let (database, keys) = (server.database().await, new_keys());
    let stores = [open(&server.url(&database), &keys).await, open(&server.url(&database), &keys).await];
    let followers = vec![Follower::of(&stores[0]).await, Follower::of(&stores[1]).await];
    let pressure = Pressure::on([&stores[0], &stores[1]]);

    for how in [Stop::Immediate, Stop::Fast] {
        pressure.acknowledged(20).await;
        let stopping = server.clone();
        tokio::task::spawn_blocking(move || stopping.down(how)).await.unwrap();
        pressure.failed(WRITERS).await;
        let mut following = followers[0].world.following();
        let failing = following.wait_for(|following| following.failure.is_some()).await.unwrap().clone();
        assert!(matches!(failing.failure, Some(StoreError::Unavailable(_))), "{failing:?}");
        let starting = server.clone();
        tokio::task::spawn_blocking(move || starting.up()).await.unwrap();
        let well = following.wait_for(|following| following.failure.is_none()).await.unwrap().clone();
        assert!(well.complete > failing.complete, "how long it was behind can be seen");
    }
    pressure.acknowledged(20).await;

    let told = pressure.ended().await;
    check(&stores[0], told, followers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_goes_silent_delays_answers_no_longer_than_promised_and_loses_nothing() {
    let server = Server::shared();
    let (database, keys) = (server.database().await, new_keys());
    let way = Way::to(server.port()).await;
    let through = server.url(&database).replace(&server.port().to_string(), &way.port.to_string());
    let stores = [open(&through, &keys).await, open(&server.url(&database), &keys).await];
    let followers = vec![Follower::of(&stores[0]).await, Follower::of(&stores[1]).await];
    let pressure = Pressure::on([&stores[0], &stores[1]]);

    for _ in 0..2 {
        pressure.acknowledged(20).await;
        way.go_silent();
        pressure.failed(WRITERS).await;
        // The server gives up on the silent one too, and with it on the lock that everybody needs.
        pressure.acknowledged(20).await;
        let mut following = followers[0].world.following();
        following.wait_for(|following| following.failure.is_some()).await.unwrap();
        way.open_again();
        following.wait_for(|following| following.failure.is_none()).await.unwrap();
    }
    pressure.acknowledged(20).await;

    let told = pressure.ended().await;
    check(&stores[0], told, followers).await;
}

/// A way to the server on which everything can be made to vanish without a word.
struct Way {
    port: u16,
    /// Connections of an odd turn carry nothing, and those of a turn that is over never will again.
    turn: watch::Sender<u32>,
}

impl Way {
    async fn to(port: u16) -> Way {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Way { port: door.local_addr().unwrap().port(), turn: watch::Sender::new(0) };
        let turn = way.turn.subscribe();
        tokio::spawn(async move {
            loop {
                let (client, _) = door.accept().await.unwrap();
                tokio::spawn(carry(client, port, turn.clone()));
            }
        });
        way
    }

    fn go_silent(&self) {
        self.turn.send_modify(|turn| *turn += 1);
    }

    fn open_again(&self) {
        self.turn.send_modify(|turn| *turn += 1);
    }
}

async fn carry(mut client: TcpStream, port: u16, mut turn: watch::Receiver<u32>) {
    let mine = *turn.borrow_and_update();
    let mut server = None;
    if mine.is_multiple_of(2) {
        let server = server.insert(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        tokio::select! {
            _ended = tokio::io::copy_bidirectional(&mut client, server) => return,
            _silent = turn.wait_for(|turn| *turn != mine) => {}
        }
    }
    // Both sides stay open and hear nothing any more, until the test is over.
    let _ended = turn.wait_for(|_| false).await;
    drop((client, server));
}
