//! Keys, certificates, trust bundles, and the TLS settings made of them.
//!
//! Everybody who opens a TLS connection comes here for its settings, so that what is verified, and what is
//! offered, is said in one crate. The engine asks through [`engine::Certificates`]; the proxy takes finished
//! rustls settings from [`server`] and [`client`]. No sockets and no clocks: time is handed in.

mod chance;
pub mod client;
pub mod clients;
pub mod file;
pub mod keyed_hash;
pub mod keyring;
pub mod member;
pub mod pair;
pub mod password;
pub mod pem;
pub mod pinned;
pub mod roots;
pub mod server;
pub mod token;
pub mod x509;

pub use chance::random;
pub use client::client_config;
pub use keyring::Keyring;
pub use member::Member;
pub use server::server_config;

use std::sync::{Arc, OnceLock};

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

/// The one cryptography provider of the product: aws-lc-rs, with hybrid post-quantum key exchange preferred, and of
/// ciphers AES-128-GCM. It is passed explicitly everywhere, so nothing depends on a process-wide default being installed.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.sort_by_key(|suite| (suite.tls13().is_none(), !is_preferred(suite.suite())));
        Arc::new(provider)
    }))
}

/// Suites with the cipher that all clients of TLS 1.3 have (RFC 8446 section 9.1). Their hash is SHA-256, for which
/// processors have instructions; they have none for SHA-384, which is a third of a handshake then.
fn is_preferred(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

/// Protocol versions we speak, in both directions.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
