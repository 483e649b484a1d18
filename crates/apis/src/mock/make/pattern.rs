//! Text that a pattern matches.
//!
//! The pattern is taken apart and walked; where it leaves a choice, chance or the wanted length decides. What looks at
//! neighbours (`^`, `$`, `\b`) is left to the check behind.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::super::chance::Chance;

/// Most repetitions beyond what must be.
const MORE: u32 = 8;
/// Most bytes of one text.
const BYTES: usize = 64 << 10;

/// Text for a pattern in the syntax of the `regex` crate. `attempt` widens what is tried.
pub fn text(pattern: &str, chance: &mut Chance, least: u64, most: u64, attempt: u32) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    // A long text needs its repetitions long; the first attempts are as short as they may be.
    let more = if least > 0 && attempt % 3 != 2 {
        u32::try_from(least).unwrap_or(u32::MAX)
    } else {
        attempt.min(MORE)
    };
    let mut walk = Walk { chance, text: String::new(), more, aim: least.min(BYTES), attempt };
    walk.node(&hir)?;
    let mut text = walk.text;
    // What is found somewhere may have anything around it.
    let open_end = !ends_bound(&hir);
    while open_end && text.chars().count() < least && text.len() < BYTES {
        text.push('a');
    }
    (text.chars().count() as u64 <= most).then_some(text)
}

fn ends_bound(hir: &Hir) -> bool {
    hir.properties().look_set_suffix_any().contains(regex_syntax::hir::Look::End)
}

struct Walk<'c> {
    chance: &'c mut Chance,
    text: String,
    more: u32,
    /// Length at which repetitions stop.
    aim: usize,
    attempt: u32,
}

impl Walk<'_> {
    fn node(&mut self, hir: &Hir) -> Option<()> {
        if self.text.len() > BYTES {
            return None;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(()),
            HirKind::Literal(literal) => {
                self.text.push_str(std::str::from_utf8(&literal.0).ok()?);
                Some(())
            }
            HirKind::Class(class) => self.class(class),
            HirKind::Capture(capture) => self.node(&capture.sub),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.node(part)),
            HirKind::Alternation(branches) => {
                let first = if self.attempt == 0 { 0 } else { self.chance.below(branches.len() as u64) };
                self.node(branches.get(usize::try_from(first).ok()?)?)
            }
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(u32::MAX);
                let drawn = u32::try_from(self.chance.below(u64::from(self.more.min(MORE)) + 1)).unwrap_or(0);
                let wanted = if self.aim > 0 { self.more } else { drawn };
                let times = repetition.min.saturating_add(wanted).min(most);
                for time in 0..times {
                    if time >= repetition.min && self.aim > 0 && self.text.chars().count() >= self.aim {
                        break;
                    }
                    self.node(&repetition.sub)?;
                }
                Some(())
            }
        }
    }

    fn class(&mut self, class: &Class) -> Option<()> {
        let ranges: Vec<(u32, u32)> = match class {
            Class::Unicode(class) => {
                class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
            }
            Class::Bytes(class) => {
                class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
            }
        };
        // Letters and digits are the best to look at, then what can be printed, then anything.
        let readable = [('a', 'z'), ('A', 'Z'), ('0', '9'), ('!', '~'), (' ', ' ')];
        let overlap = |low: char, high: char| {
            let both =
                ranges.iter().map(move |(start, end)| ((*start).max(low.into()), (*end).min(high.into())));
            both.filter(|(start, end)| start <= end).collect::<Vec<_>>()
        };
        let mut chosen: Vec<(u32, u32)> = Vec::new();
        for (low, high) in readable {
            if chosen.is_empty() || (high.is_alphanumeric() && self.attempt > 0) {
                chosen.extend(overlap(low, high));
            }
        }
        if chosen.is_empty() {
            chosen = ranges;
        }
        let range = chosen.get(usize::try_from(self.chance.below(chosen.len() as u64)).ok()?)?;
        let code = u64::from(range.0) + self.chance.below(u64::from(range.1 - range.0) + 1);
        self.text.push(char::from_u32(u32::try_from(code).ok()?)?);
        Some(())
    }
}
