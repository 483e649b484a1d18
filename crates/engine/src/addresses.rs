//! Blocks of addresses as sorted ranges: one binary search, however many there are.

use std::net::IpAddr;

use model::ip_block::IpBlock;

/// Ranges that neither overlap nor touch, by family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    four: Box<[(u32, u32)]>,
    six: Box<[(u128, u128)]>,
}

impl Addresses {
    pub(crate) fn new(blocks: &[IpBlock]) -> Addresses {
        let (mut four, mut six) = (Vec::new(), Vec::new());
        for block in blocks {
            match block.ends() {
                (IpAddr::V4(first), IpAddr::V4(last)) => four.push((first.to_bits(), last.to_bits())),
                (IpAddr::V6(first), IpAddr::V6(last)) => six.push((first.to_bits(), last.to_bits())),
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
            }
        }
        Addresses { four: sorted(four), six: sorted(six) }
    }

    /// Whether an address is in one of the blocks. An IPv4 address in IPv6 clothes is an IPv4 address.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => covers(&self.four, address.to_bits()),
            IpAddr::V6(address) => covers(&self.six, address.to_bits()),
        }
    }
}

/// Of nested blocks only the outer one stays; blocks cannot overlap otherwise.
fn sorted<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Box<[(T, T)]> {
    ranges.sort_unstable_by(|left, right| left.0.cmp(&right.0).then(right.1.cmp(&left.1)));
    ranges.dedup_by(|inner, outer| inner.1 <= outer.1);
    ranges.into()
}

fn covers<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= value);
    behind.checked_sub(1).is_some_and(|at| value <= ranges[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_its_block_and_in_no_other() {
        let blocks =
            ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1", "0.0.0.0/32", "255.255.255.255", "2001:db8::/32"];
        let blocks: Vec<IpBlock> = blocks.iter().map(|text| text.parse().unwrap()).collect();
        let addresses = Addresses::new(&blocks);

        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "10.1.2.3",
            "192.0.2.1",
            "0.0.0.0",
            "255.255.255.255",
            "2001:db8::7",
            "::ffff:10.9.9.9",
        ] {
            assert!(addresses.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.2", "2001:db9::", "::1"] {
            assert!(!addresses.contain(outside.parse().unwrap()), "{outside}");
        }
    }
}
