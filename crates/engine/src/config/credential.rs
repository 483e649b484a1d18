//! What requests show to a destination: a field with a secret in it, which nothing ever prints.

use std::fmt;
use std::sync::Arc;

/// A credential of ours for a destination. What clients send by the name of its field stays here.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamCredential {
    /// Name of the field, in lower case.
    pub field: Arc<[u8]>,
    /// Its value; `None` when the Secret does not have it, and then nothing is sent to the destination.
    pub value: Option<Arc<[u8]>>,
}

impl fmt::Debug for UpstreamCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = String::from_utf8_lossy(&self.field);
        f.debug_struct("UpstreamCredential").field("field", &field).finish_non_exhaustive()
    }
}
