//! What people ask of the authorities: a new root, or no more trust in one.
//!
//! Only the beginning is written here, by whichever control plane was asked; the leader does the rest
//! ([`super::keep`]).

use std::sync::Arc;

use model::kinds::KindName;
use model::units::Moment;
use serde::{Deserialize, Serialize};

use super::root::Root;
use super::rotate::Refused;
use super::settings::{self, Settings};
use super::state::Sessions;
use super::{Authorities, Opened};
use crate::api::Authorizer;
use crate::api::access::{Audit, Permit, User, Wish};
use crate::clock::Clock;
use crate::objects::status::{About, Status};
use crate::store::{ChangeSet, StoreError};

/// How often a change is tried again because somebody was faster.
const TRIES_MAX: usize = 5;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Wanted {
    /// A new root that takes the place of all others.
    Rotate {
        /// Whether others may have the key of the old one: connections that it vouched for are cut then.
        #[serde(default)]
        compromised: bool,
    },
    /// No more trust in a root, at once.
    Distrust {
        /// Its key identifier.
        root: String,
        /// Whether it may be the only one: everybody must join anew then.
        #[serde(default)]
        only: bool,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// The root that signs.
    pub signing: String,
    /// The root that is to be the only one, while that is under way.
    pub to: Option<String>,
}

/// Changes authorities for people who may.
#[derive(Debug)]
pub struct Manager {
    pub(super) authorities: Arc<Authorities>,
    pub(super) authorizer: Arc<dyn Authorizer>,
    pub(super) clock: Clock,
    pub(super) audit: Audit,
}

impl Manager {
    /// Whether somebody may change a mesh: update its TrustBundle.
    ///
    /// # Errors
    /// 403 for who may not; that is written to the audit log.
    pub fn permit(&self, user: User, mesh: &str) -> Result<Permit, Status> {
        let kind = KindName::TrustBundle;
        let wish = Wish {
            verb: "update".into(),
            group: kind.group().into(),
            resource: kind.plural().into(),
            name: Some(mesh.to_owned()),
            ..Wish::default()
        };
        let denied = self.audit.entry(&user.name, &wish, "denied");
        Permit::ask(&*self.authorizer, Arc::new(user), wish).map_err(|why| {
            self.audit.keep(denied);
            Status::forbidden(About::new(kind, mesh), &why)
        })
    }

    /// Does what somebody asks of a mesh.
    ///
    /// # Errors
    /// 404 when there is no such mesh, 409 when it cannot be done now.
    pub async fn change(&self, permit: &Permit, mesh: &str, wanted: &Wanted) -> Result<Done, Status> {
        for _ in 0..TRIES_MAX {
            let (set, done) = self.change_set(permit, mesh, wanted)?;
            match self.authorities.world().commit(set).await {
                Ok(_) => return Ok(done),
                Err(StoreError::Conflict { .. }) => {
                    let caught_up = self.authorities.world().catch_up().await;
                    caught_up
                        .map_err(|_| Status::service_unavailable("the store is not available now", 1))?;
                }
                Err(_) => return Err(Status::service_unavailable("the store is not available now", 1)),
            }
        }
        Err(Status::modified(About::new(KindName::TrustBundle, mesh)))
    }

    fn change_set(&self, permit: &Permit, mesh: &str, wanted: &Wanted) -> Result<(ChangeSet, Done), Status> {
        let about = About::new(KindName::TrustBundle, mesh);
        let resources = self.authorities.world().now().resources;
        let settings = settings::meshes(&resources).into_iter().find(|settings| &*settings.mesh == mesh);
        let settings = settings.ok_or_else(|| Status::not_found(about))?;
        let opened = self.authorities.open(&resources, &settings);
        let opened = opened.map_err(|unopened| Status::internal_error(&unopened.to_string()))?;
        let Opened { secret, state, .. } = opened.ok_or_else(|| Status::not_found(about))?;
        let mut next = (*state).clone();
        let now = self.clock.now();
        let changed = match wanted {
            Wanted::Rotate { compromised } => {
                let sessions = if *compromised { Sessions::End } else { Sessions::Stay };
                next.begin(self.new_root(&settings)?, sessions, now)
            }
            Wanted::Distrust { root, only } => {
                let spare = if *only { Some(self.new_root(&settings)?) } else { None };
                next.distrust(root, spare)
            }
        };
        changed.map_err(|refused| match refused {
            Refused::Unknown(_) => Status::not_found(about).because(&refused.to_string()),
            Refused::UnderWay(_) | Refused::TooMany | Refused::Only(_) => {
                Status::conflict(about, &refused.to_string())
            }
        })?;
        let (moment, keys) = (Moment(self.clock.seconds()), self.authorities.keys());
        let write = next.write(mesh, Some(&secret), keys, moment);
        let verb = match wanted {
            Wanted::Rotate { compromised: false } => "allowed: a rotation began".to_owned(),
            Wanted::Rotate { compromised: true } => {
                "allowed: a rotation began, away from a root whose key others may have".to_owned()
            }
            Wanted::Distrust { root, .. } => format!("allowed: root {root} is distrusted"),
        };
        let audit = vec![self.audit.entry(&permit.who().name, permit.wish(), &verb)];
        let to = next.rotation.map(|rotation| rotation.to);
        Ok((ChangeSet { writes: vec![write], audit, fence: None }, Done { signing: next.signing, to }))
    }

    fn new_root(&self, settings: &Settings) -> Result<Root, Status> {
        if settings.supplied.is_some() {
            let why = "its authority is supplied by a Secret: change that, and the rotation begins by itself";
            return Err(Status::conflict(About::new(KindName::TrustBundle, &settings.mesh), why));
        }
        let made = Root::make(&settings.trust_domain, self.clock.now(), settings.root_lifetime);
        made.map_err(|problem| Status::internal_error(&problem.to_string()))
    }
}
