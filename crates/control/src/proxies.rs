//! The proxies that are alive, what each runs on, and how its routes do.
//!
//! In memory only: what a proxy says is true for as long as its lease, and a control plane that begins anew is told
//! again within seconds. A proxy that stops reporting is gone, whatever it was doing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use discovery::limits::{CALLERS_REPORTED_MAX, LEASE, REPORT_EVERY, ROUTES_REPORTED_MAX};
use discovery::object::TypeName;
use discovery::reports::{self, Caller, DURATION_BUCKETS, DURATION_FIRST_EXPONENT, Report, Route};
use discovery::{Interest, ObjectName, Rejection, Version};
use engine::config::BindAddress;
use model::units::Moment;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::revocations::Revocations;
use crate::status::BindResult;
use crate::view::Views;

/// Most proxies that are known at once. Past it a new one is refused.
pub const PROXIES_MAX: usize = 10_000;
/// Reports of a proxy from which its rates are made.
const REPORTS_KEPT: usize = 5;
/// How long a proxy that was lost is remembered, so that people see which one is missing.
const LOST_KEPT: Duration = Duration::from_secs(600);
/// Over how much time rates are taken, when a proxy has reported for so long.
pub const RATES_OVER: Duration = Duration::from_secs(REPORT_EVERY.as_secs() * REPORTS_KEPT as u64);

/// One live proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its name.
    pub name: Arc<str>,
    /// Who it showed to be.
    pub peer: Arc<str>,
    /// Its version.
    pub version: String,
    /// What it serves.
    pub interest: Interest,
    /// The epoch in use; 0 for none.
    pub epoch: u64,
    /// When that was put into use, as far as it told.
    pub since: Instant,
    /// Whether it runs on what its disk held, unconfirmed.
    pub from_cache: bool,
    /// What became of its addresses.
    pub bound: Vec<BindResult>,
    /// What it could not take.
    pub rejected: Vec<Rejection>,
    /// Open connections of clients.
    pub connections: u64,
    /// When its process began.
    pub started: Instant,
    /// Certificates in use although expired or not yet valid.
    pub warnings: Vec<String>,
    /// When it was last heard of.
    pub heard: Instant,
    /// The certificate by which it is known in the mesh, if it is a member.
    pub certificate: Option<HeldCertificate>,
    /// Whether the application beside it can serve; `None` where there is none, or none is asked.
    pub application_ready: Option<bool>,
    /// The last change of customers in force; `None` where none are known.
    pub customers: Option<u64>,
}

/// What is known of the proxy beside a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// `namespace/name` of the Workload.
    pub workload: Arc<str>,
    /// Who the proxy showed to be.
    pub peer: Arc<str>,
    /// The epoch in use; 0 for none.
    pub epoch: u64,
    /// Whether the application can serve; `None` where none is asked.
    pub application_ready: Option<bool>,
    /// When it was last heard of.
    pub heard: Instant,
    /// Whether its lease has not ended.
    pub is_live: bool,
}

impl Beside {
    /// When it was last heard of, by a clock that shows `wall` at `now`.
    #[must_use]
    pub fn heard_at(&self, now: Instant, wall: Moment) -> Moment {
        let ago = now.saturating_duration_since(self.heard).as_secs();
        Moment(wall.0.saturating_sub(i64::try_from(ago).unwrap_or(i64::MAX)))
    }
}

/// The certificate that a member shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCertificate {
    /// Who it says the proxy is.
    pub identity: Arc<str>,
    /// Key identifier of its issuer.
    pub issuer: Arc<str>,
    /// Its last moment.
    pub not_after: Moment,
    /// Why the last attempt to renew it failed; empty when it did not.
    pub problem: String,
}

impl Proxy {
    /// Whether its lease has not ended.
    #[must_use]
    pub fn is_live(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) < LEASE
    }
}

/// How one route does, over the last seconds and all proxies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rate {
    /// Requests a second.
    pub requests: f64,
    /// Those of them that were answered with 5xx, a second.
    pub errors: f64,
    /// Half of the requests took no longer.
    pub p50: Duration,
    /// Ninety-nine of a hundred took no longer.
    pub p99: Duration,
}

