//! Every open connection of the mesh, so that trust can be taken back from it.
//!
//! Looked at once a second. A connection whose other end is no longer believed, or for which we cannot vouch ourselves
//! any more, takes no further request and is cut after `MESH_DISTRUST_SECONDS`. One that is merely out of date (the
//! certificate it was opened with was renewed or has expired, or its root gave way to another in good order) takes no
//! further request and is not cut; only under a root that has retired the end of the certificate is the end.

use std::cell::RefCell;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use identity::Member;
use identity::member::Backing;

use crate::counterpart::Counterpart;
use crate::limits::MESH_DISTRUST_SECONDS;

/// The connections of one worker.
#[derive(Debug, Default)]
pub struct Counterparts {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<usize>>,
}

#[derive(Debug)]
struct Slot {
    socket: RawFd,
    counterpart: Option<Rc<Counterpart>>,
    direction: Direction,
    /// Looks left until it is cut; `None` while it is believed.
    left: Option<u32>,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The other end.
    Inbound,
    /// We did: the other end is chosen anew with the next connection, so this one gives way to a renewed certificate.
    Outbound,
}

/// Keeps a connection in the register. It must be dropped before its socket is closed: keep it in a field declared
/// above the socket's.
#[derive(Debug)]
pub struct Known {
    index: usize,
    owner: Rc<Counterparts>,
    /// Who is at the other end.
    pub counterpart: Rc<Counterpart>,
}

impl Counterparts {
    /// Takes a connection into the register.
    #[must_use]
    pub fn register(
        self: &Rc<Self>,
        counterpart: Rc<Counterpart>,
        socket: RawFd,
        direction: Direction,
    ) -> Known {
        let slot = Slot { socket, counterpart: Some(counterpart.clone()), direction, left: None };
        let mut slots = self.slots.borrow_mut();
        let index = match self.free.borrow_mut().pop() {
            Some(index) => {
                slots[index] = slot;
                index
            }
            None => {
                slots.push(slot);
                slots.len() - 1
            }
        };
        Known { index, owner: self.clone(), counterpart }
    }

    /// A second has passed; it is `unix` since the Unix epoch.
    pub fn tick(&self, member: &Member, unix: Duration) {
        if self.slots.borrow().is_empty() {
            return; // Whoever has nothing to do with a mesh pays nothing for it.
        }
        let standing = member.standing();
        let own = standing.svid_at(unix);
        for slot in self.slots.borrow_mut().iter_mut() {
            let Some(counterpart) = &slot.counterpart else { continue };
            let is_valid = counterpart.verified.is_valid_at(unix);
            let backing = counterpart.verified.backing(&standing.bundles);
            let believed = match backing {
                Backing::Root => own.is_some(),
                Backing::Retired => own.is_some() && is_valid,
                Backing::Nobody => false,
            };
            if !believed {
                counterpart.retire();
                slot.wind_down();
                continue;
            }
            slot.left = None;
            let renewed = slot.direction == Direction::Outbound
                && own.is_some_and(|own| !Arc::ptr_eq(own, &counterpart.shown));
            if renewed || !is_valid || backing == Backing::Retired {
                counterpart.retire();
            }
        }
    }
}

