//! What of a certificate's inside is asked for in more than one place: key identifiers and ends.

use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, ParsedExtension, X509Certificate};

/// A certificate that could be read whole.
#[must_use]
pub fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (rest, parsed) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(parsed)
}

/// Its subject key identifier (RFC 5280, section 4.2.1.2) in hexadecimal: what certificates name their issuer by.
#[must_use]
pub fn subject_key(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(hexadecimal(identifier.0)),
        _ => None,
    })
}

/// Its authority key identifier (RFC 5280, section 4.2.1.1) in hexadecimal.
#[must_use]
pub fn authority_key(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            identifier.key_identifier.as_ref().map(|identifier| hexadecimal(identifier.0))
        }
        _ => None,
    })
}

/// Its last moment.
#[must_use]
pub fn ends(certificate: &X509Certificate<'_>) -> SystemTime {
    let seconds = certificate.validity().not_after.timestamp();
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Bytes as text.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A certificate as PEM (RFC 7468).
#[must_use]
pub fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let coded = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in coded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
