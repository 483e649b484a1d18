//! Tells the control plane that this proxy is alive, what it runs on and how its routes do.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use discovery::limits::{CALLERS_REPORTED_MAX, REPORT_EVERY, ROUTES_REPORTED_MAX};
use discovery::messages::Rejected;
use discovery::reports::{self, DURATION_BUCKETS, Lease, REPORTS_PATH, Report};
use model::spiffe::SpiffeId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic_prost::ProstCodec;

use super::connect::Wire;
use super::progress::Progress;
use super::subscribe::SubscribeOptions;
use super::tapped;
use crate::clock::Clock;
use crate::keeper::Keeper;
use crate::proxy::Proxy;

/// Makes reports.
#[derive(Clone)]
pub struct Reporter {
    name: String,
    version: String,
    serves: Vec<String>,
    proxy: Arc<Proxy>,
    progress: Arc<Progress>,
    clock: Clock,
    started: Instant,
    keeper: Option<Arc<Keeper>>,
}

/// What was counted when the last report was made.
#[derive(Default)]
struct Counted {
    at: Option<Instant>,
    routes: HashMap<Arc<str>, RouteCount>,
    callers: HashMap<SpiffeId, CallerCount>,
}

/// Requests of one route since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCount {
    /// Requests that ended.
    pub requests: u64,
    /// Those answered with 5xx.
    pub errors: u64,
    /// By duration.
    pub durations: [u64; DURATION_BUCKETS],
}

/// What a member of the mesh did here since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerCount {
    /// Requests that ended.
    pub requests: u64,
    /// Those answered with 5xx.
    pub errors: u64,
    /// Whether a connection of it is open.
    pub is_connected: bool,
}

impl Reporter {
    /// Reports of this proxy.
    #[must_use]
    pub fn new(
        options: &SubscribeOptions,
        proxy: Arc<Proxy>,
        progress: Arc<Progress>,
        clock: Clock,
    ) -> Reporter {
        let SubscribeOptions { name, version, serve, keeper, .. } = options;
        let (name, version, serves) = (name.clone(), version.clone(), serve.names());
        let keeper = keeper.clone();
        Reporter { name, version, serves, proxy, progress, clock, started: clock.now(), keeper }
    }

    /// Reports until the connection ends: as time goes by, and at once when another epoch is in use.
    pub async fn run(
        self,
        mut caller: Grpc<Wire>,
        bearer: Option<MetadataValue<Ascii>>,
        mut applied: watch::Receiver<u64>,
    ) {
        let (outgoing, reports) = mpsc::channel(1);
        let mut request = Request::new(ReceiverStream::new(reports));
        if let Some(bearer) = &bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        let path = http::uri::PathAndQuery::from_static(REPORTS_PATH);
        let call = async {
            if caller.ready().await.is_err() {
                return;
            }
            let shows = caller.clone();
            let codec: ProstCodec<Report, Lease> = ProstCodec::default();
            let Ok(response) = caller.streaming(request, path, codec).await else { return };
            let mut answers = response.into_inner();
            // An older control plane that knows no reports ends the call; the stream of objects goes on without.
            let mut watchers = JoinSet::new();
            while let Ok(Some(Lease { tap, .. })) = answers.message().await {
                while watchers.try_join_next().is_some() {}
                if let Some(tap) = tap {
                    watchers.spawn(tapped::show(
                        self.proxy.watchers().clone(),
                        shows.clone(),
                        bearer.clone(),
                        tap,
                    ));
                }
            }
        };
        let tell = async {
            let mut counted = Counted::default();
            while outgoing.send(self.report(&mut counted)).await.is_ok() {
                tokio::select! {
                    () = tokio::time::sleep(REPORT_EVERY) => {}
                    () = self.progress.urgent() => {}
                    changed = applied.changed() => if changed.is_err() { return },
                }
            }
        };
        tokio::join!(call, tell);
    }

