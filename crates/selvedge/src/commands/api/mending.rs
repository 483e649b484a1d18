//! `selvedge api lint --fix`: mends files, and shows every line that changes.

use apis::Document;
use apis::lint::fix::{Fix, fix};
use apis::lint::{Rule, Ruleset};

use super::documents::refused;
use crate::exit::Failure;
use crate::output;
use crate::show::{counted, difference};

/// Mends documents, in memory and in their files; with `dry_run` only in memory. `tell` gets the differences.
pub fn mend(
    documents: &mut [Document],
    ruleset: &Ruleset,
    wanted: impl Fn(&Rule) -> bool,
    dry_run: bool,
    tell: fn(String),
) -> Result<(), Failure> {
    let mended = fix(documents, ruleset, wanted).map_err(|problems| refused(&problems))?;
    for changed in mended.documents {
        let Some(document) = documents.iter_mut().find(|document| document.name == changed.name) else {
            continue;
        };
        if let Some(difference) = difference::unified(&changed.name, &document.text, &changed.text) {
            tell(difference);
        }
        if !dry_run {
            std::fs::write(&*changed.name, &*changed.text).map_err(|problem| {
                let what = format!("cannot write {}: {problem}", changed.name);
                Failure::machine(what, "check its permissions; files named before it are mended")
            })?;
        }
        *document = changed;
    }
    for fix in &mended.fixes {
        output::note(format_args!("{}: {}", if dry_run { "would mend" } else { "mended" }, told(fix)));
    }
    for left in &mended.left {
        output::note(format_args!("not mended: {}; {}", told(&left.fix), left.why));
    }
    let verb = if dry_run { "could be mended" } else { "mended" };
    let count = counted(mended.fixes.len(), "mistake");
    output::note(format_args!("{count} {verb}, {} left to people", mended.left.len()));
    Ok(())
}

/// One line about one mistake.
fn told(fix: &Fix) -> String {
    let Fix { rule, file, line, subject, what } = fix;
    crate::show::visible(&format!("{file}:{line} {}: {subject} {what}", rule.id))
}