impl Slot {
    fn wind_down(&mut self) {
        match self.left {
            None => self.left = Some(MESH_DISTRUST_SECONDS),
            Some(0) => {
                // The other side may have been faster; then there is nothing left to end.
                let _ = os::shutdown(self.socket, os::End::Both);
            }
            Some(left) => self.left = Some(left - 1),
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        self.owner.slots.borrow_mut()[self.index].counterpart = None;
        self.owner.free.borrow_mut().push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    use identity::member::{Bundles, Side, Svid, Told, judge};
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
    use rustls_pki_types::UnixTime;

    use super::*;

    const DOMAIN: &str = "bank.example";
    /// Long after anything that is cut would have been.
    const LOOKS: u32 = 3 * MESH_DISTRUST_SECONDS;

    /// A root, and the certificate of a member under it, good to the end of this year.
    fn issued(last: i32) -> (String, Svid) {
        let (authority, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&authority).expect("a root");
        let mut leaf = CertificateParams::new(Vec::new()).expect("params");
        let id = "spiffe://bank.example/ns/shop/sa/cart";
        leaf.subject_alt_names = vec![SanType::URI(id.try_into().expect("a URI"))];
        (leaf.not_before, leaf.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(last, 12, 31));
        let leaf = leaf.signed_by(&key, &Issuer::from_params(&params, &authority)).expect("a leaf");
        let svid = Svid::from_pem(leaf.pem().as_bytes(), key.serialize_pem().as_bytes());
        (root.pem(), svid.expect("an identity"))
    }

    fn told(roots: &str, retired: &str) -> Bundles {
        let (roots, retired) = (roots.as_bytes(), retired.as_bytes());
        Bundles::new().told([Told { trust_domain: DOMAIN, roots, retired }])
    }

    /// A connection that somebody has opened to us, and the second in which that was.
    struct Open {
        counterparts: Rc<Counterparts>,
        known: Known,
        member: Arc<Member>,
        old: String,
        other_end: UnixStream,
        _socket: UnixStream,
        now: Duration,
    }

    impl Open {
        fn new() -> Open {
            let (old, caller) = issued(2026);
            let now = Duration::from_secs(caller.leaf().not_after - 3_600);
            let when = UnixTime::since_unix_epoch(now);
            let verified =
                judge(&caller.chain()[0], &[], Side::Caller, &told(&old, ""), when).expect("sound");
            // Our own lasts longer: nothing ends because of it.
            let (_, own) = issued(2027);
            let member = Member::with(own, told(&old, ""));
            let shown = member.standing().svid.clone().expect("somebody");
            let (socket, other_end) = UnixStream::pair().expect("two ends");
            other_end.set_nonblocking(true).expect("a socket");
            let counterparts = Rc::<Counterparts>::default();
            let counterpart = Rc::new(Counterpart::new(verified, "80.cart.shop.svc", shown, None));
            let known = counterparts.register(counterpart, socket.as_raw_fd(), Direction::Inbound);
            Open { counterparts, known, member, old, other_end, _socket: socket, now }
        }

        /// Looks so often as would end anything that is not believed.
        fn passes(&mut self, to: Duration) {
            self.now = to;
            for _ in 0..LOOKS {
                self.counterparts.tick(&self.member, self.now);
            }
        }

        fn is_cut(&mut self) -> bool {
            match self.other_end.read(&mut [0]) {
                Ok(count) => count == 0,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    #[test]
    fn what_a_retired_root_vouched_for_lives_until_its_certificate_ends_and_takes_no_further_request() {
        let mut open = Open::new();
        let (new, _) = issued(2026);
        open.passes(open.now);
        assert!(!open.known.counterpart.retires());

        open.member.trust(|_| told(&new, &open.old));
        open.passes(open.now + Duration::from_secs(3_600));

        assert!(open.known.counterpart.retires() && !open.is_cut());
        let expires = open.known.counterpart.verified.expires();
        open.passes(expires - Duration::from_secs(1));
        assert!(!open.is_cut());
        open.passes(expires);
        assert!(open.is_cut());
    }

    #[test]
    fn what_nobody_vouches_for_any_more_is_cut() {
        let mut open = Open::new();
        let (new, _) = issued(2026);

        open.member.trust(|_| told(&new, ""));
        open.passes(open.now);

        assert!(open.is_cut());
    }

    #[test]
    fn a_clock_that_steps_for_a_moment_cuts_nothing_and_one_that_stays_closes_who_has_expired() {
        let mut open = Open::new();
        let (started, years) = (open.now, Duration::from_secs(10 * 366 * 86_400));

        // Our own certificate ends by that clock; it is set right before anything is cut.
        for now in [started + years, started + years, started, started - Duration::from_secs(86_400), started]
        {
            open.counterparts.tick(&open.member, now);
        }
        open.passes(started);
        assert!(!open.is_cut());

        open.passes(started + years);
        assert!(open.is_cut());
    }
}
