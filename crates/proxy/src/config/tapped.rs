//! Shows somebody at the control plane what passes here, on a call of its own.

use std::time::Duration;

use discovery::taps::{Seen, Shown, TAPS_PATH, Tap};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::interval;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic_prost::ProstCodec;

use super::connect::Wire;
use crate::limits::TAP_FILTER_BYTES_MAX;
use crate::tap::{Filter, Watched, Watchers};

/// Most lines of a message.
const LINES_TOGETHER: usize = 64;

/// Shows until the watcher has seen enough, or the connection ends.
pub async fn show(
    watchers: Watchers,
    mut caller: Grpc<Wire>,
    bearer: Option<MetadataValue<Ascii>>,
    tap: Tap,
) {
    let (outgoing, shown) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(shown));
    if let Some(bearer) = bearer {
        request.metadata_mut().insert("authorization", bearer);
    }
    let path = http::uri::PathAndQuery::from_static(TAPS_PATH);
    let call = async {
        if caller.ready().await.is_ok() {
            let codec: ProstCodec<Shown, Seen> = ProstCodec::default();
            // Whatever the answer is, nobody watches any more.
            drop(caller.client_streaming(request, path, codec).await);
        }
    };
    tokio::join!(call, feed(&watchers, tap, outgoing));
}

/// Ends when nobody takes what is shown.
async fn feed(watchers: &Watchers, Tap { id, filter }: Tap, outgoing: Sender<Shown>) {
    let first = |refused| Shown { id, refused, ..Shown::default() };
    match begin(watchers, &filter).await {
        Err(refused) => drop(outgoing.send(first(refused)).await),
        Ok(watched) => {
            if outgoing.send(first(String::new())).await.is_ok() {
                tell(watched, &outgoing).await;
            }
        }
    }
}

async fn begin(watchers: &Watchers, filter: &str) -> Result<Watched, String> {
    if filter.len() > TAP_FILTER_BYTES_MAX {
        return Err("the filter is too long".to_owned());
    }
    let filter = Filter::parse(filter)?;
    let place = watchers.place().ok_or("as many watch this proxy as may")?;
    Ok(watchers.watch(filter, place).await)
}

async fn tell(mut watched: Watched, outgoing: &Sender<Shown>) {
    let mut seconds = interval(Duration::from_secs(1));
    let mut told = 0;
    loop {
        let mut shown = Shown::default();
        tokio::select! {
            line = watched.lines.recv() => {
                let Some(line) = line else { return };
                shown.lines.push(line.into());
                while shown.lines.len() < LINES_TOGETHER && let Ok(line) = watched.lines.try_recv() {
                    shown.lines.push(line.into());
                }
            }
            _ = seconds.tick() => {}
            () = outgoing.closed() => return,
        }
        shown.missed = watched.missed();
        let is_news = !shown.lines.is_empty() || shown.missed != told;
        told = shown.missed;
        if is_news && outgoing.send(shown).await.is_err() {
            return;
        }
    }
}
