//! The access log allocates for each piece that is handed to the writer, and for nothing smaller: no line, no
//! second on the clock.

use std::path::Path;
use std::sync::Arc;

use engine::config::Settings;
use proxy::LogSink;
use proxy::limits::LOG_BUFFER_BYTES;

mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

fn size(file: &Path) -> u64 {
    file.metadata().expect("the log").len()
}

#[test]
fn a_logged_request_allocates_nothing_of_its_own() {
    let listen = still::free_address();
    let mut config = made::config(listen, still::upstream(), 20);
    let port = Arc::get_mut(&mut config.ports[0]).expect("the only owner");
    port.settings = Arc::new(Settings { access_log: true, ..Settings::default() });
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("access.log");
    let proxy = still::proxy(config, LogSink::File(log.clone()));
    let mut client = still::Client::warmed_up(listen);

    let (before, size_before) = (ALLOCATOR.allocations(), size(&log));
    client.ask(2000);
    let made = ALLOCATOR.allocations() - before;
    let pieces = (size(&log) - size_before) / LOG_BUFFER_BYTES as u64;

    // The file may lag behind the buffers by what waits for the writer: one piece that is being written, one
    // that was just handed over.
    assert!(pieces > 10, "{pieces} pieces were written, too few to tell");
    assert!(made <= pieces + 2, "{made} allocations for {pieces} pieces of log");
    drop(client);
    proxy.drain();
}
