//! Descriptions of APIs become *operations*, and everything that a description alone can answer is answered here.
//!
//! Whoever routes, documents, mocks, checks, prices or counts speaks of operations and names them by one stable key.
//! This crate turns what people upload into operations, of whatever protocol, and it is pure: no socket, no clock, no
//! file. A reference never leaves the upload.
//!
//! What is read from the outside is bounded ([`limits`]), and all mistakes are reported at once ([`Problem`]).

mod description;
mod numbers;
mod op_key;
mod openapi;
mod operation;
mod overlay;
mod problem;
mod request;
mod source;
mod template;

pub mod cases;
pub mod check;
pub mod diff;
pub mod jsonpath;
pub mod limits;
pub mod lint;
pub mod mock;
pub mod schema;
pub mod shim;

pub use description::{Description, Dialect, Server, Tag};
pub use op_key::OpKey;
pub use operation::Media;
pub use operation::{
    Body, Example, Form, Header, Operation, Parameter, Place, Requirement, Response, Scheme, Security, Shape,
    Statuses, Style,
};
pub use problem::Problem;
pub use request::Request;
pub use source::Document;
pub use template::{Part, Segment, Template};
