//! What the control plane tells about itself, in the shape that a client asked for.

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::accept::{self, Shape};
use super::answer::Answer;
use super::dispatch::Request;
use super::state::State;
use crate::objects::status::Status;
use crate::objects::table::{IncludeObject, metadata_only};
use crate::told::{Column, GROUP, List, Told, VERSION};

/// `/apis/status.selvedge.dev/v1alpha1/controlplanes`
pub fn control_planes(state: &State, request: &Request) -> Result<Answer, Status> {
    answer(state, request, |told, now| told.control_planes(now))
}

/// `/apis/status.selvedge.dev/v1alpha1/meshpictures`
pub fn pictures(state: &State, request: &Request) -> Result<Answer, Status> {
    answer(state, request, |told, now| told.pictures(now))
}

/// `/apis/status.selvedge.dev/v1alpha1/proxies`
pub fn proxies(state: &State, request: &Request) -> Result<Answer, Status> {
    answer(state, request, |told, now| told.proxies(now))
}

/// `/apis/status.selvedge.dev/v1alpha1/routes`, of all namespaces or of one
pub fn routes(state: &State, request: &Request) -> Result<Answer, Status> {
    answer(state, request, |told, now| told.routes(request.place.namespace.as_deref(), now))
}

fn answer(
    state: &State,
    request: &Request,
    tell: impl FnOnce(&Told, Instant) -> List,
) -> Result<Answer, Status> {
    refuse_what_is_not_there(request)?;
    let shape = accept::shape(&request.headers);
    let shape = shape.ok_or_else(|| Status::not_acceptable(&[crate::objects::media::JSON]))?;
    let include = IncludeObject::of(request.query.text("includeObject"))?;
    let told = state.told.as_ref().ok_or_else(Status::no_such_path)?;
    let mut list = tell(told, Instant::now());
    let is_one = request.place.name.is_some();
    if let Some(name) = &request.place.name {
        list.items.retain(|item| item["metadata"]["name"] == **name);
        if list.items.is_empty() {
            let why = format!("no {} `{name}` is known", list.kind.singular);
            return Err(Status::no_such_path().because(&why));
        }
    }
    let value = match shape {
        Shape::Table => table(list, include),
        Shape::Whole | Shape::Metadata if is_one => {
            let item = list.items.pop().unwrap_or_default();
            if shape == Shape::Metadata { metadata_only(item) } else { item }
        }
        Shape::Whole => whole(list),
        Shape::Metadata => metadata(list),
    };
    Ok(Answer::json(StatusCode::OK, value.to_string()))
}

/// What would be passed over in silence would be taken for done.
fn refuse_what_is_not_there(request: &Request) -> Result<(), Status> {
    if request.query.flag("watch")?.unwrap_or(false) {
        return Err(Status::bad_request("this cannot be watched: ask again whenever you want to know"));
    }
    let picked = ["labelSelector", "fieldSelector"].into_iter().filter_map(|name| request.query.text(name));
    if picked.into_iter().any(|selector| !selector.is_empty()) {
        return Err(Status::bad_request(
            "of what the control plane tells nothing can be picked by a selector",
        ));
    }
    Ok(())
}

fn list_metadata(list: &List) -> Value {
    json!({ "resourceVersion": list.revision.to_string() })
}

fn whole(list: List) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": format!("{}List", list.kind.kind),
        "metadata": list_metadata(&list), "items": list.items,
    })
}

fn metadata(list: List) -> Value {
    let metadata = list_metadata(&list);
    let items: Vec<Value> = list.items.into_iter().map(metadata_only).collect();
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": metadata, "items": items,
    })
}

fn table(list: List, include: IncludeObject) -> Value {
    let (columns, metadata) = (list.kind.columns, list_metadata(&list));
    let definitions: Vec<Value> = columns.iter().map(definition).collect();
    let rows = list.items.into_iter().map(|item| {
        let cells: Vec<Value> = columns.iter().map(|column| cell(column, &item)).collect();
        match include {
            IncludeObject::None => json!({ "cells": cells }),
            IncludeObject::Metadata => json!({ "cells": cells, "object": metadata_only(item) }),
            IncludeObject::Object => json!({ "cells": cells, "object": item }),
        }
    });
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "rows": rows.collect::<Vec<_>>(), "columnDefinitions": definitions,
    })
}

fn definition(column: &Column) -> Value {
    let format = if column.name == "Name" { "name" } else { "" };
    json!({
        "name": column.name, "type": column.of, "format": format, "description": "",
        "priority": i32::from(column.is_wide),
    })
}

/// A list of words is told as words, one of anything else by its length.
fn cell(column: &Column, item: &Value) -> Value {
    let value = item.pointer(column.at).cloned().unwrap_or_default();
    match &value {
        Value::Array(all) if column.of == "string" => {
            all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",").into()
        }
        Value::Array(all) => all.len().into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => value,
    }
}
