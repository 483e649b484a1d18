//! What was used, counted so that no accident can change it.
//!
//! A gateway counts in windows of a minute and tells *absolute values*: so many in this window, by this gateway since
//! this start. Whoever keeps the ledger takes the larger of what it knows and what it is told. Then it makes no
//! difference whether a message is lost, comes twice, in another order or a month late; nothing is ever counted twice,
//! and what a gateway has counted stays owed until the ledger has it.
//!
//! A gateway also tells how far it is (its *watermark*): everything before that minute is in the ledger and will not
//! change. Such windows are *sealed*; bills and exports are made of sealed windows only.

mod conservation;
mod counts;
mod ledger;
mod span;
mod window;

pub use conservation::{Conservation, Side};
pub use counts::{Class, Counts, METERS, Meter};
pub use ledger::{Ledger, Place};
pub use span::Span;
pub use window::{WINDOW_SECONDS, Window};

/// The number of a start of a gateway, random: nothing that counted before or elsewhere has the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Boot(pub u128);
