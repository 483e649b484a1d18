//! Numbers within bounds and on a grid.

use serde_json::{Number, Value};

use super::{Look, Maker};
use crate::numbers;
use crate::schema::{Bound, Schema};

/// How far from zero numbers are drawn when nothing bounds them.
const SPAN: f64 = 1_000.0;

impl Maker<'_> {
    /// A number that keeps to the rules of all parts.
    pub fn number(&mut self, parts: &[&Schema], whole: bool) -> Option<Value> {
        let rules = || parts.iter().filter_map(|part| part.number.as_deref());
        let least = strictest(rules().filter_map(|rules| rules.minimum.as_ref()), true);
        let most = strictest(rules().filter_map(|rules| rules.maximum.as_ref()), false);
        let steps: Vec<&Number> = rules().filter_map(|rules| rules.multiple_of.as_ref()).collect();
        if whole || steps.iter().any(|step| step.as_f64().is_some_and(|step| step.fract() == 0.0)) {
            return self.whole(least, most, &steps);
        }
        self.fraction(least, most, &steps)
    }

    fn whole(&mut self, least: Option<&Bound>, most: Option<&Bound>, steps: &[&Number]) -> Option<Value> {
        let low = least.map(|bound| whole_end(bound, true));
        let high = most.map(|bound| whole_end(bound, false));
        let (low, high) = match (low, high) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low.saturating_add(SPAN as i128)),
            (None, Some(high)) => (high.saturating_sub(SPAN as i128), high),
            (None, None) => (0, SPAN as i128),
        };
        let (low, high) = (low.max(i64::MIN.into()), high.min(u64::MAX.into()));
        if low > high {
            return None;
        }
        let fits = |number: i128| {
            let number =
                i64::try_from(number).map(Number::from).or_else(|_| u64::try_from(number).map(Number::from));
            number.ok().filter(|number| steps.iter().all(|step| numbers::is_multiple(number, step)))
        };
        let step = grid(steps);
        let (first, last) = (div_up(low, step), high.div_euclid(step));
        if first > last {
            return None;
        }
        let start = match self.look {
            Look::Plain => 0.clamp(first, last),
            Look::Drawn => self.chance.between(first, last),
        };
        // A grid of fractions has whole numbers only here and there.
        let near = (0..200).flat_map(|by| [start + by, start - by]);
        let mut near = near.filter(|at| (first..=last).contains(at));
        near.find_map(|at| fits(at.checked_mul(step)?)).map(Value::Number)
    }

    fn fraction(&mut self, least: Option<&Bound>, most: Option<&Bound>, steps: &[&Number]) -> Option<Value> {
        let end = |bound: Option<&Bound>| bound.and_then(|bound| bound.number.as_f64());
        let (low, high) = match (end(least), end(most)) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low + SPAN),
            (None, Some(high)) => (high - SPAN, high),
            (None, None) => (0.0, SPAN),
        };
        if low > high {
            return None;
        }
        let share = match self.look {
            Look::Plain if least.is_none_or(|bound| !bound.exclusive) && low >= 0.0 => 0.0,
            Look::Plain => 0.5,
            Look::Drawn => {
                f64::from(u32::try_from(self.chance.below(1 << 20)).unwrap_or(0)) / f64::from(1 << 20)
            }
        };
        let drawn = low + (high - low) * share;
        let number = match steps.first().and_then(|step| step.as_f64()) {
            None => rounded(drawn, low, high),
            // The nearest of the grid, written as a decimal so that `0.1 × 3` is `0.3`.
            Some(step) => {
                let mut at = (drawn / step).round();
                if at * step > high {
                    at -= 1.0;
                }
                if at * step < low {
                    at += 1.0;
                }
                format!("{:.9}", at * step).parse().unwrap_or(at * step)
            }
        };
        Number::from_f64(number).map(Value::Number)
    }
}

/// Two decimals are enough to look at, if they are still within.
fn rounded(number: f64, low: f64, high: f64) -> f64 {
    let short = (number * 100.0).round() / 100.0;
    if short > low && short < high { short } else { number }
}

fn strictest<'b>(bounds: impl Iterator<Item = &'b Bound>, least: bool) -> Option<&'b Bound> {
    bounds.reduce(|left, right| {
        let order = numbers::compare(&left.number, &right.number);
        let left_wins = if order.is_eq() { left.exclusive } else { order.is_gt() == least };
        if left_wins { left } else { right }
    })
}

/// The first whole number inside of a bound.
fn whole_end(bound: &Bound, least: bool) -> i128 {
    if let Some(exact) =
        bound.number.as_i64().map(i128::from).or_else(|| bound.number.as_u64().map(i128::from))
    {
        return match (bound.exclusive, least) {
            (false, _) => exact,
            (true, true) => exact + 1,
            (true, false) => exact - 1,
        };
    }
    let near = bound.number.as_f64().unwrap_or(0.0);
    let end = if least { near.ceil() } else { near.floor() };
    let itself = bound.exclusive && end == near;
    (end as i128) + if itself { if least { 1 } else { -1 } } else { 0 }
}

/// The whole step that is on every grid of whole steps; fractions are looked for on the way.
fn grid(steps: &[&Number]) -> i128 {
    let whole = |step: &&Number| {
        let near = step.as_f64().filter(|near| near.fract() == 0.0 && *near >= 1.0 && *near < 1e15)?;
        Some(near as i128)
    };
    steps.iter().filter_map(whole).fold(1, |grid, step| grid / common(grid, step) * step).max(1)
}

fn common(left: i128, right: i128) -> i128 {
    if right == 0 { left.max(1) } else { common(right, left % right) }
}

fn div_up(number: i128, by: i128) -> i128 {
    -(-number).div_euclid(by)
}
