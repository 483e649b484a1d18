//! The leader's work: every Mesh has authorities, a bundle says which, and rotations go on.
//!
//! It runs when something changes and when proxies report while a rotation waits for them. What it writes is compared
//! with what is there, so running again is free.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use discovery::limits::{COME_BACK, REPORT_EVERY};
use model::kinds::mesh::LIFETIME_DEFAULT;
use model::kinds::secret::TYPE_AUTHORITY;
use model::kinds::{KindName, Secret, TrustBundle};
use model::units::Moment;
use model::{Resource, Resources};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::root::{Origin, Root};
use super::rotate::{Pace, Seen};
use super::settings::{Settings, meshes};
use super::state::{Sessions, State};
use super::{Authorities, Opened, bundle, bundle_of};
use crate::clock::Clock;
use crate::proxies::{Proxies, Proxy};
use crate::reconcile::driver::{Reconcile, Run, Summary};
use crate::store::{AuditEntry, ChangeSet, Expect, Fence, StoreError, Write};
use crate::view::{Standing, Views};
use crate::world::Event;

/// Who writes, in the audit log.
const NAME: &str = "selvedge.dev/mesh-authority";
/// How long a stage of a rotation takes at least: until every live proxy has reported once more.
const STAGE_MIN: Duration = Duration::from_secs(2 * REPORT_EVERY.as_secs());
/// How long members have to learn of a new root when other control planes serve some that are not seen here.
const UNSEEN_SPREADING: Duration = Duration::from_secs(600);
/// A root of ours is replaced by itself when this part of its life is left.
const RENEW_AT: u32 = 3;

/// The loop.
#[derive(Debug)]
pub struct Keep {
    authorities: Arc<Authorities>,
    proxies: Arc<Proxies>,
    views: Arc<Views>,
    clock: Clock,
    /// Whether other control planes may serve proxies that are not seen here.
    is_shared: bool,
    /// Since when we lead, and by which proof.
    began: Mutex<Option<(Fence, SystemTime)>>,
    /// Wakes the loop.
    poke: Arc<Notify>,
    /// Whether somebody sleeps who is going to wake it.
    sleeps: Arc<AtomicBool>,
}

impl Keep {
    /// The loop of these authorities.
    #[must_use]
    pub fn new(
        authorities: Arc<Authorities>,
        proxies: Arc<Proxies>,
        views: Arc<Views>,
        clock: Clock,
        is_shared: bool,
        poke: Arc<Notify>,
    ) -> Keep {
        let (began, sleeps) = (Mutex::default(), Arc::default());
        Keep { authorities, proxies, views, clock, is_shared, began, poke, sleeps }
    }

    /// A stage takes its time even if nothing happens meanwhile.
    fn look_again_soon(&self) {
        if self.sleeps.swap(true, Ordering::Relaxed) {
            return;
        }
        let (poke, sleeps) = (Arc::clone(&self.poke), Arc::clone(&self.sleeps));
        tokio::spawn(async move {
            tokio::time::sleep(REPORT_EVERY).await;
            sleeps.store(false, Ordering::Relaxed);
            poke.notify_one();
        });
    }

    async fn sweep(&self, fence: &Fence) -> Result<Summary, StoreError> {
        let resources = self.authorities.world().now().resources;
        let all = meshes(&resources);
        let began = self.began(fence);
        let mut set = ChangeSet { writes: Vec::new(), audit: Vec::new(), fence: Some(fence.clone()) };
        for settings in &all {
            self.keep(&resources, settings, began, &mut set);
        }
        let left = resources.all::<TrustBundle>().filter(|bundle| {
            !all.iter().any(|settings| &*settings.mesh == bundle.resource.key.name.as_str())
        });
        set.writes.extend(left.filter_map(|bundle| gone(bundle.resource)));
        set.writes.extend(self.useless(&resources, &all).filter_map(gone));
        let writes = set.writes.len();
        if writes == 0 {
            return Ok(Summary::default());
        }
        match self.authorities.world().commit(set).await {
            Ok(_) => Ok(Summary { writes, refused: 0, more: true }),
            Err(StoreError::Conflict { .. }) => {
                self.authorities.world().catch_up().await?;
                Ok(Summary { writes: 0, refused: 0, more: true })
            }
            Err(error) => Err(error),
        }
    }

