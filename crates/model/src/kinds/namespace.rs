//! `Namespace`: need not be declared; declaring one gives it labels that selectors can see.

use serde::{Deserialize, Serialize};

/// A namespace. All that counts of it stands in its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {}
