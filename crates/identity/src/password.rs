//! Whether a password is the one whose hash is kept.
//!
//! bcrypt, as `htpasswd -B` and most programs that keep passwords write it. It takes tens of milliseconds on purpose, so
//! nobody who serves others may wait for it on the same thread.

/// Longest password, in bytes. bcrypt looks at no more, so a longer one would be worth only its beginning.
pub const PASSWORD_BYTES_MAX: usize = 72;

/// Whether a password has this hash.
#[must_use]
pub fn verify(password: &[u8], hash: &str) -> bool {
    password.len() <= PASSWORD_BYTES_MAX
        && !password.contains(&0)
        && bcrypt::verify(password, hash).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_has_the_hash() {
        let hash = bcrypt::hash("secret", 8).expect("a hash");

        assert!(verify(b"secret", &hash));
        assert!(verify(b"secret", &hash.replace("$2b$", "$2y$")));
        assert!(!verify(b"Secret", &hash));
        assert!(!verify(b"secret\0x", &hash));
        assert!(!verify(b"secret", "no hash"));
        assert!(!verify(&[b'a'; 73], &bcrypt::hash([b'a'; 72], 8).expect("a hash")));
    }
}
