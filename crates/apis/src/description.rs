//! A description: the operations of an API, and what holds for all of them.

use std::sync::Arc;

use crate::openapi;
use crate::operation::{Operation, Scheme};
use crate::overlay;
use crate::problem::Problem;
use crate::schema::Schemas;
use crate::source::Document;

/// The language of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAPI 3.0.
    OpenApi30,
    /// OpenAPI 3.1, whose schemas are those of JSON Schema 2020-12.
    OpenApi31,
}

/// An API as its authors describe it. Immutable; its parts are shared.
#[derive(Clone, Debug)]
pub struct Description {
    /// The language it is written in.
    pub dialect: Dialect,
    /// Its title.
    pub title: Arc<str>,
    /// Its version, as its authors count.
    pub version: Arc<str>,
    /// What it is, in Markdown.
    pub about: Option<Arc<str>>,
    /// Where its authors serve it.
    pub servers: Box<[Server]>,
    /// Its operations, in the order written.
    pub operations: Vec<Arc<Operation>>,
    /// Groups of operations with their descriptions, in the order written.
    pub tags: Box<[Tag]>,
    /// Ways to show who one is.
    pub schemes: Box<[(Arc<str>, Arc<Scheme>)]>,
    /// The values it speaks of.
    pub schemas: Arc<Schemas>,
    /// What is odd and was left out or taken as well as it goes.
    pub warnings: Vec<Problem>,
}

/// A group of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub name: Arc<str>,
    /// A description, in Markdown.
    pub description: Option<Arc<str>>,
}

/// Where an API is served by its authors. We serve it elsewhere; the path of the first is where operations hang.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its URL with variables filled in by their defaults; may be relative.
    pub url: Arc<str>,
    /// A description.
    pub description: Option<Arc<str>>,
}

impl Server {
    /// The path of the URL without a slash at its end; empty for a server at the root.
    #[must_use]
    pub fn base_path(&self) -> &str {
        let behind_scheme = self.url.split_once("://").map_or(&*self.url, |(_, rest)| rest);
        let is_relative = !self.url.contains("://");
        let path = if is_relative {
            behind_scheme
        } else {
            behind_scheme.find('/').map_or("", |at| &behind_scheme[at..])
        };
        let path = path.split(['?', '#']).next().unwrap_or("");
        path.trim_end_matches('/')
    }
}

impl Description {
    /// Reads an upload: one document with the description and, if it refers to some, others beside it.
    ///
    /// # Errors
    /// Everything that is wrong with it. What is only odd stands in [`Description::warnings`].
    pub fn read(documents: &[Document]) -> Result<Description, Vec<Problem>> {
        Self::read_overlaid(documents, &[])
    }

    /// Reads an upload with overlays (OpenAPI Overlay 1.0) laid over its first document, in their order.
    ///
    /// # Errors
    /// Everything that is wrong with it or with the overlays.
    pub fn read_overlaid(documents: &[Document], overlays: &[Document]) -> Result<Description, Vec<Problem>> {
        openapi::read(&overlay::read(documents, overlays)?)
    }

    /// The operation of a key.
    #[must_use]
    pub fn operation(&self, key: &str) -> Option<&Arc<Operation>> {
        self.operations.iter().find(|operation| operation.key.as_str() == key)
    }

    /// The path below which its authors serve it, without a slash at its end.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.servers.first().map_or("", Server::base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_that_of_the_url() {
        for (url, path) in [
            ("https://a.example/v1/", "/v1"),
            ("https://a.example", ""),
            ("/v2", "/v2"),
            ("/", ""),
            ("https://a.example/a/b?c", "/a/b"),
        ] {
            assert_eq!(Server { url: url.into(), description: None }.base_path(), path, "{url}");
        }
    }
}
