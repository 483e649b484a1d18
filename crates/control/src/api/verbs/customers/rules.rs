//! What customers may and may not, beyond their schemas: life cycles, what they belong to, and what only one can have.

use std::sync::Arc;

use aws_lc_rs::rand;
use engine::customers::Place;
use model::customers::api_key::{ApiKey, BRAND, ENVIRONMENT};
use model::customers::lives::{ApplicationState, CredentialState, Membership, SubscriptionState};
use model::customers::{Fingerprint, Pepper};
use model::kinds::api_product::ProductState;
use model::kinds::api_version::VersionState;
use model::kinds::credential::CredentialType;
use model::kinds::{
    ApiProduct, ApiVersion, Application, Credential, Developer, KindName, PRODUCT_GROUP, Subscription, Team,
};
use model::units::Moment;
use model::violation::Problem;
use model::{Resources, suggest};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{failed, rows};
use crate::api::state::State;
use crate::objects::status::{About, Cause, Status};
use crate::store::customers::{Key, Row};

/// An object that fits among the others, and how its row is found.
#[derive(Debug)]
pub struct Fit {
    /// The object as it is to be kept.
    pub object: Value,
    /// See [`Row::parent`].
    pub parent: Option<Arc<str>>,
    /// See [`Row::owner`].
    pub owner: Option<u64>,
    /// See [`Row::place`].
    pub place: Option<u32>,
    /// See [`Row::claim`].
    pub claim: Option<Arc<str>>,
    /// See [`RowWrite::Put`](crate::store::customers::RowWrite::Put).
    pub due: Option<i64>,
    /// A key that was just made. It is in this answer and nowhere else.
    pub shown_once: Option<ApiKey>,
}

/// What is deleted with an object of a kind.
pub fn goes_with(kind: KindName) -> &'static [KindName] {
    match kind {
        KindName::Application => &[KindName::Credential, KindName::Subscription],
        _ => &[],
    }
}

/// Judges an object among the others.
///
/// # Errors
/// 422 with all that is wrong and what to do about it.
pub async fn fit(state: &State, kind: KindName, object: Value, before: Option<&Row>) -> Result<Fit, Status> {
    let fit =
        Fit { object, parent: None, owner: None, place: None, claim: None, due: None, shown_once: None };
    match kind {
        KindName::Team => of_member::<Team>(fit, kind, before, |team| team.status.state),
        KindName::Developer => of_member::<Developer>(fit, kind, before, |developer| developer.status.state),
        KindName::Application => of_application(state, fit, before).await,
        KindName::Subscription => of_subscription(state, fit, before).await,
        KindName::Credential => of_credential(state, fit, before).await,
        _ => Err(Status::no_such_path()),
    }
}

/// What somebody is told whose row claims what another one has.
pub fn taken(about: About<'_>, holder: &Key) -> Status {
    let Key { kind, namespace, name } = holder;
    let why = match kind {
        KindName::Subscription => {
            format!(
                "subscription `{namespace}/{name}` of this application to this product is still live; change its plan, or cancel it first"
            )
        }
        _ => format!("{kind} `{namespace}/{name}` has it already; delete that first"),
    };
    Status::conflict(about, &why)
}

fn of_member<T: for<'de> Deserialize<'de>>(
    mut fit: Fit,
    kind: KindName,
    before: Option<&Row>,
    state: impl Fn(&T) -> Membership,
) -> Result<Fit, Status> {
    match before {
        None => fit.object["status"] = json!({ "state": Membership::Active.as_str() }),
        Some(before) => {
            let (was, is) = (state(&typed(&before.json)?), state(&read(&fit.object)?));
            moved(kind, &fit.object, was.may_become(is))?;
        }
    }
    Ok(fit)
}

async fn of_application(state: &State, mut fit: Fit, before: Option<&Row>) -> Result<Fit, Status> {
    let kind = KindName::Application;
    match before {
        None => fit.object["status"] = json!({ "state": ApplicationState::Active.as_str() }),
        Some(before) => {
            let (was, is): (Application, Application) = (typed(&before.json)?, read(&fit.object)?);
            moved(kind, &fit.object, was.status.state.may_become(is.status.state))?;
            fit.place = before.place;
        }
    }
    let application: Application = read(&fit.object)?;
    fit.parent = application.spec.team.clone();
    let is_new = before.and_then(|before| before.parent.as_ref()) != fit.parent.as_ref();
    if let Some(team) = application.spec.team.filter(|_| is_new) {
        let key = Key::new(KindName::Team, namespace(&fit.object), &team);
        if rows(state)?.row(key).await.map_err(failed)?.is_none() {
            let problem = Problem::new(format!("there is no team `{team}` in this namespace"))
                .remedy("make it first, or leave `team` out");
            return Err(refused(kind, &fit.object, "spec.team", &problem));
        }
    }
    Ok(fit)
}

