//! What `selvedge up` tells while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::output;
use crate::up::kept::{self, KeptEvent};
use crate::up::{Event, example};

/// Keeps what goes well during a start to itself: the lines that say what runs say all of it.
#[derive(Default)]
pub(super) struct Hush(Arc<AtomicBool>);

impl Hush {
    pub(super) fn listener(&self) -> kept::Listener {
        let is_over = Arc::clone(&self.0);
        Arc::new(move |event| {
            let goes_well = match &event {
                KeptEvent::Gateway(proxy::Event::Connected(_)) => true,
                KeptEvent::Gateway(proxy::Event::Applied { rejections, .. }) => rejections.is_empty(),
                _ => false, // Something to be told at any time.
            };
            if is_over.load(Ordering::Relaxed) || !goes_well {
                tell_kept(event);
            }
        })
    }

    pub(super) fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
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
