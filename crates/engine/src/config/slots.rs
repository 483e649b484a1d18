//! Numbers under which things are known to those who count, whatever the epoch.

/// Stable index of a rule, for counters. Never reused for another rule while the compiler lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleSlot(pub u32);

/// Stable index of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterSlot(pub u32);
