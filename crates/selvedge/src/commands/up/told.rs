//! What `selvedge up` tells while it runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::output;
use crate::up::kept::{self, KeptEvent};
use crate::up::{Event, example};

/// Keeps what goes well during a start to itself, and what does not work yet: objects come one after the other, and
/// each looks for the one that comes next. The lines that say what runs say all of it; what is still wrong then
/// follows them.
#[derive(Default)]
pub(super) struct Hush(Arc<Start>);

#[derive(Default)]
struct Start {
    is_over: AtomicBool,
    /// The newest of them: the ones before it have passed.
    problems: Mutex<Option<KeptEvent>>,
}

impl Hush {
    pub(super) fn listener(&self) -> kept::Listener {
        let start = Arc::clone(&self.0);
        Arc::new(move |event| start.hear(event))
    }

    /// Tells what is still wrong, but for what was `said`.
    pub(super) fn end(&self, said: &[String]) {
        let mut newest = self.0.problems();
        self.0.is_over.store(true, Ordering::Relaxed);
        match newest.take() {
            Some(KeptEvent::Problems { problems, .. }) if problems == said => {}
            newest => newest.into_iter().for_each(tell_kept),
        }
    }
}

impl Start {
    fn hear(&self, event: KeptEvent) {
        let mut problems = self.problems();
        if self.is_over.load(Ordering::Relaxed) {
            drop(problems);
            return tell_kept(event);
        }
        match event {
            KeptEvent::Problems { .. } => *problems = Some(event),
            KeptEvent::Gateway(proxy::Event::Connected(_)) => {}
            KeptEvent::Gateway(proxy::Event::Applied { ref rejections, .. }) if rejections.is_empty() => {}
            _ => tell_kept(event), // Something to be told at any time.
        }
    }

    fn problems(&self) -> MutexGuard<'_, Option<KeptEvent>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn tell_kept(event: KeptEvent) {
    match event {
        KeptEvent::Published(said) => output::note(said),
        KeptEvent::Problems { problems, warnings } => note_problems(&problems, &warnings),
        KeptEvent::Gateway(event) => {
            if let Some(sentence) = crate::gateway::event::sentence(&event) {
                output::error(sentence);
            }
        }
        KeptEvent::Refused(why) => {
            output::error(why);
            output::note("the last good configuration stays in use");
        }
        KeptEvent::Delayed(why) => {
            output::error(why);
            output::note(
                "the last good configuration stays in use; the edit is tried again until it can be applied",
            );
        }
        KeptEvent::Landed => output::note("the edit that had to wait is applied"),
    }
}

pub(super) fn tell(event: &Event) {
    match event {
        Event::Applied { .. } => output::error(event),
        Event::Refused(_) => {
            output::error(event);
            output::note("the last good configuration stays in use");
        }
    }
}

pub(super) fn note_example(example: Option<&example::Example>) {
    if let Some(example) = example {
        output::note("  example  no -f given: running examples/hello with sample services in this process");
        example.moved.iter().for_each(|moved| output::note(format_args!("  note     {moved}")));
    }
}

pub(super) fn note_problems(problems: &[String], warnings: &[String]) {
    for problem in problems {
        output::note(format_args!("  {}", problem.replace('\n', "\n  ")));
    }
    warnings.iter().for_each(|warning| output::note(format_args!("warning: {warning}")));
}
