//! Notices that configuration files may have changed.
//!
//! Editors write in many ways: in place, by renaming a new file over the old, by moving a directory of links
//! (mounted ConfigMaps). So no event is trusted to say *what* happened; any of them only means "look again",
//! and whoever is told re-reads everything and compares. What is watched is the directory around each path: a
//! watch on a file would stay with the old file when a new one takes its name.
//!
//! Two things decide when to look: a file that is open for writing is given time to be closed, so that a half
//! written or just emptied file is not taken for the user's will; and a slow timer looks anyway, because a
//! notification that got lost must not leave us behind for ever.
#![allow(
    clippy::disallowed_methods,
    reason = "files change in real time; this is the thread that waits for it"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// How long it must be quiet before we look.
pub const QUIET: Duration = Duration::from_millis(4);
/// How long a file may stay open for writing before we look regardless.
pub const WRITING_MAX: Duration = Duration::from_millis(500);
/// How often we look without being told.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Most files remembered as being written; further ones are not waited for.
const WRITING_FILES_MAX: usize = 1024;

/// A running watch. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    /// Calls `look` on a thread of its own whenever something under `paths` may have changed.
    ///
    /// # Errors
    /// When the system gives no more watches, or a path does not exist.
    pub fn start(paths: Vec<PathBuf>, look: impl FnMut() + Send + 'static) -> notify::Result<Watch> {
        Watch::start_every(LOOK_EVERY, paths, look)
    }

    fn start_every(
        every: Duration,
        paths: Vec<PathBuf>,
        look: impl FnMut() + Send + 'static,
    ) -> notify::Result<Watch> {
        let paths: Vec<PathBuf> =
            paths.iter().map(std::path::absolute).collect::<Result<_, _>>().map_err(notify::Error::io)?;
        let shared = Arc::new(Shared::default());
        let (told, about) = (Arc::clone(&shared), paths.clone());
        let mut watcher = notify::recommended_watcher(move |event| told.tell(event, &about))?;
        watch_all(&mut watcher, &paths)?;
        let shared_by_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("config-watch".to_owned())
            .spawn(move || run(&shared_by_thread, every, (watcher, &paths), look))
            .map_err(notify::Error::io)?;
        Ok(Watch { shared, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in `look` was already reported by the panic hook; there is nobody to hand it to.
            let _ended = thread.join();
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

/// What was heard since we last looked. Bounded: times and names of open files, never events.
#[derive(Debug, Default)]
struct Pending {
    first: Option<Instant>,
    last: Option<Instant>,
    writing: BTreeSet<PathBuf>,
    ended: bool,
}

impl Shared {
    fn tell(&self, event: notify::Result<notify::Event>, about: &[PathBuf]) {
        let mut pending = self.lock();
        match event {
            Ok(event) if !concerns(&event, about) || !pending.note(&event) => return,
            // An error (a full queue of the kernel) means that something was missed: look.
            Ok(_) | Err(_) => {}
        }
        let now = now();
        pending.first.get_or_insert(now);
        pending.last = Some(now);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until it is time to look; false when the watch has ended.
    fn wait(&self, every: Duration) -> bool {
        let started = now();
        let mut pending = self.lock();
        loop {
            let now = now();
            let due = pending.due().unwrap_or(started + every);
            if pending.ended {
                return false;
            }
            if due <= now {
                *pending = Pending::default();
                return true;
            }
            let waited = self.changed.wait_timeout(pending, due - now);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Pending {
    /// Takes note of an event; false when it cannot mean a change.
    fn note(&mut self, event: &notify::Event) -> bool {
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => self.closed(event),
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => self.opened(event),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => {
                self.closed(event)
            }
            EventKind::Any | EventKind::Other | EventKind::Create(_) | EventKind::Modify(_) => {}
        }
        true
    }

    fn opened(&mut self, event: &notify::Event) {
        let room = WRITING_FILES_MAX - self.writing.len();
        self.writing.extend(event.paths.iter().take(room).cloned());
    }

    fn closed(&mut self, event: &notify::Event) {
        for path in &event.paths {
            self.writing.remove(path);
        }
    }

    fn due(&self) -> Option<Instant> {
        // Even where it never gets quiet, we look in the end.
        let latest = self.first? + WRITING_MAX;
        if self.writing.is_empty() { Some(latest.min(self.last? + QUIET)) } else { Some(latest) }
    }
}

/// Whether an event is about one of these paths, something in it, or a directory it stands in. Neighbours of a
/// file are heard as well, because their directory is watched; only the `..data` link of a mounted ConfigMap
/// among them can change what the file says.
fn concerns(event: &notify::Event, paths: &[PathBuf]) -> bool {
    event.paths.is_empty()
        || event.paths.iter().any(|changed| {
            let mounted = changed.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
            mounted || paths.iter().any(|path| changed.starts_with(path) || path.starts_with(changed))
        })
}

/// A watch lives by real time; everything that can be judged without it takes the moments it is given.
#[allow(clippy::disallowed_methods, reason = "file notifications come in real time")]
fn now() -> Instant {
    Instant::now()
}

fn run(
    shared: &Shared,
    every: Duration,
    (mut watcher, paths): (RecommendedWatcher, &[PathBuf]),
    mut look: impl FnMut(),
) {
    while shared.wait(every) {
        // A directory that was replaced is a new one to the kernel, so it is watched again. When one is missing
        // just now, its parent's watch or the timer brings us back.
        let _missing = watch_all(&mut watcher, paths);
        look();
    }
}

fn watch_all(watcher: &mut RecommendedWatcher, paths: &[PathBuf]) -> notify::Result<()> {
    let mut result = Ok(());
    for path in paths {
        if let Some(around) = around(path) {
            result = result.and(watcher.watch(around, RecursiveMode::NonRecursive));
        }
        if path.is_dir() {
            result = result.and(watcher.watch(path, RecursiveMode::Recursive));
        }
    }
    result
}

/// The directory in which a path's own name stands; `None` for the root.
fn around(path: &Path) -> Option<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(Path::new(".")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Longest a test waits for the next look.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// The timer must not hide a lost event.
    const NEVER: Duration = Duration::from_secs(3600);

    struct Seen {
        root: tempfile::TempDir,
        looks: mpsc::Receiver<Vec<String>>,
        _watch: Watch,
    }

    /// Watches a directory (or a file in it) and reports what is read there at every look.
    fn watching(start: impl Fn(&Path), of: impl Fn(&Path) -> PathBuf) -> Seen {
        let root = tempfile::tempdir().expect("a directory");
        start(root.path());
        let paths = vec![of(root.path())];
        let (tell, looks) = mpsc::sync_channel(64);
        let reading = paths.clone();
        let watch = Watch::start_every(NEVER, paths, move || {
            let texts = match crate::files::read(&reading) {
                Ok(files) => files.iter().map(|file| file.text.to_string()).collect(),
                Err(unreadable) => vec![unreadable[0].problem.clone()],
            };
            // The test may have seen enough and be gone.
            let _gone = tell.send(texts);
        })
        .expect("a watch");
        Seen { root, looks, _watch: watch }
    }

    impl Seen {
        fn until(&self, expected: &[&str]) {
            let mut last = Vec::new();
            while let Ok(seen) = self.looks.recv_timeout(PATIENCE) {
                if seen == expected {
                    return;
                }
                last = seen;
            }
            panic!("never saw {expected:?}, last was {last:?}");
        }
    }

    fn put(root: &Path, name: &str, text: &str) {
        std::fs::write(root.join(name), text).expect("a file");
    }

    #[test]
    fn an_edit_in_place_is_seen() {
        let seen = watching(|root| put(root, "a.yaml", "one"), |root| root.join("a.yaml"));

        put(seen.root.path(), "a.yaml", "two");
        seen.until(&["two"]);
    }

    #[test]
    fn an_edit_by_renaming_a_new_file_over_the_old_is_seen_every_time() {
        let seen = watching(|root| put(root, "a.yaml", "one"), |root| root.join("a.yaml"));

        for text in ["two", "three", "four"] {
            put(seen.root.path(), "a.yaml.new", text);
            std::fs::rename(seen.root.path().join("a.yaml.new"), seen.root.path().join("a.yaml"))
                .expect("a rename");
            seen.until(&[text]);
        }
    }

    #[test]
    fn a_directory_that_is_added_and_removed_is_seen_with_its_files() {
        let seen = watching(|root| put(root, "a.yaml", "one"), Path::to_owned);

        std::fs::create_dir(seen.root.path().join("more")).expect("a directory");
        put(seen.root.path(), "more/b.yaml", "two");
        seen.until(&["one", "two"]);

        std::fs::remove_dir_all(seen.root.path().join("more")).expect("a directory");
        seen.until(&["one"]);
    }

    #[test]
    fn a_directory_that_is_replaced_stays_watched() {
        let make = |root: &Path| {
            std::fs::create_dir(root.join("config")).expect("a directory");
            put(root, "config/a.yaml", "one");
        };
        let seen = watching(make, |root| root.join("config"));
        let root = seen.root.path();

        std::fs::rename(root.join("config"), root.join("old")).expect("a rename");
        make(root);
        put(root, "config/a.yaml", "two");
        seen.until(&["two"]);
        put(root, "config/a.yaml", "three");
        seen.until(&["three"]);
    }

    #[test]
    fn a_mounted_config_map_that_is_swapped_is_seen_through_its_links() {
        let version = |root: &Path, name: &str, text: &str| {
            std::fs::create_dir(root.join(name)).expect("a directory");
            put(root, &format!("{name}/a.yaml"), text);
            std::os::unix::fs::symlink(name, root.join("..new")).expect("a link");
            std::fs::rename(root.join("..new"), root.join("..data")).expect("a rename");
        };
        let mount = |root: &Path| {
            version(root, "..one", "one");
            std::os::unix::fs::symlink("..data/a.yaml", root.join("a.yaml")).expect("a link");
        };
        for of in [(|root| root.join("a.yaml")) as fn(&Path) -> PathBuf, Path::to_owned] {
            let seen = watching(mount, of);
            version(seen.root.path(), "..two", "two");
            seen.until(&["two"]);
        }
    }

    #[test]
    fn a_file_that_is_still_being_written_is_waited_for() {
        let now = super::now();
        let data = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let event = |kind| notify::Event::new(kind).add_path("a.yaml".into());
        let mut pending = Pending { first: Some(now), last: Some(now), ..Pending::default() };

        assert!(pending.note(&event(data)));
        assert_eq!(pending.due(), Some(now + WRITING_MAX));
        assert!(pending.note(&event(close)));
        assert_eq!(pending.due(), Some(now + QUIET));
    }

    #[test]
    fn a_busy_neighbour_neither_wakes_nor_starves_us() {
        let paths = ["/etc/selvedge/a.yaml".into()];
        let about = |path: &str| concerns(&notify::Event::new(EventKind::Any).add_path(path.into()), &paths);
        assert!(about("/etc/selvedge/a.yaml") && about("/etc/selvedge") && about("/etc/selvedge/..data"));
        assert!(!about("/etc/selvedge/b.yaml") && !about("/etc/selvedge/a.yaml.swp"));

        let first = super::now();
        let last = first + WRITING_MAX * 3;
        let never_quiet = Pending { first: Some(first), last: Some(last), ..Pending::default() };
        assert_eq!(never_quiet.due(), Some(first + WRITING_MAX));
    }

    #[test]
    fn reading_a_file_is_no_change() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        let mut pending = Pending::default();

        assert!(!pending.note(&notify::Event::new(open)));
        assert!(!pending.note(&notify::Event::new(read)));
    }
}
