//! How the gateway reads the path of a URL, before it asks any rule.
//!
//! The proxy brings paths into one spelling, or refuses them, by the policy of the Gateway. `explain` must say so
//! instead of matching a spelling that no rule would ever see; it asks the very function that the proxy asks.

use engine::config::PathPolicy;
use proxy::codec::canonical;

/// What becomes of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// It is canonical as it stands.
    Canonical,
    /// Rules see this URL instead.
    ReadAs(String),
    /// The gateway answers by itself.
    Answered {
        /// The status.
        status: u16,
        /// Why.
        reason: String,
    },
}

/// What becomes of the path of a URL under a policy.
pub fn of(url: &str, policy: PathPolicy) -> Spelling {
    let Some((before, path, after)) = split(url) else { return Spelling::Canonical };
    let mut bytes = path.as_bytes().to_vec();
    let read = match canonical::path(&mut bytes, policy) {
        Ok(read) => read,
        Err(failure) => {
            let facts = failure.facts();
            return Spelling::Answered {
                status: facts.status,
                reason: format!("{}: {}", facts.code, facts.sentence),
            };
        }
    };
    if !read.changed {
        return Spelling::Canonical;
    }
    let canonical = format!("{before}{}{after}", String::from_utf8_lossy(&bytes[..read.length]));
    match policy {
        PathPolicy::Redirect => {
            Spelling::Answered { status: 308, reason: format!("redirect to {canonical}") }
        }
        PathPolicy::Reject | PathPolicy::Decode | PathPolicy::Keep => Spelling::ReadAs(canonical),
    }
}

/// Everything before the path, the path, and everything after it; `None` for a URL without a path.
fn split(url: &str) -> Option<(&str, &str, &str)> {
    let authority = url.find("://")? + 3;
    let start = authority + url[authority..].find(['/', '?', '#'])?;
    let end = url[start..].find(['?', '#']).map_or(url.len(), |at| start + at);
    (start < end).then(|| (&url[..start], &url[start..end], &url[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_or_none_is_canonical() {
        for url in ["http://a", "http://a/", "http://a/b/c?x=/../y", "http://a?x", "http://a/b#/../c"] {
            assert_eq!(of(url, PathPolicy::Reject), Spelling::Canonical, "{url}");
        }
    }

    #[test]
    fn dot_segments_are_read_as_the_gateway_reads_them() {
        assert_eq!(
            of("http://a/b/../c?x=1", PathPolicy::Reject),
            Spelling::ReadAs("http://a/c?x=1".to_owned())
        );
    }

    #[test]
    fn what_the_gateway_refuses_is_answered_by_it() {
        let Spelling::Answered { status, reason } = of("http://a/b%2fc", PathPolicy::Reject) else {
            panic!("an escaped slash was let through")
        };
        assert_eq!(status, 400);
        assert!(reason.starts_with("ambiguous_path: "), "{reason}");
    }
}
