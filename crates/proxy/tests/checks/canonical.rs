//! Paths and hosts: one spelling, stable, without anything that could be read in two ways.

use engine::config::PathPolicy;
use proxy::codec::canonical::{host, path};

/// Checks everything for one input, taken as a path and as a host.
pub fn check(data: &[u8]) {
    let [reject, redirect, decode, keep] =
        [PathPolicy::Reject, PathPolicy::Redirect, PathPolicy::Decode, PathPolicy::Keep]
            .map(|policy| check_path(data, policy));
    assert_eq!(redirect, decode);
    if let Some(path) = reject {
        assert_eq!(decode.as_ref(), Some(&path), "what the strictest accepts means the same to all");
        assert_eq!(keep.as_ref(), Some(&path));
    }
    check_host(data);
}

fn check_path(data: &[u8], policy: PathPolicy) -> Option<Vec<u8>> {
    let mut once = data.to_vec();
    let canonical = path(&mut once, policy).ok()?;
    once.truncate(canonical.length);
    assert_eq!(canonical.changed, once != data);
    assert!(once.starts_with(b"/") && once.iter().all(|byte| (0x21..0x7f).contains(byte)));
    assert!(!once.split(|byte| *byte == b'/').any(|segment| segment == b"." || segment == b".."));
    if policy != PathPolicy::Keep {
        let doubtful: [&[u8]; 4] = [b"//", b"\\\\", b"%2F", b"%5C"];
        assert!(!once.windows(2).any(|two| two == b"//") && !once.contains(&b'\\'));
        assert!(!once.windows(3).any(|three| doubtful.contains(&three)));
    }
    let mut twice = once.clone();
    let again = path(&mut twice, policy).expect("a canonical path is accepted");
    assert!(!again.changed && again.length == once.len() && twice == once);
    Some(once)
}

fn check_host(data: &[u8]) {
    let mut once = data.to_vec();
    let Ok(authority) = host(&mut once) else { return };
    once.truncate(authority.length);
    assert!(authority.host > 0 && authority.length <= data.len());
    assert!(!once.iter().any(u8::is_ascii_uppercase) && once[authority.host - 1] != b'.');
    let mut twice = once.clone();
    assert_eq!(host(&mut twice), Ok(authority));
    assert_eq!(twice, once);
}
