//! A proxy that follows a control plane with its certificate, and what it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use discovery::{Interest, TokenFile};
use proxy::{Event, KeeperOptions, OnStream, Proxy, SubscribeOptions, Subscription};
use tests::until::eventually_within;

use crate::plane::{Kept, PATIENCE};

/// The proxy.
pub struct Following {
    running: (Subscription, Arc<Proxy>),
    events: Arc<Mutex<Vec<Event>>>,
}

impl Following {
    /// It shows the certificate that was kept, and nothing else.
    pub async fn start(kept: &Kept, options: &KeeperOptions, serve: Interest) -> Following {
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let (told, keeper, options) = (Arc::clone(&events), kept.keeper.clone(), options.clone());
        let running = tokio::task::spawn_blocking(move || {
            let proxy = Arc::new(Proxy::start(plain()).expect("it starts"));
            let subscribe = SubscribeOptions {
                name: "a-proxy".to_owned(),
                version: "1".to_owned(),
                controls: vec![options.controls[0].clone()],
                // It is not shown, so that it need not be good.
                token: TokenFile { token: "nonsense".into(), authority: options.token.authority },
                serve,
                cache: None,
                bind: std::net::Ipv4Addr::LOCALHOST.into(),
                services: proxy::ServiceBlock::default(),
                keeper,
                shows: OnStream::Certificate,
            };
            let tell = move |event| told.lock().expect("no holder panics").push(event);
            (Subscription::start(&proxy, subscribe, Arc::new(tell)).expect("it starts"), proxy)
        });
        Following { running: running.await.expect("it does not panic"), events }
    }

    /// Waits until it was told something.
    pub async fn has_told(&self, what: &str, is_it: impl Fn(&Event) -> bool) {
        let told = || self.events.lock().expect("no holder panics").iter().any(&is_it);
        eventually_within(PATIENCE, what, told).await;
    }

    /// Ends it.
    pub async fn stop(self) {
        let (subscription, proxy) = self.running;
        let stopped = tokio::task::spawn_blocking(move || {
            subscription.stop();
            drop(proxy);
        });
        stopped.await.expect("it does not panic");
    }
}

fn plain() -> proxy::Options {
    proxy::Options {
        workers: 1,
        admin: None,
        access_log: proxy::LogSink::Off,
        drain: Duration::from_secs(1),
        member: None,
        usage: None,
        locality: None,
        deleted_ports: proxy::DeletedPorts::Drain,
    }
}