/// What one member of the mesh does at one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// `namespace/name` of the Workload.
    pub workload: Arc<str>,
    /// SPIFFE ID of the caller, as its certificate proved it.
    pub identity: String,
    /// Requests a second.
    pub requests: f64,
    /// Those of them that were answered with 5xx, a second.
    pub errors: f64,
    /// Whether a connection of it is open.
    pub is_connected: bool,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Programmed {
    /// Proxies that run on everything that concerns them.
    pub current: usize,
    /// Proxies that are alive.
    pub live: usize,
}

/// Why a report is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another live proxy has this name.
    #[error("a proxy called `{0}` is alive and showed another token; give this one another name with --name")]
    Taken(Arc<str>),
    /// There are too many.
    #[error("more than {PROXIES_MAX} proxies are alive")]
    TooMany,
    /// A proxy without a name.
    #[error("a proxy must say its name")]
    Nameless,
}

/// The live proxies.
#[derive(Debug)]
pub struct Proxies {
    table: Mutex<BTreeMap<Arc<str>, Entry>>,
    revocations: Mutex<Revocations>,
    changed: watch::Sender<u64>,
    joined: watch::Sender<u64>,
}

#[derive(Debug)]
struct Entry {
    proxy: Proxy,
    reports: VecDeque<Counted>,
    /// What it has told of revocations.
    revoked: Revocations,
}

/// What one report has counted.
#[derive(Debug)]
struct Counted {
    interval: Duration,
    routes: Vec<Route>,
    callers: Vec<Caller>,
}

impl Default for Proxies {
    fn default() -> Self {
        Proxies {
            table: Mutex::default(),
            revocations: Mutex::default(),
            changed: watch::Sender::new(0),
            joined: watch::Sender::new(0),
        }
    }
}

