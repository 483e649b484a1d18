//! Keeps this proxy a member of its mesh: gets a certificate, renews it in time, and never lets go of a good one.
//!
//! On a small thread of its own, for the data path must not wait for it. Any control plane of a list will do. The
//! certificate in use is the proof for the next one; the token is shown only where there is none, or it is refused.
//! What fails leaves everything as it is.

mod ask;
mod kept;
mod schedule;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use discovery::TokenFile;
use discovery::reports::Certificate;
use identity::member::{Bundle, Bundles, Member, Svid, Told};
use identity::{pinned, x509};
use model::kinds::TrustBundle;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::config::ControlAddress;
use crate::state::random::Random;
use ask::{Failed, Question};
use kept::{Kept, Place};
use schedule::{Held, Moment};

/// Longest time for which a control plane can send us away.
const AWAY_FOR: Duration = Duration::from_secs(60);
/// The wall clock is looked at at least this often: a machine that slept must not sleep through a renewal.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What to keep.
#[derive(Clone, Debug)]
pub struct KeeperOptions {
    /// The control planes; any of them.
    pub controls: Vec<ControlAddress>,
    /// What to show where there is no certificate yet, and how to know a control plane.
    pub token: TokenFile,
    /// The replica: `namespace/name`.
    pub workload: String,
    /// The Gateway that this is a proxy of, if it is one: `namespace/name`. It asks only once it hears of a mesh.
    pub gateway: Option<String>,
    /// Where to keep key and certificate for the next start; `None` for nowhere.
    pub folder: Option<PathBuf>,
}

/// Something that happened to an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityEvent {
    /// A certificate is in use.
    Certified {
        /// Who it says we are.
        identity: String,
        /// Its last moment, since the Unix epoch.
        until: Duration,
        /// Whether it came from the disk.
        is_kept: bool,
    },
    /// None could be had; it is tried again, and what is in use stays in use.
    Failed(String),
    /// What is on the disk cannot be used, or nothing can be written there.
    Unkept(String),
}

/// Told of everything that happens, from another thread.
pub type TellIdentity = Arc<dyn Fn(IdentityEvent) + Send + Sync>;

