//! Loopback addresses that stand for Services: 127.128.0.0/9, half of what every machine keeps for itself, or a smaller
//! block for each of several sidecars that share a machine.
//!
//! An address comes from a hash of `namespace/service`, so that it is the same on every machine and after every start
//! unless two Services want the same one. Then the later one goes on to the next, and whoever has an address keeps it
//! as long as the process lives: applications remember addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use model::ip_block::IpBlock;

/// Namespace and name of a Service.
pub type Place = (Arc<str>, Arc<str>);

/// The block that addresses are taken from. Its first and its last address are not given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceBlock {
    first: u32,
    /// How many addresses it has: a power of two.
    count: u32,
}

impl Default for ServiceBlock {
    /// 127.128.0.0/9.
    fn default() -> Self {
        ServiceBlock { first: 0x7f80_0000, count: 1 << 23 }
    }
}

impl TryFrom<IpBlock> for ServiceBlock {
    type Error = &'static str;

    /// Takes a block of the loopback network with at least four addresses: nobody else can reach what listens there.
    fn try_from(block: IpBlock) -> Result<Self, Self::Error> {
        match block.ends() {
            (IpAddr::V4(first), IpAddr::V4(last)) if first.is_loopback() && last.is_loopback() => {
                let count = last.to_bits() - first.to_bits() + 1;
                let is_enough = count >= COUNT_MIN;
                is_enough.then_some(ServiceBlock { first: first.to_bits(), count }).ok_or("it is too small")
            }
            _ => Err("it is not of the loopback network"),
        }
    }
}

/// Fewest addresses of a block. Below it there are none to give.
const COUNT_MIN: u32 = 4;
/// Most Services that have an address. Past it a Service has none and cannot be reached by one.
pub const ADDRESSES_MAX: usize = 1 << 20;

/// Who has which address.
#[derive(Debug, Default)]
pub struct Addresses {
    block: ServiceBlock,
    by_place: HashMap<Place, Ipv4Addr>,
    by_address: HashMap<Ipv4Addr, Place>,
}

impl Addresses {
    /// None are given yet.
    #[must_use]
    pub fn of_block(block: ServiceBlock) -> Self {
        Addresses { block, ..Addresses::default() }
    }

    /// Gives every Service its address. They stand oldest first, so that of two that are new the older one is asked
    /// first. Services that are not among them give theirs back.
    pub fn settle<'p>(&mut self, oldest_first: impl Iterator<Item = &'p Place>) {
        let wanted: Vec<&Place> = oldest_first.collect();
        let mut before = std::mem::take(&mut self.by_place);
        self.by_address.clear();
        for place in &wanted {
            if let Some(address) = before.remove(*place) {
                self.take((*place).clone(), address);
            }
        }
        for place in wanted {
            if !self.by_place.contains_key(place) && self.by_place.len() < self.block.most() {
                let address = self.free_from(self.block.wish(place));
                self.take(place.clone(), address);
            }
        }
    }

    /// The address of a Service.
    #[must_use]
    pub fn of(&self, place: &Place) -> Option<Ipv4Addr> {
        self.by_place.get(place).copied()
    }

    fn take(&mut self, place: Place, address: Ipv4Addr) {
        self.by_address.insert(address, place.clone());
        self.by_place.insert(place, address);
    }

    /// The first address from here on that nobody has. There is one: fewer are given than there are.
    fn free_from(&self, wish: u32) -> Ipv4Addr {
        let ServiceBlock { first, count } = self.block;
        let candidates =
            (0..count).map(|step| (wish + step) % count).filter(|at| (1..count - 1).contains(at));
        let mut addresses = candidates.map(|at| Ipv4Addr::from(first + at));
        addresses.find(|address| !self.by_address.contains_key(address)).unwrap_or(Ipv4Addr::LOCALHOST)
    }
}

