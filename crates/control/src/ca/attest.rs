//! What is believed of a certificate request (RFC 2986): that its sender has the key, and nothing else.
//!
//! Who the sender is was decided before, by the token or the certificate that was shown. Whatever a request asks for
//! beyond that identity is refused rather than passed over: who asks to be an authority, or somebody else, is to learn
//! that this is no place for it, and we are to learn who asked.

use std::net::{Ipv4Addr, Ipv6Addr};

use model::spiffe::SpiffeId;
use rcgen::SubjectPublicKeyInfo;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo as Subject;

use identity::x509::hexadecimal;

/// Longest certificate request in bytes, as PEM. Past it: refused.
pub const CSR_BYTES_MAX: usize = 8 * 1024;

/// Object identifiers of the curves and of Ed25519 (RFC 5480, RFC 8410).
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const EC: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";

/// A key that was shown to be the sender's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The key.
    pub key: SubjectPublicKeyInfo,
    /// SHA-256 of it (the whole SubjectPublicKeyInfo), in hexadecimal.
    pub digest: String,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is none.
    #[error("`csr` is not one certificate request in PEM: {0}")]
    Unreadable(String),
    /// The sender has not shown to have the key.
    #[error("the signature of the request does not belong to its key")]
    Signature,
    /// The key is of a kind that is not taken.
    #[error("the key is {0}; use ECDSA P-256 or P-384, or Ed25519")]
    Key(String),
    /// It asks for what no member gets.
    #[error("the request asks for {0}, which is never given")]
    Asks(String),
}

/// Looks at a request of somebody who is known by this identity and, as a replica, by this DNS name.
///
/// # Errors
/// See [`Refused`].
pub fn attest(csr: &str, identity: &SpiffeId, replica: &str) -> Result<Attested, Refused> {
    let unreadable = |what: &str| Refused::Unreadable(what.to_owned());
    if csr.len() > CSR_BYTES_MAX {
        return Err(unreadable("it is longer than 8 KiB"));
    }
    let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(csr.as_bytes());
    let der = match (sections.next(), sections.next()) {
        (Some(Ok((SectionKind::Csr, der))), None) => der,
        (Some(Err(error)), _) => return Err(Refused::Unreadable(error.to_string())),
        (None, _) => return Err(unreadable("there is no `-----BEGIN CERTIFICATE REQUEST-----`")),
        (Some(Ok(_)), _) => return Err(unreadable("it holds something else, or more than one")),
    };
    let (rest, request) =
        X509CertificationRequest::from_der(&der).map_err(|error| Refused::Unreadable(error.to_string()))?;
    if !rest.is_empty() {
        return Err(unreadable("there are bytes behind its end"));
    }
    let subject = &request.certification_request_info.subject_pki;
    // The kind first: what is not taken is not worth the work of verifying.
    is_taken(subject)?;
    request.verify_signature().map_err(|_| Refused::Signature)?;
    for attribute in request.certification_request_info.iter_attributes() {
        match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(asked) => {
                for extension in &asked.extensions {
                    is_given(extension.parsed_extension(), identity, replica)?;
                }
            }
            _ => return Err(Refused::Asks(format!("attribute {}", attribute.oid))),
        }
    }
    let key = SubjectPublicKeyInfo::from_der(subject.raw)
        .map_err(|error| Refused::Key(format!("unusable ({error})")))?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, subject.raw);
    Ok(Attested { key, digest: hexadecimal(digest.as_ref()) })
}

fn is_taken(subject: &Subject<'_>) -> Result<(), Refused> {
    let kind = subject.algorithm.algorithm.to_id_string();
    let parameters = subject.algorithm.parameters.as_ref();
    let curve = parameters.and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
    match (kind.as_str(), curve.as_deref()) {
        (EC, Some(P256 | P384)) | (ED25519, None) => Ok(()),
        (EC, curve) => Err(Refused::Key(format!("on curve {}", curve.unwrap_or("of its own making")))),
        _ => Err(Refused::Key(match subject.parsed() {
            Ok(PublicKey::RSA(key)) => format!("RSA of {} bits", key.key_size()),
            Ok(_) | Err(_) => format!("of kind {kind}"),
        })),
    }
}

/// Whether what is asked for is what its sender gets anyway.
fn is_given(asked: &ParsedExtension<'_>, identity: &SpiffeId, replica: &str) -> Result<(), Refused> {
    let refused = |what: &str| Err(Refused::Asks(what.to_owned()));
    match asked {
        ParsedExtension::SubjectAlternativeName(names) => {
            let others = names.general_names.iter().find(|name| match name {
                GeneralName::URI(uri) => *uri != identity.as_str(),
                GeneralName::DNSName(name) => *name != replica,
                _ => true,
            });
            others.map_or(Ok(()), |name| Err(Refused::Asks(format!("the name {}", shown(name)))))
        }
        ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
            refused("`CA:TRUE`: to be an authority")
        }
        ParsedExtension::BasicConstraints(_) => Ok(()),
        // The bits of digitalSignature alone.
        ParsedExtension::KeyUsage(usage) if usage.flags == 1 => Ok(()),
        ParsedExtension::KeyUsage(usage) => Err(Refused::Asks(format!("key usage {usage}"))),
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let more = usage.any
                || usage.code_signing
                || usage.email_protection
                || usage.time_stamping
                || usage.ocsp_signing
                || !usage.other.is_empty();
            if more {
                refused("an extended key usage besides server and client authentication")
            } else {
                Ok(())
            }
        }
        _ => refused("an extension that is not known here"),
    }
}

/// A name of a stranger in a message.
fn shown(name: &GeneralName<'_>) -> String {
    let text = match name {
        GeneralName::URI(text) | GeneralName::DNSName(text) | GeneralName::RFC822Name(text) => {
            (*text).to_owned()
        }
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(four) => Ipv4Addr::from(four).to_string(),
            Err(_) => <[u8; 16]>::try_from(*bytes).map_or_else(
                |_| "of an address that is none".to_owned(),
                |sixteen| Ipv6Addr::from(sixteen).to_string(),
            ),
        },
        _ => "of a kind that no member has".to_owned(),
    };
    format!("`{}`", text.chars().take(120).flat_map(char::escape_debug).collect::<String>())
}
