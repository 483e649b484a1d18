//! What gateways tell of what was used, into the ledger. Single calls: each is answered when it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use commerce::usage::{Boot, Counts, METERS, Window};
use discovery::Interest;
use discovery::usage::{
    ENDED_MAX, EndedRequest, EndedResponse, RECORDS_MAX, Receipt, Record, RegisterRequest, RegisterResponse,
    Series, Shipment, TEXT_BYTES_MAX,
};
use tonic::{Request, Status};

use super::Hub;
use super::authenticate::Peer;
use crate::store::StoreError;
use crate::store::usage::{self, Kept, Registration, Session, Told, UsageWrite};

/// Longest name of a gateway in bytes. Past it: it is refused.
const NODE_BYTES_MAX: usize = 253;

/// Takes a gateway in.
pub(super) async fn register(
    hub: Arc<Hub>,
    request: Request<RegisterRequest>,
) -> Result<RegisterResponse, Status> {
    let peer = super::caller(&request)?;
    let RegisterRequest { node, boot, session, is_ended } = request.into_inner();
    may_count(&peer, &node)?;
    let (boot, session) = (boot_of(&boot)?, sixteen(&session, "session")?);
    let registration = Registration { node: node.into(), boot, session, is_ended };
    write(&hub, UsageWrite::Register(registration)).await?;
    Ok(RegisterResponse {})
}

/// Takes in what one tells.
pub(super) async fn keep(hub: Arc<Hub>, request: Request<Shipment>) -> Result<Receipt, Status> {
    write(&hub, UsageWrite::Keep(shipment(request.into_inner())?)).await?;
    Ok(Receipt {})
}

/// Takes over starts that have ended, and takes in what they have left behind.
pub(super) async fn keep_ended(
    hub: Arc<Hub>,
    request: Request<EndedRequest>,
) -> Result<EndedResponse, Status> {
    let peer = super::caller(&request)?;
    let EndedRequest { node, session, starts } = request.into_inner();
    may_count(&peer, &node)?;
    let records: usize = starts.iter().map(|start| start.records.len()).sum();
    if starts.len() > ENDED_MAX || records > RECORDS_MAX {
        return Err(Status::invalid_argument(format!(
            "at most {ENDED_MAX} starts and {RECORDS_MAX} records are told at once"
        )));
    }
    let (node, session) = (node.into(), sixteen(&session, "session")?);
    // One that cannot be understood holds up no other.
    let starts: Vec<Option<[UsageWrite; 2]>> =
        starts.into_iter().map(|start| taken_over(&node, session, start).ok()).collect();
    let understood: Vec<_> = starts.iter().flatten().cloned().collect();
    let mut kept = write_starts(&hub, understood).await?.into_iter();
    let kept = starts.iter().map(|start| start.is_some() && kept.next() == Some(true)).collect();
    Ok(EndedResponse { kept })
}

/// What is to be written of a start that somebody takes over.
fn taken_over(node: &Arc<str>, session: Session, start: Shipment) -> Result<[UsageWrite; 2], Status> {
    let session_of = Bytes::copy_from_slice(&session);
    let shipment = shipment(Shipment { session: session_of, ..start })?;
    let registration = Registration { node: node.clone(), boot: shipment.boot, session, is_ended: true };
    Ok([UsageWrite::Register(registration), UsageWrite::Keep(shipment)])
}

/// Writes all of them in one transaction; each in one of its own when something in them breaks that. Says of each
/// whether it is kept.
async fn write_starts(hub: &Hub, starts: Vec<[UsageWrite; 2]>) -> Result<Vec<bool>, Status> {
    let is_kept = |kept: &[Kept]| kept.iter().all(|kept| *kept == Kept::Done);
    let store = hub.views.store();
    let ledger = store.usage().ok_or_else(no_ledger)?;
    match ledger.write_usage(starts.concat()).await {
        Ok(kept) => Ok(kept.chunks(2).map(is_kept).collect()),
        Err(StoreError::Broken(_)) => {
            let mut each = Vec::with_capacity(starts.len());
            for start in starts {
                each.push(ledger.write_usage(start.to_vec()).await.is_ok_and(|kept| is_kept(&kept)));
            }
            Ok(each)
        }
        Err(_) => Err(unavailable()),
    }
}

