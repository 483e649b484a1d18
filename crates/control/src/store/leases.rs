//! Who gets a lease: the same answer on every engine, by the clock of the database.
//!
//! A holder that is in time keeps its token. Whoever takes a lease that has run out gets a larger one, even when it is
//! the last holder again: between its two terms nobody kept the others out.

use super::writer::Wish;

/// A lease as it is kept. Its row is never deleted, so that tokens only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub holder: String,
    pub token: i64,
    /// Milliseconds since 1970; held before that moment.
    pub until: i64,
}

/// What the lease becomes, if the wish is granted.
pub(super) fn grant(lease: Option<&Lease>, wish: &Wish, now: i64) -> Option<Lease> {
    let until = now.saturating_add_unsigned(wish.milliseconds);
    let token = match lease {
        None => 1,
        Some(lease) if lease.until <= now => lease.token + 1,
        Some(lease) if lease.holder == *wish.holder => lease.token,
        Some(_) => return None,
    };
    Some(Lease { holder: wish.holder.to_string(), token, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(holder: &str) -> Wish {
        Wish { name: "leader".into(), holder: holder.into(), milliseconds: 10 }
    }

    fn lease(holder: &str, token: i64, until: i64) -> Lease {
        Lease { holder: holder.to_owned(), token, until }
    }

    #[test]
    fn a_lease_is_kept_by_who_is_in_time_and_refused_to_others() {
        let held = lease("a", 4, 110);

        assert_eq!(grant(None, &wish("a"), 100), Some(lease("a", 1, 110)));
        assert_eq!(grant(Some(&held), &wish("a"), 105), Some(lease("a", 4, 115)));
        assert_eq!(grant(Some(&held), &wish("b"), 109), None);
    }

    #[test]
    fn a_lease_that_ran_out_is_granted_with_a_larger_token_to_its_last_holder_too() {
        let over = lease("a", 4, 110);

        assert_eq!(grant(Some(&over), &wish("b"), 110), Some(lease("b", 5, 120)));
        assert_eq!(grant(Some(&over), &wish("a"), 110), Some(lease("a", 5, 120)));
    }
}
