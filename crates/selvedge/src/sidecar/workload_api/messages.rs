//! The messages of the SPIFFE Workload API, written by hand from its published definition
//! (SPIFFE Workload API, appendix A), so that building needs no protocol compiler.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Path of each call.
pub mod path {
    /// Identities, again whenever they are replaced.
    pub const FETCH_X509_SVID: &str = "/SpiffeWorkloadAPI/FetchX509SVID";
    /// Roots, again whenever they are replaced.
    pub const FETCH_X509_BUNDLES: &str = "/SpiffeWorkloadAPI/FetchX509Bundles";
    /// The calls of JWT-SVIDs, which exist and are not served.
    pub const JWT: [&str; 3] = [
        "/SpiffeWorkloadAPI/FetchJWTSVID",
        "/SpiffeWorkloadAPI/FetchJWTBundles",
        "/SpiffeWorkloadAPI/ValidateJWTSVID",
    ];
}

/// Asks for identities (`X509SVIDRequest`).
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct X509SvidRequest {}

/// Identities (`X509SVIDResponse`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct X509SvidResponse {
    /// At least one.
    #[prost(message, repeated, tag = "1")]
    pub svids: Vec<X509Svid>,
    /// Revocation lists, DER; we have none.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub crl: Vec<Bytes>,
    /// Roots of other trust domains: concatenated DER by the trust domain's ID.
    #[prost(btree_map = "string, bytes", tag = "3")]
    pub federated_bundles: BTreeMap<String, Bytes>,
}

/// One identity (`X509SVID`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct X509Svid {
    /// The SPIFFE ID.
    #[prost(string, tag = "1")]
    pub spiffe_id: String,
    /// Its chain: concatenated DER, leaf first.
    #[prost(bytes = "bytes", tag = "2")]
    pub x509_svid: Bytes,
    /// Its key: PKCS#8, DER.
    #[prost(bytes = "bytes", tag = "3")]
    pub x509_svid_key: Bytes,
    /// Roots of its trust domain: concatenated DER.
    #[prost(bytes = "bytes", tag = "4")]
    pub bundle: Bytes,
    /// What it is for, when there are several.
    #[prost(string, tag = "5")]
    pub hint: String,
}

/// Asks for roots (`X509BundlesRequest`).
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct X509BundlesRequest {}

/// Roots (`X509BundlesResponse`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct X509BundlesResponse {
    /// Revocation lists, DER; we have none.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub crl: Vec<Bytes>,
    /// Concatenated DER by the trust domain's ID.
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub bundles: BTreeMap<String, Bytes>,
}