/// Whether somebody may count under a name, and the name is one.
fn may_count(peer: &Peer, node: &str) -> Result<(), Status> {
    // What stands beside a workload speaks for that workload.
    if let Interest::Workload(own) = &peer.may_serve
        && **own != *node
    {
        return Err(Status::permission_denied(format!("{} may not count as `{node}`", peer.name)));
    }
    match (1..=NODE_BYTES_MAX).contains(&node.len()) {
        true => Ok(()),
        false => {
            Err(Status::invalid_argument(format!("the name of a gateway has 1 to {NODE_BYTES_MAX} bytes")))
        }
    }
}

async fn write(hub: &Hub, write: UsageWrite) -> Result<(), Status> {
    let store = hub.views.store();
    let ledger = store.usage().ok_or_else(no_ledger)?;
    let kept = ledger.write_usage(vec![write]).await.map_err(|_| unavailable())?;
    match kept.first() {
        Some(Kept::Done) => Ok(()),
        Some(Kept::Counting) => Err(Status::failed_precondition(
            "another process counts under this number and was heard of a moment ago; a copy of its disk has nothing to tell",
        )),
        Some(Kept::Unknown) | None => Err(Status::failed_precondition(
            "this start of a gateway is not registered, or is that of another process",
        )),
    }
}

fn no_ledger() -> Status {
    Status::unimplemented("this store keeps no usage")
}

/// The words of a store may name files and hosts, so they are not passed on.
fn unavailable() -> Status {
    Status::unavailable("the ledger cannot be written now")
}

/// A message as the ledger keeps it.
fn shipment(message: Shipment) -> Result<usage::Shipment, Status> {
    let Shipment { boot, session, series, records, watermark, is_complete } = message;
    if records.len() > RECORDS_MAX || series.len() > RECORDS_MAX {
        return Err(Status::invalid_argument(format!("a shipment has at most {RECORDS_MAX} records")));
    }
    let (boot, session) = (boot_of(&boot)?, sixteen(&session, "session")?);
    let series: Vec<usage::Series> = series.into_iter().map(known).collect::<Result<_, _>>()?;
    // Two records of one place would be two writes of one row.
    let mut told: BTreeMap<(u16, Window, [u8; 16]), Counts> = BTreeMap::new();
    for record in &records {
        let (place, counts) = place(record, &series)?;
        told.entry(place).or_default().hear(&counts);
    }
    let told =
        told.into_iter().map(|((shard, window, series), counts)| Told { shard, window, series, counts });
    let told = told.collect();
    Ok(usage::Shipment { boot, session, series, told, watermark: Window(watermark), is_complete })
}

fn known(series: Series) -> Result<usage::Series, Status> {
    if series.text_bytes() > TEXT_BYTES_MAX {
        return Err(Status::invalid_argument(format!("names have at most {TEXT_BYTES_MAX} bytes")));
    }
    let digest = series.digest();
    let Series { subscription, application, product, plan, version, operation, listener } = series;
    let subscription = usage::hexadecimal(&subscription);
    Ok(usage::Series { digest, subscription, application, product, plan, version, operation, listener })
}

type Place = (u16, Window, [u8; 16]);

fn place(record: &Record, series: &[usage::Series]) -> Result<(Place, Counts), Status> {
    let wrong = |what: &str| Status::invalid_argument(format!("a record {what}"));
    let about = usize::try_from(record.series).ok().and_then(|at| series.get(at));
    let about = about.ok_or_else(|| wrong("is about nothing in the shipment"))?;
    let shard = u16::try_from(record.shard).map_err(|_| wrong("is of no worker"))?;
    let counts: [u64; METERS] =
        record.counts.as_slice().try_into().map_err(|_| wrong("does not have a number for each meter"))?;
    if counts.iter().any(|count| i64::try_from(*count).is_err()) {
        return Err(wrong("has a number that nobody can count to"));
    }
    Ok(((shard, Window(record.window), about.digest), Counts(counts)))
}

fn boot_of(bytes: &[u8]) -> Result<Boot, Status> {
    sixteen(bytes, "number of a start").map(|bytes| Boot(u128::from_be_bytes(bytes)))
}

fn sixteen(bytes: &[u8], what: &str) -> Result<[u8; 16], Status> {
    bytes.try_into().map_err(|_| Status::invalid_argument(format!("a {what} has 16 bytes")))
}