impl ServiceBlock {
    /// Where in the block a Service would like to be: FNV-1a, because it is the same everywhere and for ever.
    fn wish(self, (namespace, name): &Place) -> u32 {
        let bytes = namespace.bytes().chain([b'/']).chain(name.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // The upper half is mixed better than the lower one.
        let folded = (hash >> 32) ^ hash;
        u32::try_from(folded & u64::from(self.count - 1)).unwrap_or(0)
    }

    /// How many Services can have an address.
    fn most(self) -> usize {
        ADDRESSES_MAX.min(usize::try_from(self.count - 2).unwrap_or(usize::MAX))
    }
}

/// Where a port of a Service is open on its address: the same number from 1024 on. Below it only the mighty may listen,
/// so these are found 8000 higher (80 at 8080, 443 at 8443), or further up where the Service itself has that port.
#[must_use]
pub fn open_at(port: u16, all: &[u16], low_ports: bool) -> u16 {
    if port >= UNPRIVILEGED || low_ports {
        return port;
    }
    let higher = (1..=6).map(|step| port + step * 8_000);
    higher.into_iter().find(|candidate| !all.contains(candidate)).unwrap_or(port)
}

/// The first port at which everybody may listen.
const UNPRIVILEGED: u16 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(namespace: &str, name: &str) -> Place {
        (namespace.into(), name.into())
    }

    #[test]
    fn an_address_depends_on_the_name_alone() {
        let (mut here, mut there) = (Addresses::default(), Addresses::default());
        let (cart, ledger) = (place("shop", "cart"), place("bank", "ledger"));

        here.settle([&cart, &ledger].into_iter());
        there.settle([&ledger, &place("x", "y"), &cart].into_iter());

        assert_eq!(here.of(&cart), there.of(&cart));
        assert_eq!(here.of(&cart).unwrap().to_string(), "127.224.113.255", "for ever");
        assert_ne!(here.of(&cart), here.of(&ledger));
        assert_eq!(here.of(&place("x", "y")), None);
    }

    #[test]
    fn of_two_that_want_the_same_the_older_one_has_it_and_keeps_it() {
        let names: Vec<Place> = (0..40_000).map(|number| place("a", &format!("s{number}"))).collect();
        let mut seen: HashMap<u32, &Place> = HashMap::new();
        let (first, second) = names
            .iter()
            .find_map(|name| {
                seen.insert(ServiceBlock::default().wish(name), name).map(|earlier| (earlier, name))
            })
            .expect("two of them");
        let mut addresses = Addresses::default();

        addresses.settle([first].into_iter());
        let had = addresses.of(first);
        // The second one says that it is older; the first one has the address.
        addresses.settle([second, first].into_iter());

        assert_eq!(addresses.of(first), had);
        let (had, next) = (u32::from(had.unwrap()), u32::from(addresses.of(second).unwrap()));
        assert_eq!(next, had + 1);
        let mut fresh = Addresses::default();
        fresh.settle([second, first].into_iter());
        assert_eq!(fresh.of(second).map(u32::from), Some(had));
    }

    #[test]
    fn every_address_is_loopback_and_nobody_shares_one() {
        let names: Vec<Place> = (0..20_000).map(|number| place("a", &format!("s{number}"))).collect();
        let mut addresses = Addresses::default();

        addresses.settle(names.iter());

        let given: std::collections::HashSet<Ipv4Addr> =
            names.iter().filter_map(|name| addresses.of(name)).collect();
        assert_eq!(given.len(), names.len());
        assert!(given.iter().all(|address| address.octets()[0] == 127 && address.octets()[1] >= 128));
    }

    #[test]
    fn a_sidecar_that_shares_its_machine_stays_in_a_block_of_its_own_and_fills_it() {
        let read = |text: &str| ServiceBlock::try_from(text.parse::<IpBlock>().expect("a block"));
        let mut addresses =
            Addresses::of_block(read("127.130.8.0/29").expect("a block of the loopback network"));
        let names: Vec<Place> = (0..9).map(|number| place("a", &format!("s{number}"))).collect();

        addresses.settle(names.iter());

        let mut given: Vec<u8> =
            names.iter().filter_map(|name| addresses.of(name)).map(|at| at.octets()[3]).collect();
        given.sort_unstable();
        assert_eq!(given, [1, 2, 3, 4, 5, 6], "each once, and neither the first nor the last of the block");
        assert!(addresses.of(&names[8]).is_none());
        assert_eq!(read("127.130.0.1/32"), Err("it is too small"));
        for foreign in ["10.0.0.0/8", "::1/128", "0.0.0.0/0", "126.0.0.0/7"] {
            assert_eq!(read(foreign), Err("it is not of the loopback network"), "{foreign}");
        }
    }

    #[test]
    fn low_ports_are_found_higher_up() {
        assert_eq!(open_at(5432, &[5432], false), 5432);
        assert_eq!(open_at(80, &[80], false), 8080);
        assert_eq!(open_at(80, &[80, 8080], false), 16_080);
        assert_eq!(open_at(443, &[443], true), 443);
    }
}
