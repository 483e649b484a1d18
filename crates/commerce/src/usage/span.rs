//! The longer spans that old windows are put together to, when nobody looks at single minutes any more.

use super::Window;

/// A span of several windows. Each begins at a full hour or day (UTC), so that no window lies in two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Span {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
}

impl Span {
    /// Its length in windows.
    #[must_use]
    pub const fn windows(self) -> u32 {
        match self {
            Span::Hour => 60,
            Span::Day => 24 * 60,
        }
    }

    /// The first window of the span in which a window lies.
    #[must_use]
    pub const fn begin(self, window: Window) -> Window {
        Window(window.0 - window.0 % self.windows())
    }

    /// The first window at which such a span begins that is not before this one.
    #[must_use]
    pub const fn end(self, window: Window) -> Window {
        let begin = self.begin(window);
        Window(if begin.0 == window.0 { begin.0 } else { begin.0.saturating_add(self.windows()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lies_in_one_hour_and_one_day() {
        assert_eq!((Span::Hour.begin(Window(119)), Span::Hour.end(Window(119))), (Window(60), Window(120)));
        assert_eq!(
            (Span::Day.begin(Window(1440)), Span::Day.end(Window(1440))),
            (Window(1440), Window(1440))
        );
        assert_eq!(Span::Day.end(Window(u32::MAX)), Window(u32::MAX));
    }
}
