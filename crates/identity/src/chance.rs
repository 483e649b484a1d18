//! Numbers that nobody can guess.

use crate::provider;

/// Sixteen random bytes of the system.
///
/// # Panics
/// The system has none to give, as it has none for TLS then.
#[must_use]
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    provider().secure_random.fill(&mut bytes).expect("random numbers of the system");
    bytes
}
