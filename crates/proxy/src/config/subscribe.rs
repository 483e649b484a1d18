//! Follows a control plane, over whatever connections there are.
//!
//! One small thread keeps the connection, another puts updates into use; no worker takes part. When the connection is
//! lost nothing else happens: what is in use stays in use, and the next connection, to the next control plane of those
//! that are known, is tried after a random time that grows to a bound, so that three hundred proxies do not come back
//! in the same moment.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use discovery::client::Session;
use discovery::limits::MESSAGE_BYTES_MAX;
use discovery::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, STREAM_PATH};
use discovery::{Interest, Rejection, TokenFile};
use engine::mesh::addresses::ServiceBlock;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::cache::Cache;
use super::connect::{ControlAddress, Wire};
use super::following::{Following, LARGE_UPDATE, Order};
use super::progress::Progress;
use super::replica::Replica;
use super::report::Reporter;
use super::turns::Turns;
use crate::clock::Clock;
use crate::customers;
use crate::keeper::Keeper;
use crate::limits::{CONTROL_ACCEPT_SECONDS, CONTROL_RETRY_AFTER_SECONDS, CONTROL_RETRY_SECONDS};
use crate::proxy::{Bound, Proxy};
use crate::quotas::Borrowing;
use crate::shares::Sharing;
use crate::state::random::Random;
use crate::usage;

/// Bound of the first wait before a connection is tried again; it doubles with each one that fails.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Largest bound of a wait.
const RETRY_LAST: Duration = Duration::from_secs(CONTROL_RETRY_SECONDS as u64);
/// Longest time for a control plane to accept a stream. It may let us wait for our turn.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(CONTROL_ACCEPT_SECONDS as u64);
/// After which a large update is on the disk, and what it has left behind can be given back.
const KEPT_WITHIN: Duration = Duration::from_secs(1);
/// Metadata that says when to come again, in milliseconds.
const RETRY_AFTER: &str = "retry-after-ms";
/// Longest time to give quotas back at the end, and to tell what was used.
const LEFT_WITHIN: Duration = Duration::from_secs(2);
/// Longest time a control plane can send us away for.
const AWAY_FOR: Duration = Duration::from_secs(CONTROL_RETRY_AFTER_SECONDS as u64);

/// How to follow.
#[derive(Clone, Debug)]
pub struct SubscribeOptions {
    /// The name of this proxy, which no other proxy may have.
    pub name: String,
    /// The version of this program.
    pub version: String,
    /// Where control planes are, at least one; any of them will do.
    pub controls: Vec<ControlAddress>,
    /// What to show them, and how to know them.
    pub token: TokenFile,
    /// What to serve.
    pub serve: Interest,
    /// Where to keep the last good configuration; `None` for nowhere.
    pub cache: Option<PathBuf>,
    /// Where Gateways listen that name no address.
    pub bind: IpAddr,
    /// Where a sidecar opens the Services that its workload may call.
    pub services: ServiceBlock,
    /// Who keeps this proxy a member of its mesh, if it is to be one.
    pub keeper: Option<Arc<Keeper>>,
    /// What the stream shows of who we are.
    pub shows: OnStream,
}

/// What the stream shows of who we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStream {
    /// The token.
    #[default]
    Token,
    /// The certificate of the mesh, which the keeper keeps. Before there is one nobody is asked.
    Certificate,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// This control plane is connected.
    Connected(ControlAddress),
    /// It is not, or no longer; it is tried again.
    Lost {
        /// Why.
        problem: String,
        /// Whether trying again cannot help: somebody must act.
        is_final: bool,
    },
    /// An epoch is in use.
    Applied {
        /// Its number.
        epoch: u64,
        /// Whether anything is different.
        is_new: bool,
        /// Its age, when it came from the disk.
        cached_age: Option<Duration>,
        /// What could not be taken.
        rejections: Vec<Rejection>,
        /// Addresses that could not be bound.
        unbound: Vec<Bound>,
        /// From the last message to every worker having it.
        took: Duration,
    },
    /// The cache cannot be read or written.
    CacheUnusable(String),
}

/// Told of everything that happens, from several threads.
pub type Tell = Arc<dyn Fn(Event) + Send + Sync>;

/// A proxy that follows a control plane.
pub struct Subscription {
    stop: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    progress: Arc<Progress>,
}