async fn of_subscription(state: &State, mut fit: Fit, before: Option<&Row>) -> Result<Fit, Status> {
    let wanted: Subscription = read(&fit.object)?;
    let owner = owner(state, KindName::Subscription, &fit.object, &wanted.spec.application).await?;
    let was: Option<Subscription> = before.map(|before| typed(&before.json)).transpose()?;
    let now = Moment(state.clock.seconds());
    if was.as_ref().is_none_or(|was| was.spec.plan != wanted.spec.plan) {
        let approval = plan(state, &fit.object, &wanted, was.is_some())?;
        if was.is_none() {
            fit.object["status"] = beginning(&wanted, &approval, now);
        }
    }
    if let Some(was) = &was {
        step(&mut fit.object, was, &wanted, now)?;
    }
    let wanted: Subscription = read(&fit.object)?;
    let (product_namespace, product) = wanted.spec.product_in(namespace(&fit.object));
    fit.claim = wanted
        .status
        .state()
        .is_live()
        .then(|| format!("subscription {} {product_namespace}/{product}", owner.number).into());
    fit.due = wanted.due().map(|due| due.at.0);
    fit.parent = Some(wanted.spec.application.clone());
    (fit.owner, fit.place) = (Some(owner.number), owner.place);
    Ok(fit)
}

/// The first status of a subscription. Its periods begin with it.
fn beginning(wanted: &Subscription, approval: &Approval, now: Moment) -> Value {
    let later = wanted.spec.starts_at.filter(|start| *start > now);
    let first = match (approval, later) {
        (Approval::Manual, _) => SubscriptionState::Requested,
        (Approval::Automatic, Some(_)) => SubscriptionState::Scheduled,
        (Approval::Automatic, None) => SubscriptionState::Active,
    };
    json!({ "state": first.as_str(), "holds": [], "anchor": later.unwrap_or(now).to_string() })
}

/// A step in the life of a subscription. What time has done already is done, whether or not it is written down yet.
fn step(object: &mut Value, was: &Subscription, wanted: &Subscription, now: Moment) -> Result<(), Status> {
    let kind = KindName::Subscription;
    let by_time = was.due().and_then(|due| due.by(now));
    let before = by_time.unwrap_or(was.status.state());
    let is = match wanted.status.state() {
        same if same == was.status.state() => before,
        other => other,
    };
    moved(kind, object, before.may_become(is))?;
    let refuse = |field: &str, problem: &str, remedy: &str| {
        Err(refused(kind, object, field, &Problem::new(problem).remedy(remedy)))
    };
    let later = wanted.spec.starts_at.filter(|start| *start > now);
    match (is, later) {
        (SubscriptionState::Active, Some(start)) if before != SubscriptionState::Active => {
            let problem = format!("it begins at {start}");
            return refuse("status.state", &problem, "make it `Scheduled`; it becomes active by itself");
        }
        (SubscriptionState::Scheduled, None) if before != is => {
            let problem = "there is no beginning that it could wait for";
            return refuse("status.state", problem, "make it `Active`");
        }
        (SubscriptionState::Ending, _) if before != is && wanted.status.ends_at.is_none() => {
            return refuse(
                "status.endsAt",
                "nobody says when it ends",
                "set it, or make it `Closed` at once",
            );
        }
        _ => {}
    }
    let ends = match is {
        SubscriptionState::Ending => wanted.status.ends_at,
        SubscriptionState::Closed if before == is => was.status.ends_at,
        SubscriptionState::Closed => Some(now),
        _ => None,
    };
    object["status"]["state"] = is.as_str().into();
    if let Value::Object(status) = &mut object["status"] {
        status.shift_remove("endsAt");
        status.extend(ends.map(|ends| ("endsAt".to_owned(), ends.to_string().into())));
    }
    Ok(())
}

async fn of_credential(state: &State, mut fit: Fit, before: Option<&Row>) -> Result<Fit, Status> {
    let wanted: Credential = read(&fit.object)?;
    let owner = owner(state, KindName::Credential, &fit.object, &wanted.spec.application).await?;
    fit.parent = Some(wanted.spec.application.clone());
    fit.owner = Some(owner.number);
    match before {
        Some(before) => {
            let now = Moment(state.clock.seconds());
            keep(&mut fit.object, &typed(&before.json)?, &wanted, now)?;
            (fit.place, fit.claim) = (before.place, before.claim.clone());
        }
        None => {
            let pepper = pepper(state).await?;
            let (status, print, key) = recognised(&wanted, &pepper)?;
            fit.object["status"] = status;
            fit.place = Some(Place::of_fingerprint(&print).number());
            fit.claim = Some(claim(&print));
            fit.shown_once = key;
        }
    }
    fit.due = read::<Credential>(&fit.object)?.due().map(|due| due.at.0);
    Ok(fit)
}

