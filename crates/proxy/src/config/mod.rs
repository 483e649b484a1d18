//! From a compiled config to what workers run on.

mod prepare;

pub use prepare::{Prepared, Preparer};
