//! Writes end as they end in Kubernetes, shown by recordings of its own libraries.

use control::objects::apply::{applied, updated};
use control::objects::patch::strategic;
use control::objects::{FieldValidation, Part, Request};
use model::kinds::KindName;
use model::units::Moment;
use serde_json::{Map, Value, json};

const SEQUENCES: &str = include_str!("recorded-applies.jsonl");

/// `recorded-applies.jsonl` holds random sequences of applies and updates of one Gateway, one sequence a line, and after
/// each step what structured-merge-diff 6.4 made of them: whether it was a conflict, the object, and what each manager
/// owns. Managers `a…` apply, managers `u…` update.
#[test]
fn recorded_sequences_end_as_in_kubernetes() {
    let mut conflicts = 0;
    for (number, line) in SEQUENCES.lines().enumerate() {
        let steps: Vec<Value> = serde_json::from_str(line).expect("a sequence");
        let mut live = None;
        for (step, expected) in steps.iter().enumerate() {
            let conflict = run(expected, &mut live);

            let at = format!("sequence {number}, step {step}");
            assert_eq!(json!(conflict), expected["conflict"], "{at}: conflict");
            let (object, managers) = taken_apart(live.as_ref());
            assert_eq!(object, expected["live"], "{at}: object");
            assert_eq!(managers, expected["managers"], "{at}: owners");
            conflicts += usize::from(conflict);
        }
    }
    assert!(conflicts > 10, "only {conflicts} conflicts: the recording shows little");
}

/// Does one step; says whether it was a conflict.
fn run(step: &Value, live: &mut Option<Value>) -> bool {
    let request = Request {
        kind: KindName::Gateway,
        version: "v1",
        namespace: Some("shop"),
        name: Some("front"),
        part: Part::Whole,
        manager: step["manager"].as_str().expect("a manager"),
        validation: FieldValidation::Ignore,
        now: Moment(0),
    };
    let mut object = step["object"].clone();
    object["metadata"]["name"] = json!("front");
    if step["verb"] == "update" {
        updated(&request, live.as_ref(), &mut object);
        *live = Some(object);
        return false;
    }
    match applied(&request, live.as_ref(), object, step["force"] == true) {
        Ok(object) => *live = Some(object),
        Err(status) => {
            assert_eq!(status.code(), 409);
            return true;
        }
    }
    false
}

/// The object as it was recorded, and what each manager owns.
fn taken_apart(live: Option<&Value>) -> (Value, Value) {
    let mut object = live.cloned().unwrap_or_else(|| json!({}));
    let mut managers = Map::new();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.shift_remove("name");
        let entries = metadata.shift_remove("managedFields").unwrap_or_default();
        for entry in entries.as_array().into_iter().flatten() {
            let name = entry["manager"].as_str().expect("a manager").to_owned();
            managers.insert(name, entry["fieldsV1"].clone());
        }
        if metadata.is_empty() {
            object.as_object_mut().expect("an object").shift_remove("metadata");
        }
    }
    (object, Value::Object(managers))
}

/// `recorded-strategic.jsonl`: random objects, the patches that `kubectl apply` makes for them, and what the library of
/// Kubernetes makes of both (apimachinery 0.37).
#[test]
fn recorded_strategic_patches_end_as_in_kubernetes() {
    let mut patches = 0;
    for (number, line) in include_str!("recorded-strategic.jsonl").lines().enumerate() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let kind = if case["kind"] == "Pod" { KindName::Pod } else { KindName::Service };

        let patched = strategic(kind, case["current"].clone(), case["patch"].clone());

        assert_eq!(patched.as_ref(), Ok(&case["result"]), "case {number}");
        patches += 1;
    }
    assert_eq!(patches, 80, "a case was added or lost: say so here");
}
