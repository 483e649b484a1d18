//! The usage ledger: what gateways tell of what was called, kept as they tell it, the larger of two tellings at a time.
//!
//! A start of a gateway (its *boot*) is registered before it tells anything. Whoever takes over what an ended start has
//! left behind must wait until that was not heard of for a while: a copy of a disk is refused while the gateway that it
//! was copied from counts. All of a shipment is one transaction, and is acknowledged when it is durable. What many
//! ended starts have left behind is one transaction too: making it durable is what writing costs.

#[cfg(test)]
pub(super) mod contract;
pub(super) mod merge;
pub(super) mod sql;
pub(super) mod tables;

use std::sync::Arc;

use commerce::usage::{Boot, Conservation, Counts, Span, Window};

use super::Answer;

/// How long a start of a gateway counts as alive after it was heard of, in milliseconds. Whoever says before that it
/// has ended is refused.
pub const HEARD_MILLISECONDS: u64 = 6_000;

/// How long a shipment that says nothing new is not written down, in milliseconds.
const QUIET_MILLISECONDS: u64 = 2_000;

/// Most rows that one transaction puts together, unless one hour of one start has more.
pub const MERGED_ROWS_MAX: u64 = 5_000;

/// Most sums in one answer. Past it the answer says that it is cut.
pub const SUMS_MAX: usize = 10_000;

/// 16 bytes that are in the memory of one process only.
pub type Session = [u8; 16];

/// A gateway makes a start of itself known, or one that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The gateway.
    pub node: Arc<str>,
    /// The start.
    pub boot: Boot,
    /// Who tells of it.
    pub session: Session,
    /// Whether nothing will be added to it.
    pub is_ended: bool,
}

/// What something is counted for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series {
    /// What stands for it.
    pub digest: [u8; 16],
    /// A subscription, in hexadecimal digits; empty without one.
    pub subscription: String,
    /// `namespace/name` of the application; empty when none is known.
    pub application: String,
    /// `namespace/name` of the product; empty without one.
    pub product: String,
    /// `namespace/name` of the plan; empty without one.
    pub plan: String,
    /// `namespace/name` of the APIVersion; empty for a listener.
    pub version: String,
    /// The operation.
    pub operation: String,
    /// The listener, if it is everything that came by one.
    pub listener: String,
}

/// One number of each meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The worker.
    pub shard: u16,
    /// The window.
    pub window: Window,
    /// What it is about: a digest.
    pub series: [u8; 16],
    /// The absolute values.
    pub counts: Counts,
}

/// What a gateway tells at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// The start.
    pub boot: Boot,
    /// Who tells.
    pub session: Session,
    /// What it is about.
    pub series: Vec<Series>,
    /// The numbers; of each place one.
    pub told: Vec<Told>,
    /// Everything before will not change.
    pub watermark: Window,
    /// Nothing comes after this.
    pub is_complete: bool,
}

/// Something to write.
#[derive(Clone, Debug)]
pub enum UsageWrite {
    /// A start.
    Register(Registration),
    /// What was used.
    Keep(Shipment),
    /// At the beginning of this hour: which number was sealed last is noted, once.
    Mark(Window),
    /// Old rows are put together.
    Merge(Merge),
}

/// Old rows of one start become one row for each longer span and thing that was called. Only what cannot change any
/// more does, hour by hour from the oldest on, in steps of a bounded size; how far it is stands beside the start, in
/// the same transaction. Whatever is told of those windows again is in them already, and is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The start.
    pub boot: Boot,
    /// What minutes (or hours) become.
    pub into: Span,
    /// Windows before this one.
    pub before: Window,
    /// Of minutes, those only that were sealed when the last hour until this one was marked.
    pub sealed_by: Window,
}

/// How far old rows have been put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Before this window there may be hours in the place of minutes.
    pub hours_until: Window,
    /// Before this window there may be days in the place of hours.
    pub days_until: Window,
}