    fn report(&self, counted: &mut Counted) -> Report {
        let now = self.clock.now();
        let since = |moment: Instant| millis(now, moment);
        let state = self.progress.now();
        let bound = state.bound.iter().map(|bound| reports::Bound {
            ip: bound.address.ip.to_string(),
            port: bound.address.port.into(),
            error: bound.error.clone().unwrap_or_default(),
        });
        let rejected = state.rejected.iter().map(|rejection| Rejected {
            type_name: rejection.object.of.as_str().to_owned(),
            name: rejection.object.name.to_string(),
            version: rejection.version.to_string(),
            problem: rejection.problem.clone(),
        });
        Report {
            proxy: self.name.clone(),
            version: self.version.clone(),
            epoch: state.epoch,
            epoch_age_ms: state.applied.map_or(0, since),
            from_cache: state.cached_age.is_some(),
            bound: bound.collect(),
            rejected: rejected.collect(),
            interval_ms: counted.at.map_or(0, since),
            serves: self.serves.clone(),
            uptime_ms: since(self.started),
            connections: self.proxy.connections_open(),
            warnings: state.warnings,
            application_ready: state.application_ready,
            customers: state.customers.map(|standing| reports::Customers {
                epoch: standing.epoch,
                revocations: standing.revocations.to_vec(),
            }),
            certificate: self.keeper.as_ref().and_then(|keeper| keeper.certificate()),
            routes: counted.routes_since(self.proxy.route_counts(), now),
            callers: counted.callers_since(self.proxy.caller_counts()),
        }
    }
}

impl Counted {
    fn routes_since(&mut self, now: HashMap<Arc<str>, RouteCount>, at: Instant) -> Vec<reports::Route> {
        self.at = Some(at);
        let mut routes = Vec::new();
        for (route, count) in now {
            let before = self.routes.entry(route.clone()).or_default();
            if *before == count || routes.len() >= ROUTES_REPORTED_MAX {
                continue;
            }
            let pairs = count.durations.iter().zip(&before.durations);
            routes.push(reports::Route {
                route: route.to_string(),
                requests: count.requests.saturating_sub(before.requests),
                errors: count.errors.saturating_sub(before.errors),
                durations: pairs.map(|(now, before)| now.saturating_sub(*before)).collect(),
            });
            *before = count;
        }
        routes
    }

    fn callers_since(&mut self, now: BTreeMap<SpiffeId, CallerCount>) -> Vec<reports::Caller> {
        let mut callers = Vec::new();
        for (identity, count) in now {
            let before = self.callers.entry(identity.clone()).or_default();
            let requests = count.requests.saturating_sub(before.requests);
            if (requests == 0 && !count.is_connected) || callers.len() >= CALLERS_REPORTED_MAX {
                continue;
            }
            callers.push(reports::Caller {
                identity: identity.as_str().to_owned(),
                requests,
                errors: count.errors.saturating_sub(before.errors),
                is_connected: count.is_connected,
            });
            *before = count;
        }
        callers
    }
}

fn millis(now: Instant, moment: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(moment).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_what_came_since_the_last_one_and_leaves_out_what_stood_still() {
        let at = Clock::start().now();
        let count = |requests, errors| {
            let mut count = RouteCount { requests, errors, ..RouteCount::default() };
            count.durations[3] = requests;
            count
        };
        let mut counted = Counted::default();
        let first = counted.routes_since([("a".into(), count(5, 1)), ("b".into(), count(1, 0))].into(), at);
        assert_eq!(first.len(), 2);

        let second = counted.routes_since([("a".into(), count(8, 1)), ("b".into(), count(1, 0))].into(), at);

        assert_eq!(second.len(), 1);
        assert_eq!((second[0].route.as_str(), second[0].requests, second[0].errors), ("a", 3, 0));
        assert_eq!(second[0].durations[3], 3);
    }

    #[test]
    fn a_caller_is_told_while_it_is_connected_or_has_called() {
        let identity: SpiffeId = "spiffe://bank.example/ns/shop/sa/web".parse().expect("an identity");
        let mut counted = Counted::default();
        let mut told = |requests, is_connected| {
            let count = CallerCount { requests, errors: 0, is_connected };
            let callers = counted.callers_since([(identity.clone(), count)].into());
            callers.first().map(|caller| (caller.requests, caller.is_connected))
        };

        assert_eq!(told(5, true), Some((5, true)));
        assert_eq!(told(5, true), Some((0, true)));
        assert_eq!(told(6, false), Some((1, false)));
        assert_eq!(told(6, false), None);
    }
}
