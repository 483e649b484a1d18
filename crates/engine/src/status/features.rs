//! What of the Gateway API works here, in the names of its module `pkg/features` (v1.6.0).
//!
//! Conformance tests and other programs decide by this list what to try, so it grows with the code that makes a
//! name true and never before. Infrastructure labels, ListenerSets, retries, routes of other kinds and the mesh are
//! missing because nothing here does them yet.

use serde::Serialize;

/// One entry of `GatewayClass.status.supportedFeatures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SupportedFeature {
    /// Its name.
    pub name: &'static str,
}

const fn feature(name: &'static str) -> SupportedFeature {
    SupportedFeature { name }
}

/// Every feature that works, in ascending order as the API asks.
pub const SUPPORTED_FEATURES: &[SupportedFeature] = &[
    feature("BackendTLSPolicy"),
    feature("BackendTLSPolicySANValidation"),
    feature("Gateway"),
    feature("GatewayAddressEmpty"),
    feature("GatewayBackendClientCertificate"),
    feature("GatewayFrontendClientCertificateValidation"),
    feature("GatewayFrontendClientCertificateValidationInsecureFallback"),
    feature("GatewayHTTPListenerIsolation"),
    feature("GatewayHTTPSListenerDetectMisdirectedRequests"),
    feature("GatewayPort8080"),
    feature("GatewayStaticAddresses"),
    feature("HTTPRoute"),
    feature("HTTPRoute303RedirectStatusCode"),
    feature("HTTPRoute307RedirectStatusCode"),
    feature("HTTPRoute308RedirectStatusCode"),
    feature("HTTPRouteBackendProtocolH2C"),
    feature("HTTPRouteBackendProtocolWebSocket"),
    feature("HTTPRouteBackendRequestHeaderModification"),
    feature("HTTPRouteBackendTimeout"),
    feature("HTTPRouteCORS"),
    feature("HTTPRouteDestinationPortMatching"),
    feature("HTTPRouteHostRewrite"),
    feature("HTTPRouteMethodMatching"),
    feature("HTTPRouteNamedRouteRule"),
    feature("HTTPRouteParentRefPort"),
    feature("HTTPRoutePathRedirect"),
    feature("HTTPRoutePathRewrite"),
    feature("HTTPRoutePortRedirect"),
    feature("HTTPRouteQueryParamMatching"),
    feature("HTTPRouteRequestMirror"),
    feature("HTTPRouteRequestMultipleMirrors"),
    feature("HTTPRouteRequestPercentageMirror"),
    feature("HTTPRouteRequestTimeout"),
    feature("HTTPRouteResponseHeaderModification"),
    feature("HTTPRouteSchemeRedirect"),
    feature("ReferenceGrant"),
    feature("TCPRoute"),
];

/// Most entries that the schema of `status` admits.
const SUPPORTED_FEATURES_MAX: usize = 64;

const _: () = assert!(SUPPORTED_FEATURES.len() <= SUPPORTED_FEATURES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_listed_once_and_in_ascending_order() {
        assert!(SUPPORTED_FEATURES.is_sorted_by(|left, right| left.name < right.name));
    }
}