/// A step in the life of a credential. What has an end is over then, whether or not it is written down yet.
fn keep(object: &mut Value, was: &Credential, wanted: &Credential, now: Moment) -> Result<(), Status> {
    let kind = KindName::Credential;
    let before = was.due().and_then(|due| due.by(now)).unwrap_or(was.status.state);
    let is = if wanted.status.state == was.status.state { before } else { wanted.status.state };
    moved(kind, object, before.may_become(is))?;
    if before == CredentialState::Expired && wanted.spec.expires_at != was.spec.expires_at {
        let ended = was.spec.expires_at.map(|end| format!(" at {end}")).unwrap_or_default();
        let problem = Problem::new(format!("it has expired{ended}")).remedy("make another one");
        return Err(refused(kind, object, "spec.expiresAt", &problem));
    }
    object["status"]["state"] = is.as_str().into();
    // What the key begins with was said when it was made, and is true for good.
    if let Some(shown) = &was.status.shown {
        object["status"]["shown"] = (&**shown).into();
    }
    Ok(())
}

/// What a new credential is recognised by: its first status, its fingerprint, and its key where it is one of ours.
fn recognised(wanted: &Credential, pepper: &Pepper) -> Result<(Value, Fingerprint, Option<ApiKey>), Status> {
    let mut status = json!({ "state": CredentialState::Active.as_str() });
    match wanted.spec.of {
        CredentialType::ApiKey => {
            let key = mint()?;
            status["shown"] = key.shown().into();
            let print = pepper.api_key(key.reveal().as_bytes());
            Ok((status, print, Some(key)))
        }
        CredentialType::Spiffe => match &wanted.spec.identity {
            Some(identity) => Ok((status, pepper.spiffe(identity.as_str()), None)),
            None => Err(Status::internal_error("the schema lets no such credential in")),
        },
        CredentialType::ClientCertificate => match wanted.spec.certificate.as_deref().and_then(bytes) {
            Some(sha256) => Ok((status, pepper.certificate(&sha256), None)),
            None => Err(Status::internal_error("the schema lets no such credential in")),
        },
    }
}

/// The claim of a credential: its fingerprint.
fn claim(print: &Fingerprint) -> Arc<str> {
    print.to_hex().into()
}

/// The pepper of the store, which is made by whoever needs it first.
async fn pepper(state: &State) -> Result<Pepper, Status> {
    let offered = chance::<32>()?;
    let kept = rows(state)?.pepper(offered).await.map_err(failed)?;
    Ok(Pepper::new(&kept))
}

fn mint() -> Result<ApiKey, Status> {
    // More than enough: of 256 bytes eight are thrown away.
    let mut bytes = chance::<256>()?.into_iter();
    let minted = ApiKey::mint(BRAND, ENVIRONMENT, || bytes.next().unwrap_or_default());
    minted.map_err(|problem| Status::internal_error(&problem.problem))
}

fn chance<const BYTES: usize>() -> Result<[u8; BYTES], Status> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).map_err(|_| Status::internal_error("the system gives no random bytes"))?;
    Ok(bytes)
}

