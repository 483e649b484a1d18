//! Tells the ledger over the connection that there is, and goes on with the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use discovery::limits::QUOTAS_ASKED_MAX;
use discovery::quotas::{QUOTAS_PATH, QuotasRequest, QuotasResponse};
use discovery::usage::{
    EndedRequest, EndedResponse, REGISTER_PATH, Receipt, RegisterRequest, RegisterResponse, SHIP_ENDED_PATH,
    SHIP_PATH, Shipment,
};
use tokio::sync::{Mutex, Notify};
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Status};

use super::behind::Behind;
use super::outbox::Outbox;
use crate::call::call;
use crate::config::Wire;
use crate::limits::USAGE_SHIP_SECONDS;
use crate::proxy::Proxy;
use crate::state::meters::Meters;
use crate::state::quotas::Left;

/// After how many shipments is looked whether somebody else has left something behind.
const LOOK_EVERY: u64 = 30;

/// Tells. It outlives connections.
#[derive(Clone)]
pub(crate) struct Shipping {
    node: Arc<str>,
    serves: Vec<String>,
    /// In the memory of this process only: a copy of its disk cannot go on where it is.
    session: Bytes,
    current: Arc<Meters>,
    boxes: Arc<Mutex<Boxes>>,
    ending: Arc<Ending>,
}

/// How the last shipment is waited for.
#[derive(Default)]
struct Ending {
    is_connected: AtomicBool,
    wanted: Notify,
    done: Notify,
}

/// Nobody can be told any more, however a connection ends.
struct Connected<'e>(&'e Ending);

impl<'e> Connected<'e> {
    fn begin(ending: &'e Ending) -> Connected<'e> {
        ending.is_connected.store(true, Ordering::Release);
        Connected(ending)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.is_connected.store(false, Ordering::Release);
        self.0.done.notify_waiters();
    }
}

struct Boxes {
    current: Outbox,
    behind: Behind,
}

impl Shipping {
    /// Everything that a proxy counts, and what earlier starts have left behind.
    #[must_use]
    pub fn of(proxy: &Proxy, (node, serves): (String, Vec<String>)) -> Shipping {
        let (current, left) = proxy.meters();
        let mut boxes = Boxes { current: Outbox::new(&current, false), behind: Behind::default() };
        boxes.behind.add(left);
        Shipping {
            node: node.into(),
            serves,
            session: Bytes::copy_from_slice(&identity::random()),
            current,
            boxes: Arc::new(Mutex::new(boxes)),
            ending: Arc::default(),
        }
    }

    /// Tells for as long as it is polled: as long as the connection lasts.
    pub async fn run(self, mut caller: Grpc<Wire>, bearer: Option<MetadataValue<Ascii>>) {
        let _connected = Connected::begin(&self.ending);
        let (mut is_registered, mut is_last) = (false, false);
        for round in 1_u64.. {
            if round % LOOK_EVERY == 0 {
                self.look_beside().await;
            }
            match self.ship_all(&mut caller, bearer.as_ref(), &mut is_registered).await {
                Ok(()) => {}
                // An older control plane that keeps no ledger; the next one may.
                Err(status) if status.code() == Code::Unimplemented => return,
                Err(_) => is_registered = false,
            }
            if is_last {
                return;
            }
            is_last = tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(USAGE_SHIP_SECONDS)) => false,
                () = self.ending.wanted.notified() => true,
            };
        }
    }

    /// Has what was counted until now told, and waits until it was, or nobody can be told. To be called once, at the
    /// end.
    pub async fn leave(&self) {
        let done = self.ending.done.notified();
        self.ending.wanted.notify_one();
        if self.ending.is_connected.load(Ordering::Acquire) {
            done.await;
        }
    }

    /// Takes over what a process has left behind that was still there when this one started.
    async fn look_beside(&self) {
        // A folder that cannot be read now is looked at again.
        let Ok(found) = self.current.left_beside() else { return };
        self.boxes.lock().await.behind.add(found);
    }

    async fn ship_all(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        is_registered: &mut bool,
    ) -> Result<(), Status> {
        let mut boxes = self.boxes.lock().await;
        if !*is_registered {
            self.register(caller, bearer).await?;
            *is_registered = true;
        }
        self.ship(caller, bearer, &self.current, &mut boxes.current).await?;
        let told = self.ship_behind(caller, bearer, &mut boxes.behind).await;
        boxes.behind.remove_told();
        told
    }

    /// Tells what earlier starts have left behind, as many of them as there is room for in one call.
    async fn ship_behind(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        behind: &mut Behind,
    ) -> Result<(), Status> {
        let mut waiting = behind.waiting();
        while let Some(bundle) = behind.next(&mut waiting) {
            let request = EndedRequest {
                node: self.node.to_string(),
                session: self.session.clone(),
                starts: bundle.shipments(),
            };
            let kept = match call::<_, EndedResponse>(caller, bearer, SHIP_ENDED_PATH, request).await {
                Ok(EndedResponse { kept }) => kept,
                // An older control plane: they wait for one that takes them together.
                Err(status) if status.code() == Code::Unimplemented => return Ok(()),
                Err(status) => return Err(status),
            };
            // From here on nobody counts under those numbers any more, so what they were lent can be settled.
            let left = behind.taken_over(&bundle, &kept);
            let left = left.filter_map(|meters| Left::beside(meters.path()?, meters.boot())).collect();
            self.settle(caller, bearer, left).await?;
            behind.received(&bundle, &kept, &mut waiting);
        }
        Ok(())
    }

    /// Tells the last totals of quotas of earlier starts, so that what they had not spent can be lent again.
    async fn settle(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        left: Vec<Left>,
    ) -> Result<(), Status> {
        let asks: Vec<_> = left.iter().flat_map(Left::asks).collect();
        for asks in asks.chunks(QUOTAS_ASKED_MAX) {
            let request = QuotasRequest {
                node: self.node.to_string(),
                boot: Bytes::copy_from_slice(&self.current.boot().0.to_be_bytes()),
                serves: self.serves.clone(),
                asks: asks.to_vec(),
            };
            let _known: QuotasResponse = call(caller, bearer, QUOTAS_PATH, request).await?;
        }
        left.into_iter().for_each(Left::remove);
        Ok(())
    }

    async fn register(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
    ) -> Result<(), Status> {
        let request = RegisterRequest {
            node: self.node.to_string(),
            boot: Bytes::copy_from_slice(&self.current.boot().0.to_be_bytes()),
            session: self.session.clone(),
            is_ended: false,
        };
        let _known: RegisterResponse = call(caller, bearer, REGISTER_PATH, request).await?;
        Ok(())
    }

    async fn ship(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        meters: &Meters,
        outbox: &mut Outbox,
    ) -> Result<(), Status> {
        loop {
            let parcel = outbox.next(meters);
            let shipment = Shipment { session: self.session.clone(), ..parcel.shipment.clone() };
            let _receipt: Receipt = call(caller, bearer, SHIP_PATH, shipment).await?;
            let is_done = outbox.received(meters, &parcel) || !parcel.is_cut;
            if is_done {
                return Ok(());
            }
        }
    }
}
