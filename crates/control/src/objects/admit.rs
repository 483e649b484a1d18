//! The order in which a write of one object is judged and prepared.
//!
//! Decode, merge with what is there, prepare, fill in defaults, forbid, record who owns what, judge. Nothing is
//! written here: the verdict says what is to be done with the object that comes out, and the store does it if nobody
//! was faster.

use model::resource::Lines;
use model::{Resource, schema};
use serde_json::Value;

use super::body::Body;
use super::media::PatchKind;
use super::request::{Part, Request};
use super::status::Status;
use super::{apply, decode, judge, kinds, metadata, patch as patches, versions};

/// An object that may be written.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The object as it is to be kept: in its preferred version, without `resourceVersion`.
    pub object: Value,
    /// The same, typed.
    pub resource: Resource,
    /// Sentences for `Warning` headers.
    pub warnings: Vec<String>,
    /// What is to be done.
    pub verdict: Verdict,
}

/// What is to be done with an admitted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is there like this already. The answer is the object as it is.
    Unchanged,
    /// Keep it.
    Put,
    /// Remove what is there; it was waited for, or nothing had to be.
    Remove,
}

/// POST: a new object.
///
/// # Errors
/// 400 when the body is no such object, 422 when it breaks the rules of its kind.
pub fn create(request: &Request<'_>, body: Body) -> Result<Admitted, Status> {
    let decoded = decode::object(request, body)?;
    let mut object = decoded.object;
    begin(request, &mut object)?;
    apply::updated(request, None, &mut object);
    admitted(request, None, object, decoded.warnings)
}

/// PUT: the object in place of the current one, which carries its `resourceVersion`.
///
/// # Errors
/// As [`create`], and 409 when it was read before the last write.
pub fn update(request: &Request<'_>, current: &Value, body: Body) -> Result<Admitted, Status> {
    let decoded = decode::object(request, body)?;
    replace(request, current, decoded.object, decoded.warnings)
}

/// PATCH: the current object, which carries its `resourceVersion`, changed. Applying also makes an object that is not
/// there; `force` takes over the fields that others own.
///
/// # Errors
/// As [`update`], and 404 when there is nothing to patch, 415 for a kind of patch that the kind does not know, 409
/// for conflicts with other appliers, 422 when the patch does not fit.
pub fn patch(
    request: &Request<'_>,
    current: Option<&Value>,
    kind: PatchKind,
    body: Body,
    force: bool,
) -> Result<Admitted, Status> {
    if kind == PatchKind::Apply {
        return applied(request, current, body, force);
    }
    let current = current.ok_or_else(|| Status::not_found(request.about()))?;
    let shown = versions::shown(request.kind, request.version, current.clone());
    let Body { value, duplicates } = body;
    let patched = match kind {
        PatchKind::Merge => patches::merge(shown, value)?,
        PatchKind::Json => patches::json(shown, value)?,
        PatchKind::Strategic => patches::strategic(request.kind, shown, value)?,
        PatchKind::Apply => return applied(request, Some(current), Body { value, duplicates }, force),
    };
    let decoded = decode::object(request, Body { value: patched, duplicates })?;
    replace(request, current, decoded.object, decoded.warnings)
}

fn applied(
    request: &Request<'_>,
    current: Option<&Value>,
    body: Body,
    force: bool,
) -> Result<Admitted, Status> {
    let decoded = decode::object(request, body)?;
    let mut config = decoded.object;
    apply::check_config(request, &config)?;
    versions::keep(request.kind, &mut config);
    kinds::normalise(request.kind, &mut config);
    let Some(current) = current else {
        if request.part == Part::Status {
            return Err(Status::not_found(request.about()));
        }
        let mut object = apply::applied(request, None, config, force)?;
        begin(request, &mut object)?;
        return admitted(request, None, object, decoded.warnings);
    };
    let mut object = apply::applied(request, Some(current), config, force)?;
    metadata::carry_over(request, current, &mut object)?;
    keep_other_part(request, current, &mut object);
    prepare(request, &mut object);
    admitted(request, Some(current), object, decoded.warnings)
}

