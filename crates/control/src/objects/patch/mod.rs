//! Patches: a tree and a description of a change become the changed tree.
//!
//! Each of the three languages is a file. None of them can make a tree deeper or larger than a bounded multiple of what
//! was sent, because one of them (`copy` of RFC 6902) could otherwise make a giant of a few lines.

mod json;
mod merge;
mod strategic;

pub use json::json;
pub use merge::merge;
pub use strategic::strategic;
