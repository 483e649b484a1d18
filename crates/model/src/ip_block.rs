//! Blocks of IP addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::violation::Problem;

/// A block of addresses. Bits behind the prefix are zero, so equal blocks are written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IpBlock {
    first: IpAddr,
    prefix: u8,
}

impl IpBlock {
    /// First and last address.
    #[must_use]
    pub fn ends(self) -> (IpAddr, IpAddr) {
        let last = match self.first {
            IpAddr::V4(first) => {
                let hosts = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() | hosts))
            }
            IpAddr::V6(first) => {
                let hosts = u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | hosts))
            }
        };
        (self.first, last)
    }
}

impl FromStr for IpBlock {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(format!("`{text}` is not a block of addresses"))
                .remedy("write it like `10.0.0.0/8`, `192.0.2.1` or `2001:db8::/32`")
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        if let IpAddr::V6(six) = address
            && six.to_ipv4_mapped().is_some()
        {
            return Err(wrong().remedy("write an IPv4 address as such: addresses are compared unmapped"));
        }
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= width).ok_or_else(wrong)?
            }
            Some(_) => return Err(wrong()),
        };
        let first = masked(address, prefix);
        if first != address {
            let block = IpBlock { first, prefix };
            return Err(Problem::new(format!("`{text}` has bits behind its prefix"))
                .remedy(format!("did you mean `{block}`, or the single address `{address}`?")));
        }
        Ok(IpBlock { first, prefix })
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let hosts = u32::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !hosts))
        }
        IpAddr::V6(address) => {
            let hosts = u128::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !hosts))
        }
    }
}

impl TryFrom<String> for IpBlock {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl From<IpBlock> for String {
    fn from(block: IpBlock) -> Self {
        block.to_string()
    }
}

impl fmt::Display for IpBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_a_first_and_a_last_address() {
        let ends = |text: &str| {
            let (first, last) = text.parse::<IpBlock>().unwrap().ends();
            (first.to_string(), last.to_string())
        };

        assert_eq!(ends("10.0.0.0/8"), ("10.0.0.0".into(), "10.255.255.255".into()));
        assert_eq!(ends("0.0.0.0/0"), ("0.0.0.0".into(), "255.255.255.255".into()));
        assert_eq!(ends("192.0.2.7"), ("192.0.2.7".into(), "192.0.2.7".into()));
        assert_eq!(ends("2001:db8::/127"), ("2001:db8::".into(), "2001:db8::1".into()));
        assert_eq!(ends("::/0").1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }

    #[test]
    fn what_is_no_block_is_refused_with_what_was_meant() {
        for text in ["", "10/8", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::1/129", "a", "::ffff:10.0.0.1"]
        {
            assert!(text.parse::<IpBlock>().is_err(), "{text}");
        }
        let problem = "10.1.2.3/8".parse::<IpBlock>().unwrap_err();
        assert_eq!(problem.remedy.unwrap(), "did you mean `10.0.0.0/8`, or the single address `10.1.2.3`?");
    }
}