impl Merged {
    /// A span of time, with all of the hours and days that it cuts through and that are not kept in parts.
    #[must_use]
    pub fn whole(self, (from, until): (Window, Window)) -> (Window, Window) {
        let span = |window: Window| match window {
            _ if window < self.days_until => Some(Span::Day),
            _ if window < self.hours_until => Some(Span::Hour),
            _ => None,
        };
        let begin = span(from).map_or(from, |span| span.begin(from));
        (begin, span(until).map_or(until, |span| span.end(until)))
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is written down, or put together.
    Done,
    /// Nothing is: another process tells of this start, and was heard of a moment ago.
    Counting,
    /// Nothing is: the start is not known, or is another's, or there was nothing to do.
    Unknown,
}

/// By what sums are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The application.
    Application,
    /// The product.
    Product,
    /// The plan.
    Plan,
    /// The subscription.
    Subscription,
    /// The version of an API.
    Version,
    /// The operation, with its version.
    Operation,
    /// The day (UTC).
    Day,
    /// The hour (UTC).
    Hour,
    /// The gateway.
    Gateway,
}

impl By {
    /// All of them.
    pub const ALL: [By; 9] = [
        By::Application,
        By::Product,
        By::Plan,
        By::Subscription,
        By::Version,
        By::Operation,
        By::Day,
        By::Hour,
        By::Gateway,
    ];

    /// The word that asks for it, and the name of its member in answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            By::Application => "application",
            By::Product => "product",
            By::Plan => "plan",
            By::Subscription => "subscription",
            By::Version => "version",
            By::Operation => "operation",
            By::Day => "day",
            By::Hour => "hour",
            By::Gateway => "gateway",
        }
    }
}

/// Which usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// Of applications of this namespace and of APIs of it; all when absent.
    pub namespace: Option<String>,
    /// Of this application, `namespace/name`.
    pub application: Option<String>,
    /// Of this product, `namespace/name`.
    pub product: Option<String>,
    /// From this window on.
    pub from: Window,
    /// Before this window.
    pub until: Window,
}

/// A sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// What it is the sum of; empty where it was not told apart by that. The window is the first of a day or hour.
    pub of: Series,
    /// See [`By::Gateway`].
    pub gateway: String,
    /// The first window of the day or hour.
    pub window: Window,
    /// The sum.
    pub counts: Counts,
}

/// The two counts of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its first window.
    pub window: Window,
    /// What will not change any more.
    pub sealed: Conservation,
    /// What may still grow.
    pub open: Conservation,
}

/// A start of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBoot {
    /// The gateway.
    pub node: String,
    /// Its number.
    pub boot: Boot,
    /// Everything before is here.
    pub watermark: Window,
    /// Whether all of it is here.
    pub is_complete: bool,
    /// Milliseconds since it was heard of.
    pub silent_milliseconds: u64,
}

/// How far somebody is with the windows that were sealed, in the order in which they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the seal.
    pub seal: u64,
    /// The last window of it that was read: its start, minute and series.
    pub last: (String, u32, String),
}

/// A window that will not change any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Where to go on behind it.
    pub cursor: Cursor,
    /// What it is about; its window too.
    pub sum: Sum,
    /// The start of the gateway.
    pub boot: Boot,
}

/// Bytes as text, as the ledger keeps them.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // Writing to a String cannot fail.
        text
    })
}

/// The ledger in a store.
pub trait UsageRows: Send + Sync {
    /// Writes things down, durably, in one transaction, each whole or not at all, and says what became of each.
    fn write_usage(&self, writes: Vec<UsageWrite>) -> Answer<'_, Vec<Kept>>;

    /// Sums of what was used, told apart by some things, at most [`SUMS_MAX`] and one.
    fn usage(&self, picked: Picked, by: Vec<By>) -> Answer<'_, Vec<Sum>>;

    /// Both counts, day by day, of a span of time.
    fn conservation(&self, from: Window, until: Window) -> Answer<'_, Vec<Day>>;

    /// Every start of which not everything is here, and the complete ones that were heard of since a moment ago.
    fn boots(&self) -> Answer<'_, Vec<KnownBoot>>;

    /// Windows that were sealed after a cursor, in order, at most `limit`; of one namespace, or all.
    fn sealed(&self, namespace: Option<String>, after: Cursor, limit: usize) -> Answer<'_, Vec<Sealed>>;

    /// Whether windows behind a cursor have been put together since; of one namespace, or all. Of windows of the hour in
    /// which the cursor is this cannot be said.
    fn missed(&self, namespace: Option<String>, after: Cursor) -> Answer<'_, bool>;

    /// How far old rows have been put together.
    fn merged(&self) -> Answer<'_, Merged>;

    /// Starts of which there may be rows before a window that have not been put together.
    fn aging(&self, into: Span, before: Window) -> Answer<'_, Vec<Boot>>;
}
