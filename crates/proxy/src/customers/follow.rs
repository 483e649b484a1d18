//! Follows the stream of customers over the connection that there is, and begins again with the next one.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use discovery::customers::{CUSTOMERS_PATH, CustomersRequest, CustomersResponse};
use tokio::sync::Mutex;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::cache::Cache;
use super::table::{Standing, Table};
use crate::clock::Clock;
use crate::config::{Progress, Wire};
use crate::proxy::Proxy;

/// Pause before a stream that ended is begun again, over the same connection.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Follows. It outlives connections.
#[derive(Clone)]
pub(crate) struct Following {
    proxy: Arc<Proxy>,
    progress: Arc<Progress>,
    clock: Clock,
    node: String,
    serves: Vec<String>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    table: Table,
    cache: Option<Cache>,
}

impl Following {
    /// Puts what the cache holds into use, and follows from there. Must not be called from an asynchronous task.
    ///
    /// # Errors
    /// The directory of the cache cannot be used.
    pub fn begin(
        proxy: &Arc<Proxy>,
        progress: &Arc<Progress>,
        clock: Clock,
        (node, serves): (String, Vec<String>),
        cache: Option<&Path>,
    ) -> io::Result<Following> {
        let mut kept = Kept::default();
        if let Some(directory) = cache {
            let (cache, messages) = Cache::open(directory)?;
            let mut newest = None;
            for message in &messages {
                match kept.table.take(message) {
                    Ok(customers) => newest = customers.or(newest),
                    Err(_broken) => {
                        kept.table.distrust();
                        break;
                    }
                }
            }
            kept.cache = Some(cache);
            if let Some(customers) = newest {
                let standing = Standing {
                    epoch: kept.table.stands().0,
                    credentials: customers.credentials_count() as u64,
                    applications: customers.applications_count() as u64,
                    ..Standing::default()
                };
                progress.change(|state| state.customers = Some(standing));
                proxy.serve_customers(&Arc::new(customers));
            }
        }
        let (proxy, progress) = (Arc::clone(proxy), Arc::clone(progress));
        Ok(Following { proxy, progress, clock, node, serves, kept: Arc::new(Mutex::new(kept)) })
    }

    /// Follows for as long as it is polled: as long as the connection lasts.
    pub async fn run(self, mut caller: Grpc<Wire>, bearer: Option<MetadataValue<Ascii>>) {
        loop {
            match self.follow(&mut caller, bearer.clone()).await {
                // An older control plane that knows no customers; the next one may.
                Err(status) if status.code() == Code::Unimplemented => return,
                Err(_) | Ok(()) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
    }

    async fn follow(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<MetadataValue<Ascii>>,
    ) -> Result<(), Status> {
        let (epoch, store) = self.kept.lock().await.stands();
        let asked = CustomersRequest { node: self.node.clone(), epoch, store, serves: self.serves.clone() };
        let mut request = Request::new(asked);
        if let Some(bearer) = bearer {
            request.metadata_mut().insert("authorization", bearer);
        }
        caller.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(CUSTOMERS_PATH);
        let codec: ProstCodec<CustomersRequest, CustomersResponse> = ProstCodec::default();
        let mut messages = caller.server_streaming(request, path, codec).await?.into_inner();
        while let Some(message) = messages.message().await? {
            self.take(message).await?;
            if self.kept.lock().await.is_too_long() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn take(&self, message: CustomersResponse) -> Result<(), Status> {
        let mut kept = self.kept.lock().await;
        let taken = match kept.table.take(&message) {
            Ok(taken) => taken,
            Err(broken) => {
                kept.table.distrust();
                return Err(Status::invalid_argument(broken.to_string()));
            }
        };
        let is_other = taken.is_some();
        if let Some(customers) = taken {
            let proxy = Arc::clone(&self.proxy);
            let counts = (customers.credentials_count() as u64, customers.applications_count() as u64);
            // It waits for workers, which must not hold up the connection.
            let used = tokio::task::spawn_blocking(move || proxy.serve_customers(&Arc::new(customers)));
            let _panicked = used.await;
            self.progress.change(|state| {
                let standing = state.customers.get_or_insert_default();
                (standing.credentials, standing.applications) = counts;
            });
        }
        let epoch = kept.table.stands().0;
        let age = self.age_of(&message).filter(|_| is_other);
        self.progress.change(|state| {
            let standing = state.customers.get_or_insert_default();
            standing.epoch = epoch;
            standing.age_ms = age.or(standing.age_ms);
            standing.age_ms_max = standing.age_ms_max.max(age.unwrap_or_default());
            if let Some(age) = age.filter(|_| message.takes_away) {
                standing.revoked(age);
            }
        });
        if message.takes_away {
            self.progress.tell();
        }
        if let Some(cache) = &mut kept.cache
            && cache.keep(&message).is_err()
        {
            // What is in use stays in use; a proxy that starts again asks for everything.
            kept.cache = None;
        }
        Ok(())
    }

    /// How long a change took from the command to here, by both clocks.
    fn age_of(&self, message: &CustomersResponse) -> Option<u64> {
        let now = u64::try_from(self.clock.unix(self.clock.now()).as_millis()).unwrap_or(u64::MAX);
        (message.changed_at > 0).then(|| now.saturating_sub(message.changed_at))
    }
}

impl Kept {
    fn stands(&self) -> (u64, bytes::Bytes) {
        match self.is_too_long() {
            true => (0, bytes::Bytes::new()),
            false => self.table.stands(),
        }
    }

    fn is_too_long(&self) -> bool {
        self.cache.as_ref().is_some_and(Cache::is_too_long)
    }
}
