//! Tells the ledger over the connection that there is, and goes on with the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use discovery::limits::QUOTAS_ASKED_MAX;
use discovery::quotas::{QUOTAS_PATH, QuotasRequest, QuotasResponse};
use discovery::usage::{REGISTER_PATH, Receipt, RegisterRequest, RegisterResponse, SHIP_PATH, Shipment};
use tokio::sync::{Mutex, Notify};
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Status};

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
    left: Vec<(Meters, Outbox)>,
}

/// What somebody has left behind, with nothing of it acknowledged.
fn boxed(meters: Meters) -> (Meters, Outbox) {
    let outbox = Outbox::new(&meters, true);
    (meters, outbox)
}

impl Shipping {
    /// Everything that a proxy counts, and what earlier starts have left behind.
    #[must_use]
    pub fn of(proxy: &Proxy, (node, serves): (String, Vec<String>)) -> Shipping {
        let (current, left) = proxy.meters();
        let left = left.into_iter().map(boxed).collect();
        let boxes = Boxes { current: Outbox::new(&current, false), left };
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
        self.boxes.lock().await.left.extend(found.into_iter().map(boxed));
    }

    async fn ship_all(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        is_registered: &mut bool,
    ) -> Result<(), Status> {
        let mut boxes = self.boxes.lock().await;
        if !*is_registered {
            self.register(caller, bearer, &self.current, false).await?;
            *is_registered = true;
        }
        self.ship(caller, bearer, &self.current, &mut boxes.current).await?;
        let mut not_yet = Vec::new();
        let mut told = Ok(());
        while let Some((meters, mut outbox)) = boxes.left.pop() {
            match self.ship_left(caller, bearer, &meters, &mut outbox).await {
                Ok(()) => meters.remove(),
                // Not yet ours: whoever counted in it was heard of a moment ago. It holds up no other.
                Err(status) if status.code() == Code::FailedPrecondition => not_yet.push((meters, outbox)),
                Err(status) => {
                    not_yet.push((meters, outbox));
                    told = Err(status);
                    break;
                }
            }
        }
        boxes.left.extend(not_yet);
        told
    }

    async fn ship_left(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        meters: &Meters,
        outbox: &mut Outbox,
    ) -> Result<(), Status> {
        self.register(caller, bearer, meters, true).await?;
        // From here on nobody counts under that number any more, so what it was lent can be settled.
        if let Some(left) = meters.path().and_then(|path| Left::beside(path, meters.boot())) {
            self.settle(caller, bearer, &left).await?;
            left.remove();
        }
        self.ship(caller, bearer, meters, outbox).await
    }

    /// Tells the last totals of quotas of an earlier start, so that what it had not spent can be lent again.
    async fn settle(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        left: &Left,
    ) -> Result<(), Status> {
        for asks in left.asks().chunks(QUOTAS_ASKED_MAX) {
            let request = QuotasRequest {
                node: self.node.to_string(),
                boot: Bytes::copy_from_slice(&self.current.boot().0.to_be_bytes()),
                serves: self.serves.clone(),
                asks: asks.to_vec(),
            };
            let _known: QuotasResponse = call(caller, bearer, QUOTAS_PATH, request).await?;
        }
        Ok(())
    }

    async fn register(
        &self,
        caller: &mut Grpc<Wire>,
        bearer: Option<&MetadataValue<Ascii>>,
        meters: &Meters,
        is_ended: bool,
    ) -> Result<(), Status> {
        let request = RegisterRequest {
            node: self.node.to_string(),
            boot: Bytes::copy_from_slice(&meters.boot().0.to_be_bytes()),
            session: self.session.clone(),
            is_ended,
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
