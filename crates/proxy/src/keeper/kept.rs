//! The identity on disk: key, certificate and roots in one file, so that no crash can part them.
//!
//! A proxy that starts while every issuer is dead is somebody all the same. The file holds a key, so only its owner may
//! read it. What cannot be used is set aside for people to look at; what is expired is used as far as it goes: its
//! roots.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use identity::file::write_private;
use identity::member::{Bundle, Svid};
use serde_json::{Value, json};

/// Name of the file in the folder of a proxy.
const FILE: &str = "identity.json";
/// What the file says it is.
const VERSION: u64 = 1;

/// An identity as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which replica it is of: `namespace/name`.
    pub workload: String,
    /// The chain, leaf first, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
    /// The roots that were trusted with it, PEM.
    pub bundle: String,
    /// For whom they count.
    pub trust_domain: String,
    /// When it was had, since the Unix epoch.
    pub since: Duration,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("workload", &self.workload).finish_non_exhaustive()
    }
}

impl Kept {
    /// The identity that it is, known to be one: the key belongs to the certificate, and the roots can be read.
    ///
    /// # Errors
    /// What is wrong.
    pub fn read(&self) -> Result<(Svid, Bundle), String> {
        let svid = Svid::from_pem(self.certificate.as_bytes(), self.key.as_bytes());
        let svid = svid.map_err(|problem| problem.to_string())?;
        if svid.identity().trust_domain() != self.trust_domain {
            return Err("its certificate is of another trust domain than its roots".to_owned());
        }
        let bundle = Bundle::from_pem(self.bundle.as_bytes()).map_err(|problem| problem.to_string())?;
        Ok((svid, bundle))
    }

    fn written(&self) -> String {
        json!({
            "version": VERSION,
            "workload": self.workload,
            "trustDomain": self.trust_domain,
            "since": self.since.as_secs(),
            "certificate": self.certificate,
            "key": self.key,
            "bundle": self.bundle,
        })
        .to_string()
    }

    fn parse(text: &str, workload: &str) -> Result<Kept, String> {
        let value: Value = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
        if value["version"] != VERSION {
            return Err("it is no identity of this version".to_owned());
        }
        let text = |field: &str| {
            value[field].as_str().map(str::to_owned).ok_or_else(|| format!("it has no `{field}`"))
        };
        let kept = Kept {
            workload: text("workload")?,
            certificate: text("certificate")?,
            key: text("key")?,
            bundle: text("bundle")?,
            trust_domain: text("trustDomain")?,
            since: Duration::from_secs(value["since"].as_u64().ok_or("it has no `since`")?),
        };
        if kept.workload != workload {
            return Err(format!("it is that of `{}`", kept.workload));
        }
        kept.read().map(|_| kept)
    }
}

/// Where an identity is kept.
#[derive(Clone, Debug)]
pub struct Place(Arc<Path>);

impl Place {
    /// The place in a folder, which is made when it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(folder: &Path) -> io::Result<Place> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Place(folder.join(FILE).into()))
    }

    /// What is kept there of a workload, and what people should know: that something was set aside.
    #[must_use]
    pub fn open(&self, workload: &str) -> (Option<Kept>, Option<String>) {
        let read = match std::fs::read_to_string(&self.0) {
            Ok(text) => Kept::parse(&text, workload),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
            // Bytes that are no text are damage; anything else may be over at the next start.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.to_string()),
            Err(error) => return (None, Some(format!("cannot read `{}`: {error}", self.0.display()))),
        };
        match read {
            Ok(kept) => (Some(kept), None),
            Err(why) => (None, Some(self.set_aside(&why))),
        }
    }

    fn set_aside(&self, why: &str) -> String {
        let shown = self.0.display();
        let place = |number: u32| -> PathBuf { self.0.with_extension(format!("json.damaged-{number}")) };
        let Some(aside) = (1..=1000).map(place).find(|place| !place.exists()) else {
            return format!(
                "the identity `{shown}` is not used: {why}; remove some of those set aside before"
            );
        };
        match std::fs::rename(&self.0, &aside) {
            Ok(()) => format!(
                "the identity `{shown}` is not used: {why}; it was set aside as `{}`",
                aside.display()
            ),
            Err(error) => format!("the identity `{shown}` is not used: {why}; it stays there: {error}"),
        }
    }

    /// Keeps an identity in place of the one before: whole, or not at all.
    ///
    /// # Errors
    /// What the system says; the one before is still there then.
    pub fn keep(&self, kept: &Kept) -> io::Result<()> {
        write_private(&self.0, &kept.written())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

    use super::*;

    fn made(workload: &str) -> Kept {
        let ca = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&ca).expect("a root");
        let mut leaf = CertificateParams::new(Vec::new()).expect("params");
        let id = "spiffe://bank.example/ns/shop/sa/cart";
        leaf.subject_alt_names = vec![SanType::URI(id.try_into().expect("a URI"))];
        let key = KeyPair::generate().expect("a key");
        let leaf = leaf.signed_by(&key, &Issuer::from_params(&params, &ca)).expect("a leaf");
        Kept {
            workload: workload.to_owned(),
            certificate: leaf.pem(),
            key: key.serialize_pem(),
            bundle: root.pem(),
            trust_domain: "bank.example".to_owned(),
            since: Duration::from_secs(1_800_000_000),
        }
    }

    fn place() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::new(&folder.path().join("data")).expect("made");
        (folder, place)
    }

    #[test]
    fn what_was_kept_is_there_at_the_next_start_and_for_its_owner_only() {
        let (_folder, place) = place();
        let kept = made("shop/cart-1");
        assert_eq!(place.open("shop/cart-1"), (None, None), "there was none at first");

        place.keep(&kept).expect("written");

        assert_eq!(place.open("shop/cart-1"), (Some(kept), None));
        let mode = std::fs::metadata(&*place.0).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_used_is_set_aside_with_a_message_and_kept_for_people() {
        let (good, other) = (made("shop/cart-1"), made("shop/cart-1"));
        let cases = [
            ("garbage".to_owned(), "expected"),
            (Kept { key: other.key, ..good.clone() }.written(), "does not belong"),
            (Kept { bundle: String::new(), ..good.clone() }.written(), "CA bundle"),
            (Kept { trust_domain: "a".to_owned(), ..good.clone() }.written(), "another trust domain"),
            (Kept { workload: "shop/cart-2".to_owned(), ..good.clone() }.written(), "that of `shop/cart-2`"),
            (good.written().replace("\"version\":1", "\"version\":9"), "of this version"),
        ];
        let (_folder, place) = place();
        for (number, (text, told)) in (1..).zip(cases) {
            std::fs::write(&*place.0, &text).expect("written");

            let (kept, message) = place.open("shop/cart-1");

            let message = message.expect("it is told");
            assert_eq!(kept, None);
            assert!(message.contains(told) && message.contains("was set aside as"), "{message}");
            assert!(!message.contains("PRIVATE"), "{message}");
            let aside = place.0.with_extension(format!("json.damaged-{number}"));
            assert_eq!(std::fs::read_to_string(aside).expect("there"), text);
        }
    }

    #[test]
    fn a_write_that_fails_leaves_the_last_good_one() {
        let (folder, place) = place();
        let kept = made("shop/cart-1");
        place.keep(&kept).expect("written");
        // Nobody can write a file where a folder stands, root included.
        std::fs::create_dir_all(folder.path().join("data/identity.new/in the way")).expect("made");

        assert!(place.keep(&made("shop/cart-1")).is_err());

        assert_eq!(place.open("shop/cart-1"), (Some(kept), None));
    }
}
