//! The pages as a browser gets them, before an API that answers from a table.

mod armed;
mod documents;
mod session;
mod shown;
mod sold;
mod strangers;
mod visit;
