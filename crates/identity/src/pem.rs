//! PEM text becomes certificates and keys, or a sentence that says what is wrong with it.
//!
//! People paste these by hand: the certificate in the key's field, an encrypted key, a line lost on the way.
//! "Invalid PEM" costs an hour; naming what was found instead costs nothing. Nothing here looks inside the
//! DER: that is the work of [`crate::pair`] and [`crate::roots`].

use rustls_pki_types::pem::{self, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Most certificates read from one text; a system bundle holds about 150.
pub const CERTIFICATES_MAX: usize = 1024;

/// What is wrong with a PEM text. The sentences begin with a verb: the caller puts the field's name before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemProblem {
    /// No bytes, or white space only.
    #[error("is empty")]
    Empty,
    /// There is text, but no `-----BEGIN` line.
    #[error("is not PEM: there is no `-----BEGIN …-----` line")]
    NotPem,
    /// A section lacks its end, or its base64 is broken.
    #[error("has a broken section {section}: {what}")]
    Broken {
        /// Position of the section, counted from 1.
        section: usize,
        /// What the decoder said.
        what: String,
    },
    /// It is PEM, but of something else.
    #[error("holds {found}, not {wanted}")]
    Wrong {
        /// What was looked for.
        wanted: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// The key is protected by a passphrase.
    #[error("holds an encrypted private key; store it without a passphrase")]
    Encrypted,
    /// More than one private key.
    #[error("holds {0} private keys; keep one")]
    KeysMany(usize),
    /// More than [`CERTIFICATES_MAX`].
    #[error("holds more than {CERTIFICATES_MAX} certificates")]
    CertificatesMany,
}

/// All certificates of a text in their order; at least one. Sections of other kinds are passed over.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemProblem> {
    let sections = sections(text)?;
    let mut found = Vec::new();
    for (kind, der) in &sections {
        if matches!(kind, SectionKind::Certificate) {
            found.push(CertificateDer::from(der.clone()));
        }
    }
    match found.len() {
        0 => Err(PemProblem::Wrong { wanted: "a certificate", found: what_is_there(text, &sections) }),
        1..=CERTIFICATES_MAX => Ok(found),
        _ => Err(PemProblem::CertificatesMany),
    }
}

/// The one private key of a text (PKCS #8, PKCS #1 or SEC 1). Other sections, such as EC parameters, are passed over.
pub fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PemProblem> {
    let sections = sections(text)?;
    let mut keys: Vec<_> =
        sections.iter().filter_map(|(kind, der)| PrivateKeyDer::from_pem(*kind, der.clone())).collect();
    match (keys.len(), keys.pop()) {
        (1, Some(key)) => Ok(key),
        (0, _) if is_encrypted(text) => Err(PemProblem::Encrypted),
        (0, _) => Err(PemProblem::Wrong { wanted: "a private key", found: what_is_there(text, &sections) }),
        (many, _) => Err(PemProblem::KeysMany(many)),
    }
}

fn sections(text: &[u8]) -> Result<Vec<(SectionKind, Vec<u8>)>, PemProblem> {
    if text.trim_ascii().is_empty() {
        return Err(PemProblem::Empty);
    }
    if !contains(text, b"-----BEGIN ") {
        return Err(PemProblem::NotPem);
    }
    <(SectionKind, Vec<u8>)>::pem_slice_iter(text)
        .take(CERTIFICATES_MAX + 1)
        .enumerate()
        .map(|(at, section)| {
            section.map_err(|error| PemProblem::Broken { section: at + 1, what: explain(&error) })
        })
        .collect()
}

fn explain(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("the line `-----END {}-----` is missing", String::from_utf8_lossy(end_marker).trim_end())
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("`{}` does not end in five dashes", String::from_utf8_lossy(line).trim_end())
        }
        pem::Error::Base64Decode(what) => format!("its base64 does not decode ({what})"),
        other => other.to_string(),
    }
}

fn what_is_there(text: &[u8], sections: &[(SectionKind, Vec<u8>)]) -> &'static str {
    if is_encrypted(text) {
        return "an encrypted private key";
    }
    match sections.first().map(|(kind, _)| kind) {
        Some(SectionKind::Certificate) => "a certificate",
        Some(SectionKind::PublicKey) => "a public key",
        Some(SectionKind::RsaPrivateKey | SectionKind::PrivateKey | SectionKind::EcPrivateKey) => {
            "a private key"
        }
        Some(SectionKind::Crl) => "a revocation list",
        Some(SectionKind::Csr) => "a certificate request",
        Some(_) | None => "sections of other kinds",
    }
}

fn is_encrypted(text: &[u8]) -> bool {
    contains(text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(text, b"Proc-Type: 4,ENCRYPTED")
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_chain_keeps_its_order_and_a_key_is_found_among_other_sections() {
        let (first, key) = generated();
        let (second, _) = generated();

        let chain = certificates(format!("{first}{second}").as_bytes()).expect("two certificates");
        assert_eq!(chain.len(), 2);
        assert_eq!(chain[..1], certificates(first.as_bytes()).expect("one")[..]);

        let mixed =
            format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{key}");
        assert!(private_key(mixed.as_bytes()).is_ok());
    }

    #[test]
    fn every_mistake_is_named() {
        let (certificate, key) = generated();
        let cut = certificate.replace("-----END CERTIFICATE-----", "");
        let scratched = certificate.replacen("MII", "M!I", 1);

        let said = |text: &str| certificates(text.as_bytes()).expect_err("must be refused").to_string();
        assert_eq!(said("  \n"), "is empty");
        assert_eq!(said("hello"), "is not PEM: there is no `-----BEGIN …-----` line");
        assert_eq!(said(&key), "holds a private key, not a certificate");
        assert_eq!(said(&cut), "has a broken section 1: the line `-----END CERTIFICATE-----` is missing");
        assert!(said(&scratched).starts_with("has a broken section 1: its base64 does not decode"));

        let said = |text: &str| private_key(text.as_bytes()).expect_err("must be refused").to_string();
        assert_eq!(said(&certificate), "holds a certificate, not a private key");
        assert_eq!(said(&format!("{key}{key}")), "holds 2 private keys; keep one");
        let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(said(&locked), "holds an encrypted private key; store it without a passphrase");
    }
}