    /// Since when we lead. Who came to lead a moment ago has not heard yet of proxies that are alive all the same.
    fn began(&self, fence: &Fence) -> SystemTime {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        match &*began {
            Some((by, since)) if by == fence => *since,
            Some(_) | None => began.insert((fence.clone(), self.clock.now())).1,
        }
    }

    /// What does not open and belongs to no Mesh any more: deleting a Mesh and making it again is the way out when its
    /// authorities are lost. What opens is kept, so that a Mesh that was deleted by mistake comes back with its roots.
    fn useless<'r>(
        &self,
        resources: &'r Resources,
        all: &[Settings],
    ) -> impl Iterator<Item = &'r Arc<Resource>> {
        let kept = resources.within::<Secret>(super::state::NAMESPACE);
        kept.filter(|secret| {
            let mesh = super::state::mesh_of(secret.resource.key.name.as_str());
            *secret.content.secret_type == *TYPE_AUTHORITY
                && !all.iter().any(|settings| Some(&*settings.mesh) == mesh)
                && State::open(mesh.unwrap_or_default(), secret.content, self.authorities.keys()).is_err()
        })
        .map(|secret| secret.resource)
    }

    /// One step for one mesh.
    fn keep(&self, resources: &Resources, settings: &Settings, began: SystemTime, set: &mut ChangeSet) {
        let now = Moment(self.clock.seconds());
        let bundle = bundle_of(resources, &settings.mesh);
        let before = bundle.as_ref().map(|bundle| bundle.resource);
        let (wanted, problem) = match self.wanted(resources, settings) {
            Ok(wanted) => (wanted, None),
            Err(problem) => (None, Some(problem)),
        };
        match self.authorities.open(resources, settings) {
            Err(unopened) => {
                // What cannot be opened is not replaced: every member would have to join anew.
                let known = before.and_then(|known| bundle::with_problem(known, &unopened.to_string(), now));
                set.writes.extend(known);
            }
            Ok(None) => {
                let made = match wanted {
                    Some(root) => Ok(root),
                    None if problem.is_none() => self.make(settings),
                    None => Err(problem.clone().unwrap_or_default()),
                };
                // Without any authority there is nothing to show; the Mesh waits until it has one.
                let Ok(root) = made else { return };
                let state = State::of(&settings.trust_domain, root);
                let name = super::state::name(&settings.mesh);
                let stale = resources.find::<Secret>(super::state::NAMESPACE, &name);
                let stale = stale.as_ref().map(|stale| stale.resource);
                set.writes.push(state.write(&settings.mesh, stale, self.authorities.keys(), now));
                set.writes.extend(bundle::write(&settings.mesh, &state, &[], None, before, now));
                set.audit.push(self.entry("create", &settings.mesh, &state));
            }
            Ok(Some(opened)) => {
                let Opened { secret, state, .. } = opened;
                let seen = self.seen(&state, bundle.as_ref().map(|bundle| bundle.content));
                let mut next = (*state).clone();
                if self.moves(&mut next, settings, wanted, &seen, began) {
                    set.writes.push(next.write(&settings.mesh, Some(&secret), self.authorities.keys(), now));
                    set.audit.push(self.entry("update", &settings.mesh, &next));
                }
                if next.rotation.is_some() {
                    self.look_again_soon();
                }
                let waits = next.waits_for(&seen);
                let problem = problem.as_deref();
                set.writes.extend(bundle::write(&settings.mesh, &next, &waits, problem, before, now));
            }
        }
    }

    /// Begins or goes on with a rotation. Says whether anything is different.
    fn moves(
        &self,
        state: &mut State,
        settings: &Settings,
        wanted: Option<Root>,
        seen: &Seen,
        began: SystemTime,
    ) -> bool {
        let now = self.clock.now();
        let least = if self.is_shared { UNSEEN_SPREADING } else { STAGE_MIN };
        let moving_min = if self.is_shared { settings.lifetime } else { STAGE_MIN };
        // Certificates may have been longer before the Mesh was changed.
        let not_before = began + COME_BACK;
        let pace = Pace { spreading_min: least, moving_min, not_before, lifetime: LIFETIME_DEFAULT };
        let forgot = state.forget(now);
        if state.rotation.is_some() {
            return state.advance(seen, pace, now) || forgot;
        }
        let next = match wanted {
            // The same authority with a new certificate is another root.
            Some(root) => (state.signer() != Some(&root)).then_some(root),
            None if settings.supplied.is_none() => {
                let is_ours = state.signer().is_some_and(|root| root.origin == Origin::BuiltIn);
                let is_over = state.signer().is_none_or(|root| is_old(root, settings, now));
                if is_ours && !is_over { None } else { self.make(settings).ok() }
            }
            None => None,
        };
        let Some(root) = next else { return forgot };
        // One that has the same key takes the place of the other.
        state.roots.retain(|known| known.id != root.id);
        state.begin(root, Sessions::Stay, now).is_ok() || forgot
    }

    /// The authority that the Mesh names.
    fn wanted(&self, resources: &Resources, settings: &Settings) -> Result<Option<Root>, String> {
        let Some((namespace, name)) = &settings.supplied else { return Ok(None) };
        let secret = resources.find::<Secret>(namespace, name);
        let secret = secret.ok_or_else(|| format!("there is no Secret `{namespace}/{name}`"))?;
        let root = Root::supplied(secret.content, self.clock.now());
        root.map(Some).map_err(|problem| format!("Secret `{namespace}/{name}`: {problem}"))
    }

    fn make(&self, settings: &Settings) -> Result<Root, String> {
        let made = Root::make(&settings.trust_domain, self.clock.now(), settings.root_lifetime);
        made.map_err(|problem| problem.to_string())
    }

    fn seen(&self, state: &State, bundle: Option<&TrustBundle>) -> Seen {
        let live = self.proxies.live(Instant::now());
        // Before the views are asked who runs on the bundle, they must have it.
        self.views.catch_up();
        let is_written = bundle.is_some_and(|bundle| bundle::is_current(bundle, state));
        let has_it = |proxy: &&Proxy| {
            let took_it =
                !proxy.rejected.iter().any(|one| one.object.of.as_str() == KindName::TrustBundle.as_str());
            let standing = self.views.standing(&proxy.interest, proxy.epoch);
            is_written && took_it && !proxy.from_cache && standing == Standing::Current
        };
        let without_bundle = live.iter().filter(|proxy| !has_it(proxy)).map(|proxy| proxy.name.to_string());
        // Before the bundle is written nobody has it, not even if nobody is there to be asked.
        let unwritten = (!is_written).then(|| "the control plane".to_owned());
        let holders = live.iter().filter_map(|proxy| {
            // What has ended is needed by nobody.
            let held =
                proxy.certificate.as_ref().filter(|held| held.not_after > Moment(self.clock.seconds()))?;
            Some((proxy.name.to_string(), held.issuer.to_string()))
        });
        Seen { without_bundle: without_bundle.chain(unwritten).collect(), holders: holders.collect() }
    }

    fn entry(&self, verb: &str, mesh: &str, state: &State) -> AuditEntry {
        let how = match &state.rotation {
            None => format!("allowed: root {} signs and is the only one", state.signing),
            Some(rotation) => {
                format!(
                    "allowed: root {} signs; {} to root {}",
                    state.signing,
                    rotation.stage.as_str(),
                    rotation.to
                )
            }
        };
        AuditEntry {
            at: self.clock.milliseconds(),
            who: NAME.into(),
            verb: verb.into(),
            what: format!("trustbundles.mesh.selvedge.dev {mesh}").into(),
            outcome: how.into(),
        }
    }
}

impl Reconcile for Keep {
    fn run<'a>(&'a self, fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep(fence))
    }

    fn concerns(&self, event: &Event) -> bool {
        let kinds = [KindName::Secret, KindName::TrustBundle];
        event.before.iter().chain(&event.after).any(|side| {
            kinds.contains(&side.kind_name()) || super::settings::is_about_meshes(side.kind_name())
        })
    }
}

/// Whether a root of ours is to be replaced.
fn is_old(root: &Root, settings: &Settings, now: SystemTime) -> bool {
    root.ends().is_none_or(|ends| now + settings.root_lifetime / RENEW_AT > ends)
}

fn gone(object: &Arc<Resource>) -> Option<Write> {
    let revision = object.meta.resource_version.as_ref()?.parse().ok()?;
    Some(Write::Delete { key: object.key.clone(), expect: Expect::Revision(revision) })
}