fn begin(request: &Request<'_>, object: &mut Value) -> Result<(), Status> {
    metadata::begin(request, object)?;
    if let (Some(_), Value::Object(map)) = (schema::status(request.kind), &mut *object) {
        map.shift_remove("status");
        if let Some(status) = kinds::first_status(request.kind) {
            map.insert("status".to_owned(), status);
        }
    }
    prepare(request, object);
    Ok(())
}

fn replace(
    request: &Request<'_>,
    current: &Value,
    mut object: Value,
    warnings: Vec<String>,
) -> Result<Admitted, Status> {
    metadata::carry_over(request, current, &mut object)?;
    keep_other_part(request, current, &mut object);
    prepare(request, &mut object);
    apply::updated(request, Some(current), &mut object);
    admitted(request, Some(current), object, warnings)
}

/// A write of the object leaves its status as it is, and a write of its status all the rest.
fn keep_other_part(request: &Request<'_>, current: &Value, object: &mut Value) {
    if schema::status(request.kind).is_none() {
        return;
    }
    let (kept, taken) = match request.part {
        Part::Whole => (&*object, current.get("status").cloned()),
        Part::Status => (current, object.get("status").cloned()),
    };
    let mut whole = kept.clone();
    if request.part == Part::Status {
        let written = metadata::of(object).shift_remove("managedFields");
        let own = metadata::of(&mut whole);
        own.shift_remove("resourceVersion");
        // Who owns what is decided by what was written, the rest of the metadata by what is there.
        match written {
            Some(written) => own.insert("managedFields".to_owned(), written),
            None => own.shift_remove("managedFields"),
        };
    }
    if let Value::Object(map) = &mut whole {
        map.shift_remove("status");
        if let Some(status) = taken.filter(|status| !status.is_null()) {
            map.insert("status".to_owned(), status);
        }
    }
    *object = whole;
}

fn prepare(request: &Request<'_>, object: &mut Value) {
    let kind = request.kind;
    versions::keep(kind, object);
    kinds::normalise(kind, object);
    let mut unwritten = Lines::default();
    schema::of(kind).fill(object, &mut unwritten);
    if let Some(metadata) = object.get_mut("metadata") {
        schema::metadata().fill(metadata, &mut unwritten);
    }
    if let (Some(schema), Some(status)) = (schema::status(kind), object.get_mut("status")) {
        schema.fill(status, &mut unwritten);
    }
}

fn admitted(
    request: &Request<'_>,
    current: Option<&Value>,
    mut object: Value,
    warnings: Vec<String>,
) -> Result<Admitted, Status> {
    let kind = request.kind;
    kinds::keep_reserved(kind, &object)?;
    let Some(current) = current else {
        metadata::judge(kind, &object)?;
        let resource = judge::object(kind, &object, None, request.part)?;
        return Ok(Admitted { object, resource, warnings, verdict: Verdict::Put });
    };
    let mut before = versions::shown(kind, kind.versions()[0], current.clone());
    metadata::of(&mut before).shift_remove("resourceVersion");
    kinds::keep_for_good(kind, &before, &object)?;
    metadata::grow(&before, &mut object);
    metadata::judge(kind, &object)?;
    let resource = judge::object(kind, &object, Some(&before), request.part)?;
    let own = metadata::of(&mut object);
    let is_free =
        own.contains_key("deletionTimestamp") && metadata::texts(own, "finalizers").next().is_none();
    let verdict = match () {
        () if is_free => Verdict::Remove,
        () if apply::same_but_times(&before, &object) => Verdict::Unchanged,
        () => Verdict::Put,
    };
    if verdict == Verdict::Unchanged {
        object = before;
    }
    Ok(Admitted { object, resource, warnings, verdict })
}
