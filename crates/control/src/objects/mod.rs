//! What the API does to one object: everything between the bytes of a request and a write to the store, and back.
//!
//! No socket, no clock, no store: a request, the object as it is and a body go in, the object as it is to be kept
//! comes out, or a [`Status`] that says why not. [`admit`] knows the order (decode, merge, prepare, judge, record
//! owners); the other files know one step each and do not know each other. Objects are trees in the shape of
//! Kubernetes; a tree that came through [`body`] is never deeper than [`body::BODY_DEPTH_MAX`], on which every
//! recursion here relies.

pub mod admit;
pub mod apply;
pub mod body;
mod decode;
pub mod deletion;
pub mod documents;
mod judge;
mod kinds;
pub mod media;
mod metadata;
pub mod patch;
pub mod request;
pub mod selectors;
pub mod status;
pub mod table;
pub mod versions;

pub use admit::{Admitted, Verdict, create, patch, update};
pub use body::Body;
pub use deletion::{DeleteOptions, delete};
pub use request::{FieldValidation, Part, Request};
pub use status::{About, Status};
