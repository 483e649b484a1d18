//! From which addresses somebody may come, as the data path needs it.
//!
//! Policies of all levels stand side by side and all of them must agree. All of it stands behind one pointer that is
//! absent where no policy is.

use std::net::IpAddr;
use std::sync::Arc;

use model::ip_block::IpBlock;

use crate::addresses::Addresses;

/// What one policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRule {
    /// `namespace/name` of the policy.
    pub policy: Arc<str>,
    allow: Option<Addresses>,
    deny: Addresses,
    written: (Box<[IpBlock]>, Box<[IpBlock]>),
}

impl AddressRule {
    /// Only from the blocks of the first list, unless it is empty, and never from those of the second.
    #[must_use]
    pub fn new(policy: Arc<str>, allow: &[IpBlock], deny: &[IpBlock]) -> AddressRule {
        AddressRule {
            policy,
            allow: (!allow.is_empty()).then(|| Addresses::new(allow)),
            deny: Addresses::new(deny),
            written: (allow.into(), deny.into()),
        }
    }

    /// Whether somebody may come from an address. Nobody may whose address nobody knows.
    #[must_use]
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else { return false };
        self.allow.as_ref().is_none_or(|allow| allow.contain(address)) && !self.deny.contain(address)
    }

    /// What is allowed and what is denied, as it was written.
    #[must_use]
    pub fn written(&self) -> (&[IpBlock], &[IpBlock]) {
        (&self.written.0, &self.written.1)
    }
}

/// The first policy that does not let an address in.
#[must_use]
pub fn keeps_out(rules: &[AddressRule], address: Option<IpAddr>) -> Option<&AddressRule> {
    rules.iter().find(|rule| !rule.admits(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(texts: &[&str]) -> Vec<IpBlock> {
        texts.iter().map(|text| text.parse().expect("a block")).collect()
    }

    #[test]
    fn what_is_denied_stays_denied_whatever_is_allowed_and_doubt_denies() {
        let rule = AddressRule::new("a/p".into(), &blocks(&["10.0.0.0/8"]), &blocks(&["10.6.6.0/24"]));
        let at = |text: &str| Some(text.parse().expect("an address"));
        assert!(rule.admits(at("10.1.2.3")));
        assert!(rule.admits(at("::ffff:10.1.2.3")));
        assert!(!rule.admits(at("10.6.6.6")));
        assert!(!rule.admits(at("::ffff:10.6.6.6")));
        assert!(!rule.admits(at("192.0.2.1")));
        assert!(!rule.admits(None));

        let open = AddressRule::new("a/q".into(), &[], &blocks(&["10.6.6.0/24"]));
        assert!(open.admits(at("192.0.2.1")));
        let both = [open, rule];
        assert_eq!(keeps_out(&both, at("192.0.2.1")).map(|rule| &*rule.policy), Some("a/p"));
        assert_eq!(keeps_out(&both, at("10.0.0.1")), None);
    }
}
