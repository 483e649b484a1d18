//! How much was used on each day, as a drawing within the page: no script, the colours of the page, and readable aloud.

use crate::facts::usage::Used;

const ROW: usize = 30;
/// Where bars begin and end, of a width of 1000.
const BEGIN: usize = 110;
const END: usize = 860;

/// A bar for each day on which something was asked, the last day first.
#[derive(Clone, Debug, Default)]
pub struct Days {
    /// The bars, from above.
    pub bars: Vec<Bar>,
    /// Height of the whole.
    pub height: usize,
}

/// A day.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Upper edge.
    pub y: usize,
    /// The day.
    pub day: String,
    /// Length of what was carried.
    pub requests_length: usize,
    /// Where what was refused begins.
    pub refused_x: usize,
    /// Length of what was refused.
    pub refused_length: usize,
    /// Requests that were carried.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
}

impl Days {
    /// The bars of sums by day.
    pub fn of(used: &[Used]) -> Days {
        let mut days: Vec<&Used> = used.iter().filter(|used| used.requests + used.refused > 0).collect();
        days.sort_by(|one, other| other.day.cmp(&one.day));
        let most = days.iter().map(|used| used.requests + used.refused).max().unwrap_or_default();
        let length = |count: u64| -> usize {
            let share = u128::from(count) * (END - BEGIN) as u128 / u128::from(most.max(1));
            // What there was is seen, however little it was.
            usize::try_from(share).unwrap_or(END - BEGIN).max(usize::from(count > 0) * 2)
        };
        let bar = |(number, used): (usize, &&Used)| Bar {
            y: number * ROW,
            day: used.day.clone(),
            requests_length: length(used.requests),
            refused_x: BEGIN + length(used.requests),
            refused_length: length(used.refused),
            requests: used.requests,
            refused: used.refused,
        };
        Days { bars: days.iter().enumerate().map(bar).collect(), height: days.len() * ROW }
    }
}

impl Bar {
    /// Where its labels stand.
    pub fn text_y(&self) -> usize {
        self.y + 20
    }

    /// Upper edge of the bar itself.
    pub fn bar_y(&self) -> usize {
        self.y + 6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(day: &str, requests: u64, refused: u64) -> Used {
        Used { day: day.to_owned(), requests, refused, ..Used::default() }
    }

    #[test]
    fn the_last_day_is_first_and_the_fullest_the_longest() {
        let days =
            Days::of(&[used("2026-01-01", 1, 0), used("2026-01-03", 600, 150), used("2026-01-02", 0, 0)]);

        let shown: Vec<&str> = days.bars.iter().map(|bar| bar.day.as_str()).collect();
        assert_eq!(shown, ["2026-01-03", "2026-01-01"]);
        assert_eq!((days.bars[0].requests_length, days.bars[0].refused_length), (600, 150));
        assert_eq!(days.bars[0].refused_x + days.bars[0].refused_length, END);
        assert_eq!((days.bars[1].requests_length, days.bars[1].refused_length), (2, 0));
        assert_eq!(days.height, 2 * ROW);
    }

    #[test]
    fn any_count_fits() {
        let days = Days::of(&[used("2026-01-01", u64::MAX / 2, u64::MAX / 2)]);

        assert!(days.bars[0].refused_x + days.bars[0].refused_length <= END);
    }
}
