//! `API`: the name under which everything about one interface is found.
//!
//! It says little itself. What can be called is said by its versions, and whether it lives follows from theirs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An API. Its name is how people write it, in paths and on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Api {
    /// What is wanted.
    pub spec: ApiSpec,
}

/// `API.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiSpec {
    /// What people call it; its name when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Arc<str>>,
    /// In which language it is described.
    pub protocol: Protocol,
    /// Name of the team that answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<str>>,
    /// Who may read about it.
    pub visibility: Visibility,
}

/// In which language an API is described.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// OpenAPI.
    #[default]
    #[serde(rename = "REST")]
    Rest,
    /// A schema of GraphQL.
    #[serde(rename = "GraphQL")]
    GraphQl,
    /// Protocol buffers.
    #[serde(rename = "GRPC")]
    Grpc,
    /// WSDL.
    #[serde(rename = "SOAP")]
    Soap,
}

/// Who may read about an API. It says nothing about who may call it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Who may read the object.
    #[default]
    Private,
}