impl Proxies {
    /// Takes in a report.
    ///
    /// # Errors
    /// See [`Refused`]; nothing has changed then.
    pub fn report(&self, peer: &Arc<str>, report: Report, now: Instant) -> Result<(), Refused> {
        let mut table = self.lock();
        make_room(&mut table, now);
        let name: Arc<str> = report.proxy.as_str().into();
        let known = table.get(&name).filter(|known| known.proxy.is_live(now));
        match known {
            _ if name.is_empty() => return Err(Refused::Nameless),
            Some(known) if known.proxy.peer != *peer => return Err(Refused::Taken(name)),
            None if table.len() >= PROXIES_MAX => return Err(Refused::TooMany),
            Some(_) | None => {}
        }
        let is_known = known.is_some();
        let before = table.remove(&name).filter(|_| is_known);
        let revoked = self.revoked(before.as_ref(), report.customers.as_ref());
        let mut reports = before.map(|entry| entry.reports).unwrap_or_default();
        let interval = Duration::from_millis(report.interval_ms);
        let (proxy, mut routes, mut callers) = proxy(name.clone(), peer.clone(), report, now);
        routes.truncate(ROUTES_REPORTED_MAX);
        callers.truncate(CALLERS_REPORTED_MAX);
        reports.push_back(Counted { interval, routes, callers });
        if reports.len() > REPORTS_KEPT {
            reports.pop_front();
        }
        table.insert(name, Entry { proxy, reports, revoked });
        drop(table);
        self.changed.send_modify(|count| *count += 1);
        if !is_known {
            self.joined.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// Adds what a proxy tells of revocations. What it had counted before it was heard of first is no news.
    fn revoked(&self, before: Option<&Entry>, told: Option<&reports::Customers>) -> Revocations {
        let now = told.map(|told| Revocations::told(&told.revocations)).unwrap_or_default();
        if let Some(before) = before {
            let mut sum = self.revocations.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(&before.revoked, &now);
        }
        now
    }

    /// How soon revocations were in force at gateways, since this control plane began.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        *self.revocations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The proxies whose lease has not ended.
    #[must_use]
    pub fn live(&self, now: Instant) -> Vec<Proxy> {
        let table = self.lock();
        let live = table.values().filter(|entry| entry.proxy.is_live(now));
        live.map(|entry| entry.proxy.clone()).collect()
    }

    /// How many live proxies serve the same.
    #[must_use]
    pub fn serving(&self, interest: &Interest, now: Instant) -> usize {
        let table = self.lock();
        let proxies = table.values().map(|entry| &entry.proxy);
        proxies.filter(|proxy| proxy.is_live(now) && proxy.interest == *interest).count()
    }

    /// The live proxies, and those that were lost a while ago.
    #[must_use]
    pub fn known(&self, now: Instant) -> Vec<Proxy> {
        let mut table = self.lock();
        forget(&mut table, now);
        table.values().map(|entry| entry.proxy.clone()).collect()
    }

    /// The proxies beside workloads: those that are alive, and those that were lost a while ago.
    #[must_use]
    pub fn beside(&self, now: Instant) -> Vec<Beside> {
        let table = self.lock();
        let beside = table.values().filter_map(|Entry { proxy, .. }| match &proxy.interest {
            Interest::Workload(workload) => Some(Beside {
                workload: workload.clone(),
                peer: proxy.peer.clone(),
                epoch: proxy.epoch,
                application_ready: proxy.application_ready,
                heard: proxy.heard,
                is_live: proxy.is_live(now),
            }),
            Interest::All | Interest::Gateways(_) => None,
        });
        beside.collect()
    }

    /// How many of the live proxies run on everything that concerns them. Ask once [`Views::revision`] has reached the
    /// change in question.
    #[must_use]
    pub fn programmed(&self, views: &Views, now: Instant) -> Programmed {
        let live = self.live(now);
        let is_current = |proxy: &&Proxy| {
            views.epoch_of(&proxy.interest).is_some_and(|epoch| proxy.epoch >= epoch) && !proxy.from_cache
        };
        Programmed { current: live.iter().filter(is_current).count(), live: live.len() }
    }

    /// How routes do, by `namespace/name`; the empty name is of requests that no route matched.
    #[must_use]
    pub fn rates(&self, now: Instant) -> BTreeMap<String, Rate> {
        let table = self.lock();
        let mut sums: HashMap<&str, Sum> = HashMap::new();
        for entry in table.values().filter(|entry| entry.proxy.is_live(now)) {
            let seconds = entry.seconds();
            if seconds <= 0.0 {
                continue;
            }
            for route in entry.reports.iter().flat_map(|counted| &counted.routes) {
                sums.entry(&route.route).or_default().add(route, seconds);
            }
        }
        sums.into_iter().map(|(route, sum)| (route.to_owned(), sum.rate())).collect()
    }

    /// Who has called the workloads behind live proxies in the last seconds, or is connected to them.
    #[must_use]
    pub fn callers(&self, now: Instant) -> Vec<Called> {
        let table = self.lock();
        let live = table.values().filter(|entry| entry.proxy.is_live(now));
        live.flat_map(Entry::called).collect()
    }

    /// A sign whenever a proxy has reported.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// A sign whenever a proxy has reported that was not alive before.
    #[must_use]
    pub fn joined(&self) -> watch::Receiver<u64> {
        self.joined.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Entry>> {
        // Nothing that runs under the lock panics half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The time over which its reports have counted.
    fn seconds(&self) -> f64 {
        self.reports.iter().map(|counted| counted.interval.as_secs_f64()).sum()
    }

    fn called(&self) -> Vec<Called> {
        let Interest::Workload(workload) = &self.proxy.interest else { return Vec::new() };
        let seconds = self.seconds();
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let mut callers: BTreeMap<&str, Called> = BTreeMap::new();
        for (number, counted) in self.reports.iter().rev().enumerate() {
            for caller in &counted.callers {
                let called = callers.entry(&caller.identity).or_insert_with(|| Called {
                    workload: workload.clone(),
                    identity: caller.identity.clone(),
                    requests: 0.0,
                    errors: 0.0,
                    is_connected: false,
                });
                called.requests += per_second(caller.requests);
                called.errors += per_second(caller.errors);
                // Only the latest report knows what is open now.
                called.is_connected |= number == 0 && caller.is_connected;
            }
        }
        let is_live = |called: &Called| called.is_connected || called.requests > 0.0;
        callers.into_values().filter(is_live).collect()
    }
}

fn forget(table: &mut BTreeMap<Arc<str>, Entry>, now: Instant) {
    table.retain(|_, entry| now.saturating_duration_since(entry.proxy.heard) < LOST_KEPT);
}

/// Those that were lost never keep a live one out.
fn make_room(table: &mut BTreeMap<Arc<str>, Entry>, now: Instant) {
    forget(table, now);
    if table.len() >= PROXIES_MAX {
        table.retain(|_, entry| entry.proxy.is_live(now));
    }
}

fn proxy(name: Arc<str>, peer: Arc<str>, report: Report, now: Instant) -> (Proxy, Vec<Route>, Vec<Caller>) {
    let ago = |milliseconds| now.checked_sub(Duration::from_millis(milliseconds)).unwrap_or(now);
    let Report { proxy: _, version, epoch, epoch_age_ms, from_cache, bound, rejected, .. } = report;
    let Report { routes, interval_ms: _, serves, uptime_ms, connections, warnings, certificate, .. } = report;
    let Report { application_ready, callers, customers, .. } = report;
    let bound = bound.into_iter().filter_map(|bound| {
        let address = BindAddress { ip: bound.ip.parse().ok()?, port: u16::try_from(bound.port).ok()? };
        Some(BindResult { address, error: (!bound.error.is_empty()).then_some(bound.error) })
    });
    let rejected = rejected.into_iter().map(|rejected| Rejection {
        object: ObjectName { of: TypeName::new(&rejected.type_name), name: rejected.name.into() },
        version: Version::stated(&rejected.version),
        problem: rejected.problem,
    });
    let proxy = Proxy {
        name,
        peer,
        version,
        interest: Interest::of_names(&serves),
        epoch,
        since: ago(epoch_age_ms),
        from_cache,
        bound: bound.collect(),
        rejected: rejected.collect(),
        connections,
        started: ago(uptime_ms),
        warnings,
        heard: now,
        certificate: certificate.map(|held| HeldCertificate {
            identity: held.identity.into(),
            issuer: held.issuer.into(),
            not_after: Moment(i64::try_from(held.not_after).unwrap_or(i64::MAX)),
            problem: held.problem,
        }),
        application_ready,
        customers: customers.map(|customers| customers.epoch),
    };
    (proxy, routes, callers)
}

/// A route, added up.
#[derive(Default)]
struct Sum {
    requests: f64,
    errors: f64,
    durations: [u64; DURATION_BUCKETS],
}

impl Sum {
    fn add(&mut self, route: &Route, seconds: f64) {
        self.requests += route.requests as f64 / seconds;
        self.errors += route.errors as f64 / seconds;
        for (sum, count) in self.durations.iter_mut().zip(&route.durations) {
            *sum = sum.saturating_add(*count);
        }
    }

    fn rate(&self) -> Rate {
        Rate {
            requests: self.requests,
            errors: self.errors,
            p50: self.quantile(0.5),
            p99: self.quantile(0.99),
        }
    }

    /// The upper bound of the bucket in which the quantile lies.
    fn quantile(&self, share: f64) -> Duration {
        let total: u64 = self.durations.iter().sum();
        let wanted = ((total as f64) * share).ceil() as u64;
        let mut seen = 0;
        for (exponent, count) in (DURATION_FIRST_EXPONENT..).zip(&self.durations) {
            seen += count;
            if seen >= wanted && total > 0 {
                return Duration::from_micros(1 << exponent);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, epoch: u64) -> Report {
        Report {
            proxy: name.to_owned(),
            epoch,
            interval_ms: 2_000,
            serves: vec!["*".to_owned()],
            ..Report::default()
        }
    }

    fn counted(requests: u64, errors: u64, bucket: usize) -> Route {
        let mut durations = vec![0; DURATION_BUCKETS];
        durations[bucket] = requests;
        Route { route: "shop/cart".to_owned(), requests, errors, durations }
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_that_stops_reporting_is_gone_with_its_lease() {
        let proxies = Proxies::default();
        proxies.report(&"peer".into(), report("one", 3), Instant::now()).expect("taken");

        tokio::time::advance(LEASE - Duration::from_millis(1)).await;
        assert_eq!(proxies.live(Instant::now()).len(), 1);

        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(proxies.live(Instant::now()).is_empty());
        assert_eq!(proxies.known(Instant::now()).len(), 1, "people still see which one is missing");

        tokio::time::advance(LOST_KEPT - LEASE).await;
        assert!(proxies.known(Instant::now()).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn proxies_that_were_lost_keep_no_live_one_out() {
        let proxies = Proxies::default();
        for number in 0..PROXIES_MAX {
            let report = report(&format!("edge-{number}"), 1);
            proxies.report(&"peer".into(), report, Instant::now()).expect("taken");
        }
        assert_eq!(
            proxies.report(&"peer".into(), report("one more", 1), Instant::now()),
            Err(Refused::TooMany)
        );

        tokio::time::advance(LEASE).await;
        assert_eq!(proxies.report(&"peer".into(), report("one more", 1), Instant::now()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_belongs_to_who_has_it_while_it_lives() {
        let (proxies, now) = (Proxies::default(), Instant::now());
        proxies.report(&"one".into(), report("edge", 3), now).expect("taken");

        assert_eq!(
            proxies.report(&"other".into(), report("edge", 9), now),
            Err(Refused::Taken("edge".into()))
        );
        assert_eq!(proxies.live(now)[0].epoch, 3);

        tokio::time::advance(LEASE).await;
        assert_eq!(proxies.report(&"other".into(), report("edge", 9), Instant::now()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn rates_are_those_of_the_last_reports_of_all_proxies() {
        let (proxies, now) = (Proxies::default(), Instant::now());
        for (name, bucket) in [("one", 4), ("two", 10)] {
            let routes = vec![counted(200, 20, bucket)];
            proxies.report(&"peer".into(), Report { routes, ..report(name, 1) }, now).expect("taken");
        }

        let rates = proxies.rates(now);

        let rate = &rates["shop/cart"];
        assert_eq!((rate.requests, rate.errors), (200.0, 20.0));
        assert_eq!((rate.p50, rate.p99), (Duration::from_micros(1 << 10), Duration::from_micros(1 << 16)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_calls_a_workload_is_known_with_how_much_and_for_as_long_as_it_is_connected() {
        let (proxies, now) = (Proxies::default(), Instant::now());
        let report = |requests, is_connected| Report {
            serves: Interest::Workload("shop/cart-1".into()).names(),
            callers: vec![Caller { identity: "spiffe://a/b".to_owned(), requests, errors: 1, is_connected }],
            ..report("shop/cart-1", 1)
        };
        proxies.report(&"peer".into(), report(10, true), now).expect("taken");
        proxies.report(&"peer".into(), report(30, false), now).expect("taken");

        let callers = proxies.callers(now);

        assert_eq!(callers.len(), 1);
        assert_eq!((callers[0].requests, callers[0].errors), (10.0, 0.5));
        assert_eq!((&*callers[0].workload, callers[0].is_connected), ("shop/cart-1", false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_of_nonsense_is_taken_for_what_makes_sense() {
        let (proxies, now) = (Proxies::default(), Instant::now());
        let bound =
            discovery::reports::Bound { ip: "nowhere".to_owned(), port: 99_999, error: String::new() };
        let nonsense =
            Report { epoch_age_ms: u64::MAX, uptime_ms: u64::MAX, bound: vec![bound], ..report("one", 1) };

        proxies.report(&"peer".into(), nonsense, now).expect("taken");

        assert!(proxies.live(now)[0].bound.is_empty());
        assert_eq!(proxies.report(&"peer".into(), report("", 1), now), Err(Refused::Nameless));
    }
}
