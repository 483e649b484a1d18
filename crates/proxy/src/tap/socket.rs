//! The socket at which one may watch: a line of JSON says what is wanted, lines of JSON follow until one of both ends.
//!
//! `{"missed": n}` among them says how many lines were not shown so far.

use std::io;
use std::path::Path;
use std::time::Duration;

use os::PrivateSocket;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{interval, timeout};

use super::{Filter, Watchers};
use crate::limits::{TAP_FILTER_BYTES_MAX, TAP_QUESTION_SECONDS};

/// Serves at a path for as long as the returned future is polled. Must be called within a runtime.
///
/// # Errors
/// The socket cannot be made.
pub fn serve(path: &Path, watchers: Watchers) -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let (socket, listener) = PrivateSocket::bind(path)?;
    let listener = UnixListener::from_std(listener)?;
    Ok(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            if !stream.peer_cred().is_ok_and(|peer| socket.lets_in(peer.uid())) {
                continue;
            }
            let Some(place) = watchers.place() else { continue };
            let watchers = watchers.clone();
            tokio::spawn(async move {
                let _ = watch(stream, &watchers, place).await; // A watcher that breaks off concerns nobody else.
            });
        }
    })
}

async fn watch(stream: UnixStream, watchers: &Watchers, place: OwnedSemaphorePermit) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut question = String::new();
    let within = Duration::from_secs(TAP_QUESTION_SECONDS);
    let reading = (&mut read).take(TAP_FILTER_BYTES_MAX as u64);
    timeout(within, BufReader::new(reading).read_line(&mut question)).await.map_err(io::Error::from)??;
    let filter = match Filter::parse(question.trim()) {
        Ok(filter) => filter,
        Err(problem) => {
            return write
                .write_all(format!("{}\n", serde_json::json!({ "error": problem })).as_bytes())
                .await;
        }
    };
    let mut watched = watchers.watch(filter, place).await;
    write.write_all(b"{\"watching\":true}\n").await?;
    let mut seconds = interval(Duration::from_secs(1));
    let (mut told, mut end) = (0, [0]);
    loop {
        tokio::select! {
            line = watched.lines.recv() => match line {
                Some(line) => write.write_all(&line).await?,
                None => return Ok(()),
            },
            _ = seconds.tick() => {
                let missed = watched.missed();
                if missed != told {
                    told = missed;
                    write.write_all(format!("{{\"missed\":{missed}}}\n").as_bytes()).await?;
                }
            },
            // Nothing more is asked: whatever comes, it is the end.
            _ = read.read(&mut end) => return Ok(()),
        }
    }
}
