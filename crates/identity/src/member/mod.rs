//! A proxy as a member of a mesh: who it is now, and whom it believes.
//!
//! Both change while traffic flows: certificates are renewed several times a day and roots are replaced. So readers
//! take what stands at the moment, without a lock, and keep it for one handshake; writers replace all of it at once, so
//! that a new certificate is never seen with an old trust. What cannot be read never gets here: the last good one
//! stays.

mod bundles;
mod handshake;
mod judge;
mod leaf;
mod refusal;
mod svid;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use model::spiffe::SpiffeId;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;

pub use bundles::{AnchorId, Bundle, Bundles, Told};
pub use handshake::Judge;
pub use judge::{Backing, Side, Verified, judge};
pub use leaf::Leaf;
pub use refusal::Refusal;
pub use svid::{Svid, SvidProblem};

/// HTTP/1.1 between members, as TLS names it (RFC 7301).
pub const ALPN_HTTP1: &[u8] = b"selvedge/1";
/// HTTP/2 between members.
pub const ALPN_HTTP2: &[u8] = b"h2";
/// Bytes of which nothing is understood, one stream a connection.
pub const ALPN_TCP: &[u8] = b"selvedge/tcp";

/// How far the clocks of two members may differ, in seconds. Past it: a certificate that is not valid yet, or no
/// longer, is refused.
pub const CLOCK_LEEWAY_SECONDS: u64 = 60;
/// Most certificates of a chain, leaf included. Past it: the handshake is refused.
pub const CHAIN_CERTIFICATES_MAX: usize = 5;

/// A proxy's own identity and whom it believes, replaced as a whole while others read.
#[derive(Debug)]
pub struct Member {
    standing: ArcSwap<Standing>,
    changes: watch::Sender<u64>,
}

/// What stands at one moment.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Counts replacements.
    pub generation: u64,
    /// Who we are; `None` until a certificate was had.
    pub svid: Option<Arc<Svid>>,
    /// Whom we believe.
    pub bundles: Arc<Bundles>,
}

impl Default for Member {
    fn default() -> Self {
        Member { standing: ArcSwap::default(), changes: watch::Sender::new(0) }
    }
}

impl Member {
    /// A proxy that is nobody yet and believes nobody.
    #[must_use]
    pub fn new() -> Arc<Member> {
        Arc::default()
    }

    /// A proxy that is somebody from the start.
    #[must_use]
    pub fn with(svid: Svid, bundles: Bundles) -> Arc<Member> {
        let member = Member::new();
        member.replace(svid, bundles);
        member
    }

    /// What stands now.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    /// How often it was replaced: cheaper than looking at all of it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.standing.load().generation
    }

    /// Takes over a new certificate together with whom to believe.
    pub fn replace(&self, svid: Svid, bundles: Bundles) {
        let (svid, bundles) = (Arc::new(svid), Arc::new(bundles));
        self.change(|standing| {
            standing.svid = Some(Arc::clone(&svid));
            standing.bundles = Arc::clone(&bundles);
        });
    }

    /// Takes over a new certificate.
    pub fn renew(&self, svid: Svid) {
        let svid = Arc::new(svid);
        self.change(|standing| standing.svid = Some(Arc::clone(&svid)));
    }

    /// Takes over whom to believe; `edit` may be called more than once, if somebody else is writing.
    pub fn trust(&self, edit: impl Fn(&Bundles) -> Bundles) {
        self.change(|standing| standing.bundles = Arc::new(edit(&standing.bundles)));
    }

    fn change(&self, edit: impl Fn(&mut Standing)) {
        self.standing.rcu(|before| {
            let mut next = Standing::clone(before);
            next.generation += 1;
            edit(&mut next);
            next
        });
        self.changes.send_replace(self.generation());
    }

    /// Hears of every replacement; the value is the generation.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Standing {
    /// Who we are at a time, counted since the Unix epoch, unless our certificate has expired by then.
    #[must_use]
    pub fn svid_at(&self, unix: Duration) -> Option<&Arc<Svid>> {
        self.svid.as_ref().filter(|svid| svid.is_valid_at(unix))
    }

    /// Settings to accept one connection with, offering these protocols, and who judges the caller. `None` when we
    /// are nobody ourselves at `unix`, counted since the Unix epoch.
    #[must_use]
    pub fn server(&self, alpn: &[&[u8]], unix: Duration) -> Option<(Arc<ServerConfig>, Arc<Judge>)> {
        Some(handshake::server(self.svid_at(unix)?, &self.bundles, alpn))
    }

    /// Settings to open one connection with, to speak this protocol to exactly this identity, and who judges the
    /// other end. `None` when we are nobody ourselves at `unix`, counted since the Unix epoch.
    #[must_use]
    pub fn client(
        &self,
        expected: &SpiffeId,
        alpn: &[u8],
        unix: Duration,
    ) -> Option<(Arc<ClientConfig>, Arc<Judge>)> {
        Some(handshake::client(self.svid_at(unix)?, &self.bundles, expected, alpn))
    }
}