fn bytes(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hexadecimal.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The application that something belongs to.
async fn owner(state: &State, kind: KindName, object: &Value, name: &str) -> Result<Row, Status> {
    let key = Key::new(KindName::Application, namespace(object), name);
    if let Some(row) = rows(state)?.row(key).await.map_err(failed)? {
        return Ok(row);
    }
    let problem =
        Problem::new(format!("there is no application `{name}` in namespace `{}`", namespace(object)))
            .remedy(format!("make it first: selvedge app create {name} --namespace {}", namespace(object)));
    Err(refused(kind, object, "spec.application", &problem))
}

/// Who lets subscribers of a plan in.
enum Approval {
    Automatic,
    Manual,
}

/// Whether a plan can be subscribed to, or changed to. A program that knows no plans takes every name for one.
fn plan(state: &State, object: &Value, wanted: &Subscription, is_change: bool) -> Result<Approval, Status> {
    let Some(kind) = KindName::find(PRODUCT_GROUP, "Plan") else { return Ok(Approval::Automatic) };
    let (place, product) = wanted.spec.product_in(namespace(object));
    let resources = state.world.now().resources;
    let refuse = |field: &str, problem: &Problem| refused(KindName::Subscription, object, field, problem);
    if !is_change {
        offered(&resources, place, product).map_err(|problem| refuse("spec.product", &problem))?;
    }
    let plans = plans_of(&resources, kind, place, product);
    let Some((_, plan)) = plans.iter().find(|(name, _)| **name == *wanted.spec.plan) else {
        let names = plans.iter().map(|(name, _)| &**name);
        let remedy = suggest::did_you_mean(&wanted.spec.plan, names.clone()).unwrap_or_else(|| {
            match plans.is_empty() {
                true => format!("`{place}/{product}` has no plans; is it the name of an APIProduct?"),
                false => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
            }
        });
        let problem =
            Problem::new(format!("there is no plan `{}` of product `{place}/{product}`", wanted.spec.plan));
        return Err(refuse("spec.plan", &problem.remedy(remedy)));
    };
    let word = |field: &str| plan.pointer(field).and_then(Value::as_str).unwrap_or_default();
    let name = &wanted.spec.plan;
    match word("/spec/state") {
        "Published" => {}
        "Deprecated" if is_change => {}
        "Deprecated" => {
            let problem = Problem::new(format!("plan `{name}` is deprecated and takes no new subscriptions"))
                .remedy("choose another plan of the product");
            return Err(refuse("spec.plan", &problem));
        }
        other => {
            let problem = Problem::new(format!("plan `{name}` is not published (it is {other})"))
                .remedy("wait until it is, or choose another plan of the product");
            return Err(refuse("spec.plan", &problem));
        }
    }
    if plan.pointer("/spec/credentials").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let problem = Problem::new(format!("plan `{name}` is keyless: nobody subscribes to it"))
            .remedy("call the product without a key");
        return Err(refuse("spec.plan", &problem));
    }
    Ok(if word("/spec/approval") == "Manual" { Approval::Manual } else { Approval::Automatic })
}

/// Whether a product takes new subscriptions. One that is not there is told of by its plans, of which there are none.
fn offered(resources: &Resources, namespace: &str, name: &str) -> Result<(), Problem> {
    let Some(product) = resources.find::<ApiProduct>(namespace, name) else { return Ok(()) };
    let refused = |what: &str| {
        Err(Problem::new(format!("product `{namespace}/{name}` {what} and takes no new subscriptions"))
            .remedy("choose another product; who has this one may still change plan and rotate keys"))
    };
    match product.content.spec.state {
        ProductState::Published => {}
        ProductState::Draft => return refused("is not published"),
        ProductState::Deprecated => return refused("is deprecated"),
        ProductState::Archived => return refused("has ended"),
    }
    let versions = product.content.spec.apis.iter();
    let states: Vec<VersionState> = versions
        .filter_map(|api| resources.find::<ApiVersion>(namespace, &api.version))
        .map(|version| version.content.spec.state)
        .collect();
    let is_past = |state: &VersionState| matches!(state, VersionState::Deprecated | VersionState::Retired);
    match !states.is_empty() && states.iter().all(is_past) {
        true => refused("has only versions that are deprecated or retired"),
        false => Ok(()),
    }
}

fn plans_of(resources: &Resources, kind: KindName, namespace: &str, product: &str) -> Vec<(Arc<str>, Value)> {
    let of = resources.of(kind).filter(|plan| plan.namespace() == namespace);
    of.map(|plan| (plan.key.name.to_arc(), plan.written.value()))
        .filter(|(_, plan)| plan.pointer("/spec/product").and_then(Value::as_str) == Some(product))
        .collect()
}

fn moved(kind: KindName, object: &Value, moved: Result<(), Problem>) -> Result<(), Status> {
    moved.map_err(|problem| refused(kind, object, "status.state", &problem))
}

fn refused(kind: KindName, object: &Value, field: &str, problem: &Problem) -> Status {
    let remedy = problem.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    let cause = Cause {
        reason: "FieldValueInvalid",
        field: field.to_owned(),
        message: format!("Invalid value: {}{remedy}", problem.problem),
    };
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Status::invalid(About::new(kind, name), &[cause])
}

fn namespace(object: &Value) -> &str {
    object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default()
}

fn read<T: for<'de> Deserialize<'de>>(object: &Value) -> Result<T, Status> {
    T::deserialize(object).map_err(|fault| Status::bad_request(format!("the object cannot be read: {fault}")))
}

fn typed<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, Status> {
    serde_json::from_str(json).map_err(|_| Status::internal_error("a row cannot be read"))
}
