//! The real thing, behind one of two doors.
//!
//! From outside it is `selvedge up` as a process: what specs use unless they say otherwise, because signals,
//! memory, system calls and standard output are part of what is promised. From inside it is the same control
//! plane and proxy started through the library, as another program would embed them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use selvedge::up::{Running, Source, UpOptions};
use serde_json::Value;

use crate::answer::Answer;
use crate::client::{exchange, fetch, get};
use crate::lines::Lines;
use crate::process::Process;
use crate::until::eventually_some;

/// A running gateway. Dropping it ends it.
pub struct Gateway {
    /// The first listener of the scene it was started from.
    pub entry: SocketAddr,
    /// Where ready, metrics and the config dump are served.
    pub admin: SocketAddr,
    door: Door,
}

enum Door {
    Outside(Box<Process>),
    /// `None` once it was told to end.
    Inside(Arc<Mutex<Option<Running>>>),
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Door::Inside(running) = &self.door {
            stop(running);
        }
    }
}

/// It must not be stopped from an asynchronous task; its drain is bounded, so nobody needs to wait for it.
fn stop(running: &Mutex<Option<Running>>) {
    if let Some(running) = running.lock().expect("no holder panics").take() {
        std::thread::spawn(move || running.stop());
    }
}

impl Gateway {
    /// Starts with one worker, so that all client connections share one upstream pool, and waits until ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(yaml: &str, entry: SocketAddr) -> Gateway {
        Gateway::start_with(yaml, entry, &["--workers", "1"]).await
    }

    /// Starts the process with these flags beside `-f` and `--admin`, and waits until ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start_with(yaml: &str, entry: SocketAddr, flags: &[&str]) -> Gateway {
        match Process::start(yaml, flags).await {
            Ok((process, admin)) => Gateway { entry, admin, door: Door::Outside(Box::new(process)) },
            Err(problem) => panic!("the gateway did not start: {problem}"),
        }
    }

    /// Starts in this process, through the library.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_inside(yaml: &str, entry: SocketAddr) -> Gateway {
        let options = UpOptions { source: Source::Text(yaml.to_owned()), ..UpOptions::default() };
        let started = tokio::task::spawn_blocking(move || Running::start(options)).await;
        let running = started.expect("starting does not panic");
        let running = running.unwrap_or_else(|problem| panic!("the gateway did not start: {problem}"));
        let admin = running.admin().expect("an admin address was asked for");
        Gateway { entry, admin, door: Door::Inside(Arc::new(Mutex::new(Some(running)))) }
    }

    /// Replaces the whole configuration: the file from outside, the text from inside. Mistakes change nothing.
    pub async fn edit(&self, yaml: &str) {
        match &self.door {
            Door::Outside(process) => process.edit(yaml),
            Door::Inside(running) => {
                let (running, yaml) = (running.clone(), yaml.to_owned());
                let applying = tokio::task::spawn_blocking(move || {
                    let running = running.lock().expect("no holder panics");
                    // What is refused shows in what is served, from either door.
                    let _ = running.as_ref().map(|running| running.apply_text(&yaml));
                });
                applying.await.expect("applying does not panic");
            }
        }
    }

    /// Tells it to end: SIGTERM from outside, `stop` from inside.
    pub fn terminate(&self) {
        match &self.door {
            Door::Outside(process) => process.terminate(),
            Door::Inside(running) => stop(running),
        }
    }

    /// The process, for what only shows from outside.
    ///
    /// # Panics
    /// When it was started inside.
    #[must_use]
    pub fn process(&self) -> &Process {
        match &self.door {
            Door::Outside(process) => process,
            Door::Inside(_) => panic!("this gateway has no process of its own"),
        }
    }

    /// Lines of standard error.
    #[must_use]
    pub fn stderr(&self) -> &Lines {
        &self.process().stderr
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.process().resident_bytes()
    }

    /// The most resident memory it ever had, in bytes: what a flood took shows although it was given back.
    #[must_use]
    pub fn resident_bytes_peak(&self) -> u64 {
        self.process().resident_bytes_peak()
    }

    /// Waits for the process to end; `true` when it ended with success.
    ///
    /// # Panics
    /// When it does not end in time, or was started inside.
    pub async fn ended(&mut self) -> bool {
        match &mut self.door {
            Door::Outside(process) => process.ended().await,
            Door::Inside(_) => panic!("this gateway has no process of its own"),
        }
    }

    /// GET of an admin page.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn admin(&self, target: &str) -> Answer {
        fetch(self.admin, &self.admin.to_string(), target).await
    }

    /// Asks the entry until the answer is right; for changes of files, which take effect soon but not at once.
    pub async fn until(&self, host: &str, target: &str, right: impl Fn(&Answer) -> bool) -> Answer {
        eventually_some(&format!("GET {host}{target} to be answered as the new files say"), || async {
            exchange(self.entry, get(host, target, "")).await.ok().filter(&right)
        })
        .await
    }

    /// Waits until a failure with this code was counted.
    ///
    /// # Panics
    /// When it is not in time.
    pub async fn counts_failure(&self, code: &str) {
        let line = format!("selvedge_failures_total{{code=\"{code}\"}} ");
        eventually_some(&format!("{code} to be counted"), || async {
            self.admin("/metrics").await.text().contains(&line).then_some(())
        })
        .await;
    }

    /// The access log so far: every line of standard output that is a JSON object.
    #[must_use]
    pub fn access_log(&self) -> Vec<Value> {
        self.process().stdout.all().iter().filter_map(|line| json_object(line)).collect()
    }

    /// The first access log line, old or new, that `pick` accepts.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn logged(&self, what: &str, pick: impl Fn(&Value) -> bool) -> Value {
        let found = self.process().stdout.find(what, |line| json_object(line).filter(&pick)).await;
        found.unwrap_or_else(|problem| panic!("{problem}"))
    }
}

fn json_object(line: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok().filter(Value::is_object)
}
