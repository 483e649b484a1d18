//! Lines that somebody can paste into a shell as they stand: words quoted, and addresses at which something answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A word as a POSIX shell reads it back unchanged.
#[must_use]
pub fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:%@+,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// An address that clients on this machine can use: what listens everywhere is not called by that name.
#[must_use]
pub fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    }
}

/// An address as the host of a URL.
#[must_use]
pub fn host_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_unchanged_and_nobody_is_sent_to_everywhere() {
        assert_eq!(quoted("http://127.0.0.1:80/a"), "http://127.0.0.1:80/a");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
        for (ip, host) in [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.7", "10.0.0.7")] {
            assert_eq!(host_of(reachable(ip.parse().expect("an address"))), host);
        }
    }
}