/// A member that is kept one.
pub struct Keeper {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

/// What is known, for the loop and for those who ask.
struct Shared {
    member: Arc<Member>,
    state: Mutex<State>,
    /// Counts what the loop must look at: bundles that came.
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// When the certificate in use was had, since the Unix epoch.
    since: Duration,
    /// When that was by our own count; `None` when it came from the disk.
    had: Option<Duration>,
    /// Key identifier of its issuer.
    issuer: Option<String>,
    /// Key identifier of the authority that signs now, by trust domain, as the bundles say.
    signing: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// Why the last attempt failed; empty when it did not.
    problem: String,
}

impl Keeper {
    /// Starts. When it returns, what is on the disk is in use; anything newer comes later. `member` is who becomes
    /// somebody.
    ///
    /// # Errors
    /// A thread or the folder is not to be had.
    pub fn start(options: KeeperOptions, member: Arc<Member>, tell: TellIdentity) -> io::Result<Keeper> {
        let shared = Arc::new(Shared { member, state: Mutex::default(), news: watch::Sender::new(0) });
        let place = options.folder.as_deref().map(Place::new).transpose()?;
        let clock = Clock::start();
        if let Some(place) = &place {
            let (kept, told) = place.open(&options.workload);
            if let Some(told) = told {
                tell(IdentityEvent::Unkept(told));
            }
            if let Some((kept, (svid, bundle))) =
                kept.and_then(|kept| Some((kept.clone(), kept.read().ok()?)))
            {
                shared.put_into_use(&kept, svid, bundle, None, &tell);
            }
        }
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let anonymous = pinned::client_config(options.token.authority);
        let known = pinned::member_config(options.token.authority, Arc::clone(&shared.member));
        let keeping = Keeping { options, place, shared: Arc::clone(&shared), anonymous, known, clock, tell };
        let thread = std::thread::Builder::new().name("identity".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = keeping.keep() => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Keeper { shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Who we are, and whom we believe.
    #[must_use]
    pub fn member(&self) -> &Arc<Member> {
        &self.shared.member
    }

    /// Takes over the bundles that the control plane shows, and only those. A bundle that cannot be read leaves the one
    /// before in use. Before the first bundle came, what stands is what came with the certificate.
    pub fn trust(&self, bundles: &[&TrustBundle]) {
        believe(&self.shared.member, bundles);
        let signing = bundles
            .iter()
            .map(|bundle| (Arc::clone(&bundle.spec.trust_domain), bundle.spec.signing.clone()))
            .collect();
        let mut state = self.shared.lock();
        if state.signing != signing {
            state.signing = signing;
            drop(state);
            self.shared.news.send_modify(|count| *count += 1);
        }
    }

    /// The certificate in use, for reports.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        let standing = self.shared.member.standing();
        let svid = standing.svid.as_ref()?;
        let state = self.shared.lock();
        Some(Certificate {
            identity: svid.identity().to_string(),
            issuer: state.issuer.clone().unwrap_or_default(),
            not_after: svid.leaf().not_after,
            problem: state.problem.clone(),
        })
    }

    /// Ends it; the certificate in use stays in use.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // One that panicked has said so already.
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

/// Makes a proxy believe these bundles, and only those. A bundle that cannot be read leaves the one before in use.
pub fn believe(member: &Member, bundles: &[&TrustBundle]) {
    let read = bundles.iter().map(|bundle| (bundle.spec.roots.concat(), bundle.spec.retired.concat()));
    let read: Vec<_> = read.collect();
    member.trust(|before| {
        before.told(bundles.iter().zip(&read).map(|(bundle, (roots, retired))| Told {
            trust_domain: &bundle.spec.trust_domain,
            roots: roots.as_bytes(),
            retired: retired.as_bytes(),
        }))
    });
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `had` is when it came, by our own count; `None` for what was on the disk.
    fn put_into_use(
        &self,
        kept: &Kept,
        svid: Svid,
        bundle: Bundle,
        had: Option<Duration>,
        tell: &TellIdentity,
    ) {
        let issuer = svid.chain().first().and_then(x509::parse).and_then(|leaf| x509::authority_key(&leaf));
        let event = IdentityEvent::Certified {
            identity: svid.identity().to_string(),
            until: Duration::from_secs(svid.leaf().not_after),
            is_kept: had.is_none(),
        };
        let is_told = {
            let mut state = self.lock();
            (state.since, state.had) = (kept.since, had);
            state.issuer = issuer;
            state.problem.clear();
            state.signing.contains_key(&*kept.trust_domain)
        };
        if is_told {
            // Whom to believe is told by the stream, which may be further on than this answer.
            self.member.renew(svid);
        } else {
            let bundles = Bundles::clone(&self.member.standing().bundles);
            self.member.replace(svid, bundles.with(&kept.trust_domain, bundle));
        }
        tell(event);
    }

    fn held(&self) -> Option<Held> {
        let standing = self.member.standing();
        let svid = standing.svid.as_ref()?;
        let state = self.lock();
        let signing = state.signing.get(svid.identity().trust_domain()).cloned().flatten();
        let is_of_old_root = signing.is_some_and(|signing| state.issuer.as_deref() != Some(&*signing));
        let State { since, had, .. } = *state;
        Some(Held { since, had, until: Duration::from_secs(svid.leaf().not_after), is_of_old_root })
    }
}

/// The loop.
struct Keeping {
    options: KeeperOptions,
    place: Option<Place>,
    shared: Arc<Shared>,
    anonymous: Arc<rustls::ClientConfig>,
    known: Arc<rustls::ClientConfig>,
    clock: Clock,
    tell: TellIdentity,
}

impl Keeping {
    async fn keep(&self) {
        let random = Random::new();
        let mut news = self.shared.news.subscribe();
        let mut failures = 0;
        let mut told = None;
        loop {
            self.until_due(&mut news, failures, &random).await;
            match self.renew(&random).await {
                Ok(kept) => {
                    (failures, told) = (0, None);
                    self.take(&kept);
                }
                Err(failed) => {
                    failures += 1;
                    self.shared.lock().problem.clone_from(&failed.problem);
                    if told.as_ref() != Some(&failed.problem) {
                        (self.tell)(IdentityEvent::Failed(failed.problem.clone()));
                        told = Some(failed.problem);
                    }
                    if let Some(after) = failed.after {
                        tokio::time::sleep(after.min(AWAY_FOR)).await;
                    }
                }
            }
        }
    }

    /// Waits until the next attempt is due; what is heard meanwhile may bring it forward.
    async fn until_due(&self, news: &mut watch::Receiver<u64>, failures: u32, random: &Random) {
        let waits_for_mesh = self.options.gateway.is_some();
        let chance = f64::from(random.below(1_001)) / 1_000.0;
        let mut begun = self.moment();
        let mut old_root = false;
        loop {
            news.borrow_and_update();
            let now = self.moment();
            let held = self.shared.held();
            // From the moment on at which it became known that another authority signs.
            let is_old = held.is_some_and(|held| held.is_of_old_root);
            if is_old != old_root {
                (old_root, begun) = (is_old, now);
            }
            let is_joined = !waits_for_mesh || held.is_some() || !self.shared.lock().signing.is_empty();
            let from = if old_root || failures > 0 { begun } else { now };
            let wait = schedule::wait(held, failures, from, chance);
            let left = wait.saturating_sub(now.running.saturating_sub(from.running));
            if is_joined && left.is_zero() {
                return;
            }
            let pause = if is_joined { left.min(LOOK_EVERY) } else { LOOK_EVERY };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = news.changed() => if changed.is_err() { std::future::pending::<()>().await },
            }
        }
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.clock.wall(), running: Duration::from_nanos(self.clock.nanoseconds()) }
    }

    /// Asks one control plane after the other, beginning anywhere.
    async fn renew(&self, random: &Random) -> Result<Kept, Failed> {
        let controls = &self.options.controls;
        let count = controls.len();
        let first = random.below(u32::try_from(count).unwrap_or(1).max(1)) as usize;
        let mut last =
            Failed { problem: "no control plane is known".to_owned(), is_refused: false, after: None };
        for at in 0..count {
            let control = &controls[(first + at) % count];
            match self.ask(control).await {
                Ok(kept) => return Ok(kept),
                Err(failed) => last = failed,
            }
        }
        Err(last)
    }

    async fn ask(&self, control: &ControlAddress) -> Result<Kept, Failed> {
        let KeeperOptions { workload, gateway, token, .. } = &self.options;
        let now = self.clock.wall();
        let question = Question { workload, gateway: gateway.as_deref(), token: None };
        if self.shared.member.standing().svid_at(now).is_some() {
            match ask::ask(control, &self.known, &question, now).await {
                Ok(kept) => return Ok(kept),
                // It may be of a root that is no longer trusted: then the handshake ends without a word.
                Err(failed) if failed.after.is_some() => return Err(failed),
                Err(_) => {}
            }
        }
        let question = Question { token: Some(&token.token), ..question };
        ask::ask(control, &self.anonymous, &question, now).await
    }

    fn take(&self, kept: &Kept) {
        // It was read before it was believed.
        let Ok((svid, bundle)) = kept.read() else { return };
        self.shared.put_into_use(kept, svid, bundle, Some(self.moment().running), &self.tell);
        if let Some(place) = &self.place
            && let Err(error) = place.keep(kept)
        {
            let told = format!("the certificate could not be kept for the next start: {error}");
            self.shared.lock().problem.clone_from(&told);
            (self.tell)(IdentityEvent::Unkept(told));
        }
    }
}
