//! Documents by which clients learn what there is: discovery, OpenAPI, the version.
//!
//! All of them are made from the table of kinds and the schemas, so none of them can promise what is not there. They
//! are the same for the life of a process; whoever serves them may make each once.

mod components;
mod discovery;
mod names;
mod openapi_v2;
mod openapi_v3;
mod operations;
mod protobuf;
mod words;

pub use discovery::{Aggregated, api_group, api_groups, api_resources, api_versions, discover, version};
pub(crate) use names::is_built_in;
pub use names::{GroupVersion, find, group_versions, list_kind};
pub use openapi_v2::openapi_v2;
pub use openapi_v3::{openapi_v3, openapi_v3_index};
pub use operations::TYPED;
pub use protobuf::{OPENAPI_V2_PROTOBUF, OPENAPI_V2_PROTOBUF_ASKED, openapi_v2_protobuf};
