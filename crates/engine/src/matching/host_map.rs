//! Values by hostname: exact, `*.suffix` for one or more labels on the left, or any.
//!
//! Suffixes are looked up by hash, and only at the depths where a wildcard exists, so neither the number of
//! hosts nor the number of wildcards is felt. There is one structure for every size: a table that changes its
//! behaviour as it grows has bugs that only large users see.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// A hostname as a listener or a route writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Any host at all, and requests without one.
    Any,
    /// `*.suffix`; holds the suffix with its leading dot: `.example.com`.
    Wildcard(Arc<str>),
    /// Exactly this host.
    Exact(Arc<str>),
}

impl HostPattern {
    /// Reads a hostname; `None` and the empty string are [`HostPattern::Any`]. Case does not matter.
    #[must_use]
    pub fn new(hostname: Option<&str>) -> Self {
        let lower = hostname.unwrap_or("").to_ascii_lowercase();
        match lower.strip_prefix('*') {
            Some("") => HostPattern::Any,
            Some(suffix) => HostPattern::Wildcard(suffix.into()),
            None if lower.is_empty() => HostPattern::Any,
            None => HostPattern::Exact(lower.into()),
        }
    }

    /// Whether a host, in lower case, is covered.
    #[must_use]
    pub fn covers(&self, host: &[u8]) -> bool {
        match self {
            HostPattern::Any => true,
            HostPattern::Wildcard(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_bytes()),
            HostPattern::Exact(name) => name.as_bytes() == host,
        }
    }

    /// Larger is more specific: exact names first, then the longer wildcard.
    #[must_use]
    pub fn specificity(&self) -> usize {
        match self {
            HostPattern::Any => 0,
            HostPattern::Wildcard(suffix) => suffix.len(),
            HostPattern::Exact(_) => usize::MAX,
        }
    }

    /// What two patterns have in common: the narrower one, if it lies within the wider.
    #[must_use]
    pub fn intersect(&self, other: &HostPattern) -> Option<HostPattern> {
        let (wide, narrow) =
            if self.specificity() <= other.specificity() { (self, other) } else { (other, self) };
        match (wide, narrow) {
            (HostPattern::Any, _) => Some(narrow.clone()),
            (HostPattern::Exact(_), _) => (wide == narrow).then(|| narrow.clone()),
            (HostPattern::Wildcard(outer), HostPattern::Wildcard(inner)) => {
                inner.ends_with(&**outer).then(|| narrow.clone())
            }
            (HostPattern::Wildcard(_), HostPattern::Exact(name)) => {
                wide.covers(name.as_bytes()).then(|| narrow.clone())
            }
            (HostPattern::Wildcard(_), HostPattern::Any) => None,
        }
    }

    /// As it was written, `None` for any host.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            HostPattern::Any => None,
            HostPattern::Wildcard(suffix) => Some(format!("*{suffix}")),
            HostPattern::Exact(name) => Some(name.to_string()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Wildcard(suffix) => write!(f, "*{suffix}"),
            HostPattern::Exact(name) => f.write_str(name),
        }
    }
}

/// Values by host; the most specific pattern answers and there is no way back to a wider one.
#[derive(Clone, Debug)]
pub struct HostMap<T> {
    exact: HashMap<Arc<[u8]>, T, RandomState>,
    wildcard: HashMap<Arc<[u8]>, T, RandomState>,
    /// Bit `n`: some wildcard suffix has `n` labels; bit 63: one has 63 or more.
    wildcard_depths: u64,
    any: Option<T>,
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        HostMap { exact: HashMap::default(), wildcard: HashMap::default(), wildcard_depths: 0, any: None }
    }
}

impl<T> HostMap<T> {
    /// Adds a value; one that was there under the same pattern is replaced.
    pub fn insert(&mut self, pattern: &HostPattern, value: T) {
        match pattern {
            HostPattern::Any => self.any = Some(value),
            HostPattern::Exact(name) => {
                self.exact.insert(name.as_bytes().into(), value);
            }
            HostPattern::Wildcard(suffix) => {
                let suffix: Arc<[u8]> = suffix.as_bytes().into();
                self.wildcard_depths |= depth_bit(memchr::memchr_iter(b'.', &suffix).count());
                self.wildcard.insert(suffix, value);
            }
        }
    }

    /// Takes a value out. Depths are not forgotten: one probe too many is better than a walk over all suffixes.
    pub fn remove(&mut self, pattern: &HostPattern) -> Option<T> {
        match pattern {
            HostPattern::Any => self.any.take(),
            HostPattern::Exact(name) => self.exact.remove(name.as_bytes()),
            HostPattern::Wildcard(suffix) => self.wildcard.remove(suffix.as_bytes()),
        }
    }

