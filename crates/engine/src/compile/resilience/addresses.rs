//! From where a rule may be asked for: every policy at a target, or at a part of it and the whole.

use model::kinds::IpPolicy;

use super::super::attached::{Attached, Target};
use crate::config::AddressRule;

/// Every policy at a target, or at a part of it and the whole.
pub(super) fn at(policies: &Attached, target: &Target, section: Option<&str>) -> Vec<AddressRule> {
    let held = policies.held(target, section);
    held.filter_map(|held| {
        let spec = &held.resource.content::<IpPolicy>()?.spec;
        Some(AddressRule::new(held.resource.key.place().into(), &spec.allow, &spec.deny))
    })
    .collect()
}
