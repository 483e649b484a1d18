//! The messages: the part of Envoy's discovery protocol that is spoken here, and what travels inside.
//!
//! Written by hand, so that building needs no protocol compiler; a test holds the field numbers against messages that
//! the published definitions produced. Fields that we never read or write are left out: protocol buffers pass over
//! what they do not know.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Path of the aggregated stream.
pub const STREAM_PATH: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/// Name of the service the stream belongs to.
pub const STREAM_SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";

/// Who asks (`envoy.config.core.v3.Node`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Node {
    /// The proxy's name.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What kind of program it is.
    #[prost(string, tag = "6")]
    pub user_agent_name: String,
    /// Its version.
    #[prost(string, tag = "7")]
    pub user_agent_version: String,
}

/// From the proxy: a subscription, or what became of a response.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeltaDiscoveryRequest {
    /// Stands in the first message of a stream.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The type that this is about.
    #[prost(string, tag = "2")]
    pub type_url: String,
    /// Names asked for; `*` for all.
    #[prost(string, repeated, tag = "3")]
    pub resource_names_subscribe: Vec<String>,
    /// Names no longer asked for.
    #[prost(string, repeated, tag = "4")]
    pub resource_names_unsubscribe: Vec<String>,
    /// What the proxy has, with versions.
    #[prost(btree_map = "string, string", tag = "5")]
    pub initial_resource_versions: BTreeMap<String, String>,
    /// The response that this answers; empty in a subscription.
    #[prost(string, tag = "6")]
    pub response_nonce: String,
    /// What was rejected of it.
    #[prost(message, optional, tag = "7")]
    pub error_detail: Option<Status>,
}

/// From the control plane: objects of one type that are new or gone.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeltaDiscoveryResponse {
    /// The epoch of the push, for people who look at the stream.
    #[prost(string, tag = "1")]
    pub system_version_info: String,
    /// Objects as they are now.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<Resource>,
    /// Their type.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// What the answer names.
    #[prost(string, tag = "5")]
    pub nonce: String,
    /// Names of objects that are gone.
    #[prost(string, repeated, tag = "6")]
    pub removed_resources: Vec<String>,
}

/// One object (`envoy.service.discovery.v3.Resource`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Resource {
    /// Its version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// Its content.
    #[prost(message, optional, tag = "2")]
    pub resource: Option<Any>,
    /// Its name.
    #[prost(string, tag = "3")]
    pub name: String,
}

/// A message with its type (`google.protobuf.Any`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Any {
    /// The type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// Why something was rejected (`google.rpc.Status`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Status {
    /// A code of gRPC.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// One sentence.
    #[prost(string, tag = "2")]
    pub message: String,
    /// One [`Rejected`] for each object.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// Content of an object (`selvedge.discovery.v1.Object`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Content {
    /// The object as JSON.
    #[prost(bytes = "bytes", tag = "1")]
    pub json: Bytes,
    /// What it belongs to or is about, as `Kind/namespace/name`.
    #[prost(string, repeated, tag = "2")]
    pub parents: Vec<String>,
    /// Whether traffic to its parents must be refused by a proxy that cannot read it. It stands beside the object
    /// and not in it, so that a proxy older than the kind fails closed.
    #[prost(bool, tag = "3")]
    pub denies: bool,
}

/// One object that a proxy could not take (`selvedge.discovery.v1.Rejected`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Rejected {
    /// Its type.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The version that was rejected.
    #[prost(string, tag = "3")]
    pub version: String,
    /// What is wrong with it.
    #[prost(string, tag = "4")]
    pub problem: String,
}

/// Type of [`Rejected`] inside [`Any`].
pub const REJECTED_TYPE: &str = "type.googleapis.com/selvedge.discovery.v1.Rejected";
/// `INVALID_ARGUMENT` of gRPC.
pub const INVALID_ARGUMENT: i32 = 3;

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    /// Serialised by the Python package of Envoy's published definitions (`xds-protos`), not by us.
    #[test]
    fn a_message_of_the_published_definitions_is_read_field_by_field() {
        let request = hex(include_str!("../tests/published/request.hex"));
        let response = hex(include_str!("../tests/published/response.hex"));

        let read = DeltaDiscoveryRequest::decode(&*request).expect("a request");
        let node = read.node.expect("a node");
        assert_eq!((node.id.as_str(), node.user_agent_name.as_str()), ("edge-1", "selvedge"));
        assert_eq!(node.user_agent_version, "0.1.0");
        assert_eq!(read.type_url, "type.selvedge.dev/HTTPRoute");
        assert_eq!(read.resource_names_subscribe, ["*"]);
        assert_eq!(read.resource_names_unsubscribe, ["a/b"]);
        assert_eq!(read.initial_resource_versions["shop/cart"], "1");
        assert_eq!(read.response_nonce, "n1");
        let error = read.error_detail.expect("an error");
        assert_eq!((error.code, error.message.as_str()), (3, "no"));
        assert_eq!(error.details[0].type_url, REJECTED_TYPE);

        let read = DeltaDiscoveryResponse::decode(&*response).expect("a response");
        assert_eq!(read.system_version_info, "7");
        assert_eq!(read.type_url, "type.selvedge.dev/HTTPRoute");
        assert_eq!(
            (read.nonce.as_str(), read.removed_resources.as_slice()),
            ("n2", &["shop/gone".to_owned()][..])
        );
        let resource = &read.resources[0];
        assert_eq!((resource.name.as_str(), resource.version.as_str()), ("shop/cart", "abc"));
        assert_eq!(resource.resource.as_ref().map(|any| &*any.value), Some(&b"{}"[..]));
    }

    #[test]
    fn what_we_write_is_what_the_published_definitions_wrote() {
        let request = hex(include_str!("../tests/published/request.hex"));
        let response = hex(include_str!("../tests/published/response.hex"));

        let again = DeltaDiscoveryRequest::decode(&*request).expect("a request").encode_to_vec();
        assert_eq!(again, request);
        let again = DeltaDiscoveryResponse::decode(&*response).expect("a response").encode_to_vec();
        assert_eq!(again, response);
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.trim().bytes().collect();
        let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
        digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }
}
