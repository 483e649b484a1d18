//! Lines that a process wrote, as they arrive.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

/// A growing list of lines that can be waited on.
#[derive(Clone, Debug)]
pub struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Default for Lines {
    fn default() -> Self {
        Lines { lines: Arc::default(), count: watch::channel(0).0 }
    }
}

impl Lines {
    /// Starts a task that reads `source` to its end.
    pub fn reading(source: impl AsyncRead + Unpin + Send + 'static) -> Lines {
        let lines = Lines::default();
        let writer = lines.clone();
        tokio::spawn(async move {
            let mut source = BufReader::new(source).lines();
            while let Ok(Some(line)) = source.next_line().await {
                writer.push(line);
            }
        });
        lines
    }

    /// Adds a line.
    pub fn push(&self, line: String) {
        let count = {
            let mut lines = self.lines.lock().expect("no reader panics while it holds the lines");
            lines.push(line);
            lines.len()
        };
        self.count.send_replace(count);
    }

    /// All lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.lines.lock().expect("no reader panics while it holds the lines").clone()
    }

    /// The first line, old or new, for which `pick` has an answer.
    ///
    /// # Errors
    /// When there is none within [`crate::until::PATIENCE`]; the lines so far are in the message.
    pub async fn find<T>(&self, what: &str, pick: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let mut counted = self.count.subscribe();
        let looking = async {
            loop {
                counted.borrow_and_update();
                if let Some(found) = self.all().iter().find_map(|line| pick(line)) {
                    return found;
                }
                if counted.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let waited = crate::until::within(what, looking).await;
        waited.map_err(|problem| format!("{problem}; the lines were:\n    {}", self.all().join("\n    ")))
    }
}
