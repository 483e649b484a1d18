//! TLS towards the control plane: only its own authority is trusted, never the system's.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::Error;
use crate::kubeconfig::{Credentials, Endpoint};

/// The settings for an endpoint.
pub(crate) fn config(endpoint: &Endpoint) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config(format!("TLS cannot be set up: {error}"), "report this as a bug"))?
        .with_root_certificates(roots(endpoint)?);
    let mut config = match &endpoint.credentials {
        Credentials::Certificate { chain, key } => {
            let (chain, key) = (certificates(chain, "the client certificate")?, private_key(key)?);
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                Error::config(
                    format!("the client certificate cannot be used: {error}"),
                    "certificate and key must belong together; use the kubeconfig as it was written",
                )
            })?
        }
        Credentials::Token(_) | Credentials::None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(endpoint: &Endpoint) -> Result<RootCertStore, Error> {
    let Some(authority) = &endpoint.authority else {
        return Err(Error::config(
            format!("the kubeconfig names no certificate authority for {}", endpoint.server),
            "add `certificate-authority` to the cluster, as in the kubeconfig that the control plane writes",
        ));
    };
    let mut store = RootCertStore::empty();
    for certificate in certificates(authority, "the certificate authority")? {
        store.add(certificate).map_err(|error| {
            Error::config(
                format!("the certificate authority in the kubeconfig cannot be used: {error}"),
                "use the kubeconfig that the control plane has written",
            )
        })?;
    }
    Ok(store)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(Error::config(
            format!("{what} in the kubeconfig is no PEM certificate"),
            "it begins with -----BEGIN CERTIFICATE-----, base64-encoded once more in a `…-data` field",
        )),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    // The reason is left out: it could quote a part of the key.
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        Error::config(
            "the client key in the kubeconfig is no PEM private key",
            "use the kubeconfig as it was written",
        )
    })
}