impl Subscription {
    /// Starts. When it returns, what the cache held is in use; the control plane is connected to meanwhile. Must not be
    /// called from an asynchronous task.
    ///
    /// # Errors
    /// A thread or the cache is not to be had.
    pub fn start(proxy: &Arc<Proxy>, options: SubscribeOptions, tell: Tell) -> io::Result<Subscription> {
        let clock = Clock::start();
        let progress = begun(proxy, clock);
        let opened =
            options.cache.as_ref().map(|directory| Cache::open(directory, &options.serve)).transpose()?;
        let (cache, contents) =
            opened.map_or_else(Default::default, |(cache, contents)| (Some(cache), contents));
        let mut following = Following {
            proxy: proxy.clone(),
            replica: Replica::new(options.bind, &options.serve, options.services),
            cache,
            progress: progress.clone(),
            clock,
            tell: tell.clone(),
            keeper: options.keeper.clone(),
        };
        let (held, epoch) = following.begin(contents);
        let (orders, config) = following.start()?;
        let node = Node {
            id: options.name.clone(),
            user_agent_name: "selvedge".to_owned(),
            user_agent_version: options.version.clone(),
        };
        let asks = (options.name.clone(), options.serve.names());
        let quotas = proxy.quotas().clone();
        let borrowing = Borrowing::new(quotas.clone(), clock, asks.clone());
        let customers =
            customers::Following::begin(proxy, &progress, clock, asks.clone(), options.cache.as_deref())?;
        let sharing = Sharing::new(proxy.parties().clone(), clock, asks.clone());
        let usage = usage::Shipping::of(proxy, asks);
        let left = (quotas, usage.clone());
        let session = Session::new(node, options.serve.clone(), Replica::types(), held, epoch);
        let (stop, stopped) = oneshot::channel();
        let tls = tls(&options);
        let (applied, _) = watch::channel(epoch);
        let reporter = Reporter::new(&options, proxy.clone(), progress.clone(), clock);
        let mut subscriber = Subscriber {
            turns: Turns::new(&options.controls),
            options,
            session,
            tls,
            orders,
            progress: progress.clone(),
            clock,
            tell,
            applied,
            reporter,
            customers,
            borrowing,
            sharing,
            usage,
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connection = std::thread::Builder::new().name("discovery".into()).spawn(move || {
            runtime.block_on(async {
                let mut following = pin!(subscriber.follow());
                let leaving = async { tokio::join!(left.0.leave(), left.1.leave()) };
                tokio::select! {
                    () = &mut following => {}
                    // What nobody will spend any more is of use to other gateways, while the connection is there.
                    _ = stopped => drop(tokio::time::timeout(LEFT_WITHIN, leaving).await),
                }
            });
            // Its calls and connections end here; what waits in them is nobody's any more.
            runtime.shutdown_background();
        })?;
        Ok(Subscription { stop: Some(stop), threads: vec![connection, config], progress })
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Stops following; what is in use stays in use.
    pub fn stop(mut self) {
        drop(self.stop.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // One that panicked has said so already.
        }
    }
}

/// Where it is told how far a proxy is that has not found its control plane yet.
fn begun(proxy: &Proxy, clock: Clock) -> Arc<Progress> {
    let progress = Arc::new(Progress::default());
    progress.change(|state| state.lost = Some(clock.now()));
    proxy.shows(progress.clone());
    progress
}

/// What is shown on the way to the control plane, and who may answer.
fn tls(options: &SubscribeOptions) -> Arc<rustls::ClientConfig> {
    match (options.shows, &options.keeper) {
        (OnStream::Certificate, Some(keeper)) => {
            identity::pinned::member_config(options.token.authority, Arc::clone(keeper.member()))
        }
        (OnStream::Certificate, None) | (OnStream::Token, _) => {
            identity::pinned::client_config(options.token.authority)
        }
    }
}

struct Subscriber {
    turns: Turns,
    options: SubscribeOptions,
    session: Session,
    tls: Arc<rustls::ClientConfig>,
    orders: mpsc::Sender<Order>,
    progress: Arc<Progress>,
    clock: Clock,
    tell: Tell,
    /// The epoch in use, for the reports.
    applied: watch::Sender<u64>,
    reporter: Reporter,
    customers: customers::Following,
    borrowing: Borrowing,
    sharing: Sharing,
    usage: usage::Shipping,
}

/// Why a connection ended.
struct Ended {
    problem: String,
    is_final: bool,
    /// When the control plane wants to see us again.
    after: Option<Duration>,
}

impl From<Status> for Ended {
    fn from(status: Status) -> Ended {
        let after = status.metadata().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let codes = [Code::Unauthenticated, Code::PermissionDenied, Code::FailedPrecondition];
        let is_final = codes.contains(&status.code());
        Ended {
            problem: status.message().to_owned(),
            is_final,
            after: after.map(|after| Duration::from_millis(after).min(AWAY_FOR)),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended { problem: error.to_string(), is_final: false, after: None }
    }
}

impl From<discovery::client::Broken> for Ended {
    fn from(broken: discovery::client::Broken) -> Ended {
        Ended { problem: broken.to_string(), is_final: false, after: None }
    }
}

impl Subscriber {
    async fn follow(&mut self) {
        let random = Random::new();
        let mut bound = RETRY_FIRST;
        let mut told: Option<String> = None;
        loop {
            let mut worked = false;
            self.is_somebody().await;
            let Ended { problem, is_final, after } = match self.connect(&mut worked).await {
                Ok(()) => Ended { problem: "it ended the stream".to_owned(), is_final: false, after: None },
                Err(ended) => ended,
            };
            self.borrowing.quotas().cannot_ask();
            let now = self.clock.now();
            self.progress.change(|state| {
                if state.connected || state.lost.is_none() {
                    state.lost = Some(now);
                }
                state.connected = false;
            });
            if worked {
                self.turns.works();
                bound = RETRY_FIRST;
                told = None;
            }
            let all_failed = self.turns.fails();
            if told.as_ref() != Some(&problem) {
                (self.tell)(Event::Lost { problem: problem.clone(), is_final });
                told = Some(problem);
            }
            let wait = match after {
                Some(after) if all_failed => after + jitter(&random, after / 2),
                Some(_) | None => jitter(&random, bound),
            };
            if all_failed {
                bound = (bound * 2).min(RETRY_LAST);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits for what is to be shown: without it we would be refused.
    async fn is_somebody(&self) {
        if let (OnStream::Certificate, Some(keeper)) = (self.options.shows, &self.options.keeper) {
            let mut changes = keeper.member().watch();
            while keeper.member().standing().svid.is_none() && changes.changed().await.is_ok() {}
        }
    }

    /// One connection, to its end. Says whether a push came over it.
    async fn connect(&mut self, worked: &mut bool) -> Result<(), Ended> {
        let control = self.turns.current().clone();
        let wire = control.connect(&self.tls).await?;
        let (answers, mut responses) = self.open(&control, &wire).await?;
        let bearer = self.bearer()?;
        let customers = self.customers.clone().run(control.caller(wire.clone()), bearer.clone());
        let customers = Abort(tokio::spawn(customers));
        let borrowing = self.borrowing.clone().run(control.caller(wire.clone()), bearer.clone());
        let borrowing = Abort(tokio::spawn(borrowing));
        let sharing = self.sharing.clone().run(control.caller(wire.clone()), bearer.clone());
        let sharing = Abort(tokio::spawn(sharing));
        let usage = self.usage.clone().run(control.caller(wire.clone()), bearer.clone());
        let usage = Abort(tokio::spawn(usage));
        let reports = self.reporter.clone().run(control.caller(wire), bearer, self.applied.subscribe());
        let reports = Abort(tokio::spawn(reports));
        let mut connected = false;
        while let Some(response) = responses.message().await? {
            if !connected {
                connected = true;
                self.progress.change(|state| {
                    state.connected = true;
                    state.lost = None;
                });
                (self.tell)(Event::Connected(control.clone()));
            }
            let Some(update) = self.session.receive(response)? else { continue };
            let is_large = update.put.len() + update.removed.len() >= LARGE_UPDATE;
            let rejections = self.put_into_use(update).await?;
            let epoch = self.session.epoch();
            for answer in self.session.applied(&rejections) {
                if answers.send(answer).await.is_err() {
                    return Ok(());
                }
            }
            self.applied.send_replace(self.session.epoch().max(epoch));
            if is_large {
                // The other thread is still writing to the disk what this one has allocated.
                tokio::spawn(async {
                    tokio::time::sleep(KEPT_WITHIN).await;
                    os::give_back_heap();
                });
            }
            *worked = true;
        }
        drop((reports, customers, borrowing, sharing, usage));
        Ok(())
    }

    async fn put_into_use(&mut self, update: discovery::client::Update) -> Result<Vec<Rejection>, Ended> {
        let (done, answered) = oneshot::channel();
        let gone = || Ended {
            problem: "the thread that applies it has ended".to_owned(),
            is_final: true,
            after: None,
        };
        self.orders.send(Order { update, done }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    async fn open(
        &mut self,
        control: &ControlAddress,
        wire: &Wire,
    ) -> Result<(mpsc::Sender<DeltaDiscoveryRequest>, Streaming<DeltaDiscoveryResponse>), Ended> {
        let first = self.session.open();
        let (answers, requests) = mpsc::channel(first.len().max(1));
        for request in first {
            // There is room for all of them.
            let _ = answers.try_send(request);
        }
        let mut request = Request::new(ReceiverStream::new(requests));
        if let Some(bearer) = self.bearer()? {
            request.metadata_mut().insert("authorization", bearer);
        }
        let mut caller = control.caller(wire.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let path = http::uri::PathAndQuery::from_static(STREAM_PATH);
        let accepted = async {
            caller.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            caller.streaming(request, path, ProstCodec::default()).await
        };
        let late = |_| Status::deadline_exceeded("it did not accept the stream in time");
        let response = tokio::time::timeout(ACCEPTED_WITHIN, accepted).await.map_err(late)??;
        Ok((answers, response.into_inner()))
    }

    /// What is shown beside the connection; nothing where that shows who we are.
    fn bearer(&self) -> Result<Option<MetadataValue<Ascii>>, Ended> {
        match self.options.shows {
            OnStream::Token => {}
            OnStream::Certificate => return Ok(None),
        }
        let text = format!("Bearer {}", self.options.token.token);
        let unsendable =
            |_| Ended { problem: "the token cannot be sent".to_owned(), is_final: true, after: None };
        let mut value: MetadataValue<Ascii> = text.parse().map_err(unsendable)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Ends a task with the connection it belongs to.
struct Abort(tokio::task::JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A random time up to a bound.
fn jitter(random: &Random, bound: Duration) -> Duration {
    let millis = u32::try_from(bound.as_millis()).unwrap_or(u32::MAX).max(1);
    Duration::from_millis(u64::from(random.below(millis)) + 1)
}