    /// The value of the most specific pattern that covers `host`.
    #[must_use]
    pub fn get(&self, host: &[u8]) -> Option<&T> {
        if let Some(value) = self.exact.get(host) {
            return Some(value);
        }
        if self.wildcard_depths != 0
            && let Some(value) = self.get_wildcard(host)
        {
            return Some(value);
        }
        self.any.as_ref()
    }

    /// Longest suffix first, which is the order of the dots from the left.
    fn get_wildcard(&self, host: &[u8]) -> Option<&T> {
        let dots = memchr::memchr_iter(b'.', host).count();
        memchr::memchr_iter(b'.', host)
            .enumerate()
            .filter(|(before, at)| *at > 0 && self.wildcard_depths & depth_bit(dots - before) != 0)
            .find_map(|(_, at)| self.wildcard.get(&host[at..]))
    }

    /// The value stored under exactly this pattern.
    #[must_use]
    pub fn at(&self, pattern: &HostPattern) -> Option<&T> {
        match pattern {
            HostPattern::Any => self.any.as_ref(),
            HostPattern::Exact(name) => self.exact.get(name.as_bytes()),
            HostPattern::Wildcard(suffix) => self.wildcard.get(suffix.as_bytes()),
        }
    }

    /// Everything, sorted by pattern; for people, not for requests.
    #[must_use]
    pub fn sorted(&self) -> Vec<(HostPattern, &T)> {
        let text = |bytes: &[u8]| Arc::<str>::from(String::from_utf8_lossy(bytes));
        let exact = self.exact.iter().map(|(name, value)| (HostPattern::Exact(text(name)), value));
        let wildcard = self.wildcard.iter().map(|(name, value)| (HostPattern::Wildcard(text(name)), value));
        let any = self.any.iter().map(|value| (HostPattern::Any, value));
        let mut all: Vec<_> = any.chain(wildcard).chain(exact).collect();
        all.sort_by(|left, right| left.0.cmp(&right.0));
        all
    }

    /// How many patterns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exact.len() + self.wildcard.len() + usize::from(self.any.is_some())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> FromIterator<(HostPattern, T)> for HostMap<T> {
    fn from_iter<I: IntoIterator<Item = (HostPattern, T)>>(items: I) -> Self {
        let mut map = HostMap::default();
        for (pattern, value) in items {
            map.insert(&pattern, value);
        }
        map
    }
}

fn depth_bit(labels: usize) -> u64 {
    1 << labels.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::new(Some(text))
    }

    #[test]
    fn the_most_specific_pattern_answers() {
        let map: HostMap<u8> = [("", 0), ("*.com", 1), ("*.example.com", 2), ("www.example.com", 3)]
            .into_iter()
            .map(|(text, value)| (pattern(text), value))
            .collect();

        assert_eq!(map.get(b"www.example.com"), Some(&3));
        assert_eq!(map.get(b"a.b.example.com"), Some(&2));
        assert_eq!(map.get(b"example.com"), Some(&1));
        assert_eq!(map.get(b"com"), Some(&0));
        assert_eq!(map.get(b""), Some(&0));
        assert_eq!(map.get(b".com"), Some(&0), "a wildcard needs at least one byte on the left");
    }

    #[test]
    fn a_wildcard_deeper_than_the_mask_is_still_found() {
        let deep = vec!["a"; 100].join(".");
        let map: HostMap<u8> = [(pattern(&format!("*.{deep}")), 1)].into_iter().collect();

        assert_eq!(map.get(format!("x.{deep}").as_bytes()), Some(&1));
        assert_eq!(map.get(format!("x.y.{deep}").as_bytes()), Some(&1));
        assert_eq!(map.get(deep.as_bytes()), None);
    }

    #[test]
    fn an_intersection_is_the_narrower_of_two_nested_patterns() {
        let both = |left: &str, right: &str| pattern(left).intersect(&pattern(right)).map(|p| p.to_string());

        assert_eq!(both("*.example.com", "a.b.example.com").as_deref(), Some("a.b.example.com"));
        assert_eq!(both("*.example.com", "*.b.example.com").as_deref(), Some("*.b.example.com"));
        assert_eq!(both("", "*.b.example.com").as_deref(), Some("*.b.example.com"));
        assert_eq!(both("*.example.com", "example.com"), None);
        assert_eq!(both("*.example.com", "*.example.org"), None);
        assert_eq!(both("a.example.com", "b.example.com"), None);
        assert_eq!(both("", "").as_deref(), Some("*"));
    }
}
