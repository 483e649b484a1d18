//! Who may have a first certificate: whoever shows a JoinToken that is good.
//!
//! A token that is good once is used up by a write that names the key it was used for, and that happens only if nobody
//! has written the token since it was read: of two control planes that are asked at the same moment, one is too late. A
//! sender whose answer was lost asks again with the same key and is answered; another key is another sender.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::kinds::join_token::Uses;
use model::kinds::{JoinToken, KindName};
use model::units::Moment;
use model::{Resource, Resources};
use serde_json::{Value, json};

use super::trust::GATEWAY_ACCOUNT;
use crate::access::tokens::{TOKEN_TEXT_BYTES_MAX, digest_of};
use crate::store::{AuditEntry, ChangeSet, Expect, Object, StoreError, Write};
use crate::world::World;

/// What a token says about its holder.
#[derive(Clone, Debug)]
pub struct Ticket {
    resource: Arc<Resource>,
    token: JoinToken,
}

/// Why a token is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Nobody has it, or has it any more.
    #[error("the token is not known")]
    Unknown,
    /// It was good until then.
    #[error("the token has expired")]
    Expired,
    /// It was good once.
    #[error("the token was good once and has been used by `{0}`")]
    Used(Arc<str>),
    /// It is for another workload.
    #[error("the token is for workload `{allowed}`, not for `{asked}`")]
    Workload {
        /// Which it is for: `namespace/name`, or `namespace/*`.
        allowed: String,
        /// Which was asked for.
        asked: String,
    },
    /// It is for a service account that only Gateways have.
    #[error(
        "the token is for service account `{0}`, which only a Gateway has; it joins with the token of its gateway"
    )]
    Account(Arc<str>),
    /// It cannot be used up now.
    #[error("the store is not available now")]
    Unavailable,
}

/// Tokens of the resources that were last asked about.
#[derive(Debug, Default)]
pub struct JoinTokens(Mutex<Option<(Resources, Arc<ByDigest>)>>);

/// Tokens by their digests; of two with the same digest neither counts.
type ByDigest = HashMap<Arc<str>, Option<Arc<Resource>>>;

impl JoinTokens {
    /// What a token says.
    ///
    /// # Errors
    /// When it is not known, or no longer good.
    pub fn ticket(&self, resources: &Resources, token: &str, now: Moment) -> Result<Ticket, JoinError> {
        if token.len() > TOKEN_TEXT_BYTES_MAX {
            return Err(JoinError::Unknown);
        }
        let known = self.by_digest(resources);
        let found = known.get(&*digest_of(token)).and_then(Option::as_ref).ok_or(JoinError::Unknown)?;
        Ticket::of(found, now)
    }

    fn by_digest(&self, resources: &Resources) -> Arc<ByDigest> {
        const TOKENS: &[KindName] = &[KindName::JoinToken];
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, known)) = &*kept
            && from.share(resources, TOKENS)
        {
            return Arc::clone(known);
        }
        let mut known = ByDigest::new();
        for token in resources.all::<JoinToken>() {
            let digest = Arc::clone(&token.content.spec.digest);
            known.entry(digest).and_modify(|both| *both = None).or_insert(Some(Arc::clone(token.resource)));
        }
        let known = Arc::new(known);
        *kept = Some((resources.only(TOKENS), Arc::clone(&known)));
        known
    }
}

impl Ticket {
    fn of(resource: &Arc<Resource>, now: Moment) -> Result<Ticket, JoinError> {
        let token = resource.content::<JoinToken>().ok_or(JoinError::Unknown)?;
        match token.spec.expires_at {
            Some(end) if end <= now => Err(JoinError::Expired),
            // One that was stored before they were refused.
            _ if token.spec.service_account.starts_with(GATEWAY_ACCOUNT) => {
                Err(JoinError::Account(Arc::clone(&token.spec.service_account)))
            }
            Some(_) | None => Ok(Ticket { resource: Arc::clone(resource), token: token.clone() }),
        }
    }

    /// The namespace of whoever holds it.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.resource.namespace()
    }

    /// The token itself: `namespace/name`.
    #[must_use]
    pub fn place(&self) -> String {
        self.resource.key.place().to_string()
    }

    /// The service account of whoever holds it.
    #[must_use]
    pub fn service_account(&self) -> &str {
        &self.token.spec.service_account
    }

    /// Whether it is for a workload of this namespace and name.
    ///
    /// # Errors
    /// For which it is.
    pub fn admits(&self, namespace: &str, name: &str) -> Result<(), JoinError> {
        let only = self.token.spec.workload.as_deref();
        if namespace == self.namespace() && only.is_none_or(|only| only == name) {
            return Ok(());
        }
        let allowed = format!("{}/{}", self.namespace(), only.unwrap_or("*"));
        Err(JoinError::Workload { allowed, asked: format!("{namespace}/{name}") })
    }

    /// Uses it for a key, which is written together with `audit`. What is good more than once is not written.
    ///
    /// # Errors
    /// When it was used before, for another key, or is gone meanwhile.
    pub async fn take(
        self,
        world: &World,
        name: &str,
        key: &str,
        now: Moment,
        audit: AuditEntry,
    ) -> Result<(), JoinError> {
        let mut ticket = self;
        // A second look is enough: whoever was faster has used the token, or ended it.
        for _ in 0..2 {
            if ticket.token.spec.uses == Uses::Renewable {
                return Ok(());
            }
            match &ticket.token.status.used {
                Some(used) if *used.key == *key => return Ok(()),
                Some(used) => return Err(JoinError::Used(Arc::clone(&used.workload))),
                None => {}
            }
            let set = ticket.used_up(name, key, now, audit.clone()).ok_or(JoinError::Unknown)?;
            match world.commit(set).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {
                    world.catch_up().await.map_err(|_| JoinError::Unavailable)?;
                    let resources = world.now().resources;
                    let found = resources.get(&ticket.resource.key).ok_or(JoinError::Unknown)?;
                    let same = found.meta.uid == ticket.resource.meta.uid;
                    ticket = Ticket::of(found, now)
                        .and_then(|ticket| same.then_some(ticket).ok_or(JoinError::Unknown))?;
                }
                Err(_) => return Err(JoinError::Unavailable),
            }
        }
        Err(JoinError::Unavailable)
    }

    fn used_up(&self, name: &str, key: &str, now: Moment, audit: AuditEntry) -> Option<ChangeSet> {
        let mut value = self.resource.written.value();
        let used = json!({ "used": { "at": now.to_string(), "workload": name, "key": key } });
        if let Value::Object(object) = &mut value {
            object.insert("status".to_owned(), used);
        }
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.shift_remove("resourceVersion");
        }
        let expect = Expect::Revision(self.resource.meta.resource_version.as_ref()?.parse().ok()?);
        let object = Object {
            key: self.resource.key.clone(),
            uid: self.resource.meta.uid.clone()?,
            revision: 0,
            json: value.to_string().into(),
            source: self.resource.source.clone(),
        };
        Some(ChangeSet { writes: vec![Write::Put { object, expect }], audit: vec![audit], fence: None })
    }
}
