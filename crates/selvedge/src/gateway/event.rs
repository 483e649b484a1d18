//! What happens between a proxy and its control plane, in sentences.

use std::fmt::Write;

use control::status::BindResult;
use model::units::Moment;
use proxy::{Event, IdentityEvent};

use crate::up::event::cannot_listen;

/// Most rejected objects that are named with an epoch.
const REJECTIONS_SHOWN_MAX: usize = 20;

/// An event as people read it. `None` for what need not be said.
#[must_use]
pub fn sentence(event: &Event) -> Option<String> {
    match event {
        Event::Connected(control) => Some(format!("connected to the control plane {control}")),
        Event::Lost { problem, is_final } => Some(lost(problem, *is_final)),
        Event::Applied { epoch, is_new, cached_age, rejections, unbound, took } => {
            if !is_new && rejections.is_empty() {
                return None;
            }
            let mut text = match cached_age {
                Some(age) => format!("applied epoch {epoch} from the cache, {} s old", age.as_secs()),
                None => format!("applied epoch {epoch} in {:.1} ms", took.as_secs_f64() * 1e3),
            };
            for rejection in rejections.iter().take(REJECTIONS_SHOWN_MAX) {
                let problem = rejection.problem.trim_end().replace('\n', "\n    ");
                let _ = write!(text, "\n  rejected {}: {problem}", rejection.object); // A String takes everything.
            }
            if let Some(more) = rejections.len().checked_sub(REJECTIONS_SHOWN_MAX).filter(|more| *more > 0) {
                let _ = write!(text, "\n  and {more} more were rejected");
            }
            let unbound = unbound.iter().filter_map(|bound| {
                cannot_listen(&BindResult { address: bound.address, error: bound.error.clone() })
            });
            unbound.for_each(|line| text.push_str(&format!("\n{line}")));
            Some(text)
        }
        Event::CacheUnusable(problem) => {
            Some(format!("warning: {problem}\nhint: a start without the control plane needs a usable cache"))
        }
    }
}

/// What happened to the identity of a proxy, as people read it.
#[must_use]
pub fn identity(event: &IdentityEvent) -> String {
    match event {
        IdentityEvent::Certified { identity, until, is_kept } => {
            let until = Moment(i64::try_from(until.as_secs()).unwrap_or(i64::MAX));
            let kept = if *is_kept { ", from the disk" } else { "" };
            format!("a member of the mesh as {identity} until {until}{kept}")
        }
        IdentityEvent::Failed(problem) => {
            format!("no certificate of the mesh could be had: {problem}; it is tried again")
        }
        IdentityEvent::Unkept(problem) => format!(
            "warning: {problem}\nhint: a start without the control plane needs an identity on the disk"
        ),
    }
}

fn lost(problem: &str, is_final: bool) -> String {
    let hint = if is_final {
        "check the token file (--token-file) and what its token may serve (--serve)"
    } else if problem.contains("UnknownIssuer") {
        "the control plane's certificate does not come from the authority in the token file; is the file of this control plane?"
    } else if problem.contains("NotValidForName") {
        "the certificate is for another name; use in --control the name it was made for"
    } else if problem.contains("and epoch") {
        "was the control plane restored from an old backup? to accept that, stop this proxy and remove its cache"
    } else {
        "what was applied stays in use; it is tried again"
    };
    format!("error: no connection to the control plane: {problem}\nhint: {hint}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use discovery::object::TypeName;
    use discovery::{ObjectName, Rejection, Version};

    use super::*;

    fn applied(is_new: bool, rejections: Vec<Rejection>) -> Event {
        let took = Duration::from_millis(7);
        Event::Applied { epoch: 42, is_new, cached_age: None, rejections, unbound: Vec::new(), took }
    }

    #[test]
    fn what_was_rejected_is_named_with_its_problem() {
        let object = ObjectName { of: TypeName::new("HTTPRoute"), name: "shop/cart".into() };
        let rejection = Rejection { object, version: Version::stated("1"), problem: "no rules".to_owned() };

        let text = sentence(&applied(true, vec![rejection])).expect("a sentence");

        assert_eq!(text, "applied epoch 42 in 7.0 ms\n  rejected HTTPRoute shop/cart: no rules");
    }

    #[test]
    fn an_epoch_that_changes_nothing_is_not_worth_a_line() {
        assert_eq!(sentence(&applied(false, Vec::new())), None);
    }

    #[test]
    fn every_loss_comes_with_a_hint() {
        for problem in ["refused", "UnknownIssuer", "NotValidForName"] {
            let text =
                sentence(&Event::Lost { problem: problem.to_owned(), is_final: false }).expect("a sentence");
            assert!(text.contains("\nhint: "), "{text}");
        }
        let text =
            sentence(&Event::Lost { problem: "not known".to_owned(), is_final: true }).expect("a sentence");
        assert!(text.contains("--token-file"), "{text}");
    }
}
