//! Whatever is made for a schema keeps to it, by our own judge and by somebody else's; and both judge alike.

use apis::check::{self, Direction};
use apis::mock::make::{self, Look};
use apis::schema::{SchemaId, Schemas};
use apis::{Description, Document};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A description of one schema, and the table and number of it.
fn table(schema: &Value) -> (std::sync::Arc<Schemas>, SchemaId) {
    let description = json!({
        "openapi": "3.1.0", "info": { "title": "t", "version": "1" }, "paths": {},
        "components": { "schemas": { "It": schema } },
    });
    let document = Document::new("api.json", description.to_string());
    let description = Description::read(&[document]).unwrap_or_else(|problems| panic!("{problems:?}"));
    let found = description.schemas.iter().find(|(_, schema)| schema.name.as_deref() == Some("It"));
    let id = found.map(|(id, _)| id).expect("the schema");
    (description.schemas, id)
}

fn other_judge(schema: &Value) -> jsonschema::Validator {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .unwrap_or_else(|problem| panic!("{problem}: {schema}"))
}

fn object(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn maybe(strategy: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    proptest::option::of(strategy).boxed()
}

fn number() -> impl Strategy<Value = Value> {
    let bound = -50_i64..50;
    (any::<bool>(), proptest::option::of(bound), 10_i64..60, any::<bool>(), proptest::option::of(1_u32..5))
        .prop_map(|(whole, least, span, exclusive, multiple)| {
            let word = |inclusive, exclusively| if exclusive { exclusively } else { inclusive };
            let multiple = multiple.map(|of| if whole { json!(of) } else { json!(f64::from(of) / 4.0) });
            object([
                ("type", Some(json!(if whole { "integer" } else { "number" }))),
                (word("minimum", "exclusiveMinimum"), least.map(Value::from)),
                (word("maximum", "exclusiveMaximum"), least.map(|least| json!(least + span))),
                ("multipleOf", multiple),
            ])
        })
}

fn text() -> impl Strategy<Value = Value> {
    let patterns = [
        "^[a-z]{2,8}$",
        "\\d{3}",
        "^(cat|dog)-[0-9a-f]+$",
        "^\\+?[1-9]\\d{1,14}$",
        "^[A-Z][\\w-]*$",
        "^$|^x+$",
        "a.c",
        "^[^/\\s]+/[^/\\s]+$",
        "(ab){2,}",
        "^v(0|[1-9]\\d*)\\.(0|[1-9]\\d*)$",
    ];
    let formats = [
        "date-time",
        "date",
        "time",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "uuid",
        "duration",
        "json-pointer",
        "unheard-of",
    ];
    let length = (0_u32..8, 0_u32..20)
        .prop_map(|(least, span)| json!({ "minLength": least, "maxLength": least + span }));
    prop_oneof![
        length,
        prop::sample::select(patterns.to_vec()).prop_map(|pattern| json!({ "pattern": pattern })),
        prop::sample::select(formats.to_vec()).prop_map(|format| json!({ "format": format })),
        prop::sample::select(vec![json!(["a", "b"]), json!(["only"])]).prop_map(|all| json!({ "enum": all })),
    ]
    .prop_map(|mut schema| {
        schema["type"] = json!("string");
        schema
    })
}

fn list(inner: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let first = proptest::collection::vec(inner.clone(), 0..3);
    (maybe(inner.clone()), first, 0_u32..3, 0_u32..3, proptest::option::of(inner)).prop_map(
        |(items, first, least, span, contains)| {
            let size_min = least.max(u32::try_from(first.len()).unwrap_or(0) + u32::from(contains.is_some()));
            object([
                ("type", Some(json!("array"))),
                ("items", items.filter(|_| contains.is_none())),
                ("prefixItems", (!first.is_empty()).then(|| Value::Array(first))),
                ("minItems", Some(json!(size_min))),
                ("maxItems", Some(json!(size_min + span))),
                ("contains", contains),
            ])
        },
    )
}

fn record(inner: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let names = prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4);
    let additional =
        prop_oneof![Just(None), Just(Some(json!(false))), Just(Some(json!({ "type": "boolean" })))];
    (names.clone(), proptest::collection::vec(inner, 4), names, additional).prop_map(
        |(named, schemas, required, additional)| {
            let properties: Map<String, Value> =
                named.iter().zip(schemas).map(|(name, schema)| ((*name).to_owned(), schema)).collect();
            let required: Vec<&str> =
                required.into_iter().filter(|name| properties.contains_key(*name)).collect();
            object([
                ("type", Some(json!("object"))),
                ("properties", Some(Value::Object(properties))),
                ("required", Some(json!(required))),
                ("additionalProperties", additional),
            ])
        },
    )
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        number(),
        text(),
        Just(json!({ "type": "boolean" })),
        Just(json!({ "type": "null" })),
        Just(json!({})),
        Just(json!({ "const": { "a": [1] } })),
        Just(json!({ "type": ["integer", "null"] })),
        Just(json!({ "not": { "type": "string" } })),
        Just(json!({ "type": "array", "items": { "enum": [1, 2, 3] }, "uniqueItems": true, "minItems": 2 })),
        Just(json!({ "type": "object", "minProperties": 2, "propertyNames": { "pattern": "^x-[a-z]+$" } })),
        Just(
            json!({ "type": "object", "patternProperties": { "^n": { "type": "integer" } }, "minProperties": 1, "additionalProperties": false })
        ),
        Just(
            json!({ "type": "object", "properties": { "a": {}, "b": {} }, "required": ["a"], "dependentRequired": { "a": ["b"] } })
        ),
        Just(
            json!({ "if": { "properties": { "k": { "const": 1 } }, "required": ["k"] }, "then": { "required": ["one"] }, "else": { "required": ["other"] }, "type": "object" })
        ),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            list(inner.clone()),
            record(inner.clone()),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({ "anyOf": all })),
            (record(inner.clone()), number()).prop_map(|(left, right)| json!({ "oneOf": [left, right] })),
            record(inner.clone()).prop_map(|left| {
                json!({ "allOf": [left, { "type": "object", "properties": { "z": { "type": "integer" } } }] })
            }).prop_filter("both may be", |both| both["allOf"][0]["additionalProperties"] != json!(false)),
            record(inner).prop_map(|left| {
                json!({ "allOf": [left], "unevaluatedProperties": false })
            }),
        ]
    })
}

/// Values near to what a schema asks for: those that were made, with something changed.
fn changed(value: &Value, seed: u64) -> Value {
    match (value, seed % 5) {
        (Value::Object(map), 0) if !map.is_empty() => {
            Value::Object(map.iter().skip(1).map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        (Value::Object(map), 1) => {
            let mut map = map.clone();
            map.insert("unknown".to_owned(), json!(1));
            Value::Object(map)
        }
        (Value::Object(map), _) => map
            .iter()
            .enumerate()
            .map(|(at, (name, value))| {
                let chosen = map.len() as u64 > 0 && at as u64 == seed % map.len() as u64;
                (name.clone(), if chosen { changed(value, seed / 5) } else { value.clone() })
            })
            .collect(),
        (Value::Array(list), 0) => Value::Array(list.iter().skip(1).cloned().collect()),
        (Value::Array(list), 1) => list.iter().chain(list.first()).cloned().collect(),
        (Value::Array(list), _) => list.iter().map(|value| changed(value, seed / 5)).collect(),
        (Value::String(text), 0) => json!(format!("{text}{text} ")),
        (Value::String(text), 1) => json!(text.chars().skip(1).collect::<String>()),
        (Value::Number(number), 0) => json!(number.as_f64().unwrap_or(0.0) + 0.5),
        (Value::Number(number), 1) => json!(number.as_f64().unwrap_or(0.0) - 1_000.0),
        (_, 2) => Value::Null,
        (_, 3) => json!("text"),
        (_, _) => json!([1, 1]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_made_keeps_to_its_schema(schema in schema(), seed in any::<u64>()) {
        let (schemas, id) = table(&schema);
        let judge = other_judge(&schema);
        for look in [Look::Plain, Look::Drawn] {
            let made = make::value(&schemas, id, look, seed, Direction::Answer);
            prop_assert!(made.is_some(), "nothing was made for {schema}");
            let made = made.unwrap_or_default();
            prop_assert!(judge.is_valid(&made), "{made} for {schema}");
            prop_assert_eq!(&made, &make::value(&schemas, id, look, seed, Direction::Answer).unwrap_or_default());
        }
    }

    #[test]
    fn two_judges_say_the_same(schema in schema(), seed in any::<u64>()) {
        let (schemas, id) = table(&schema);
        let judge = other_judge(&schema);
        let made = make::value(&schemas, id, Look::Drawn, seed, Direction::Answer).unwrap_or_default();
        for turn in 0..8 {
            let value = changed(&made, seed.wrapping_add(turn * 7));
            let ours = check::holds(&schemas, id, &value, Direction::Answer);
            prop_assert_eq!(ours, judge.is_valid(&value), "{} for {}", value, schema);
            let told = check::value(&schemas, id, &value, Direction::Answer, &check::Where::Body);
            prop_assert_eq!(ours, told.is_empty(), "a verdict without a reason: {} for {}", value, schema);
        }
    }
}

#[test]
fn a_schema_that_contains_itself_ends_where_it_may() {
    let tree = json!({
        "type": "object", "required": ["name", "children"],
        "properties": {
            "name": { "type": "string" },
            "parent": { "$ref": "#/components/schemas/It" },
            "children": { "type": "array", "items": { "$ref": "#/components/schemas/It" } },
        },
    });
    let (schemas, id) = table(&tree);
    for (look, seed) in [(Look::Plain, 0), (Look::Drawn, 1), (Look::Drawn, 2)] {
        let made = make::value(&schemas, id, look, seed, Direction::Answer).expect("a tree");
        assert!(check::holds(&schemas, id, &made, Direction::Answer));
        assert!(made.to_string().len() < 200_000, "{} bytes", made.to_string().len());
    }
    let endless = json!({ "type": "object", "required": ["it"], "properties": { "it": { "$ref": "#/components/schemas/It" } } });
    let (schemas, id) = table(&endless);
    assert_eq!(make::value(&schemas, id, Look::Plain, 0, Direction::Answer), None);
}

#[test]
fn what_goes_one_way_is_not_made_for_the_other() {
    let (schemas, id) = table(&json!({
        "type": "object", "required": ["id", "secret"], "additionalProperties": false,
        "properties": { "id": { "type": "integer", "readOnly": true }, "secret": { "type": "string", "writeOnly": true } },
    }));
    assert_eq!(make::value(&schemas, id, Look::Plain, 0, Direction::Answer), Some(json!({ "id": 0 })));
    assert_eq!(
        make::value(&schemas, id, Look::Plain, 0, Direction::Request),
        Some(json!({ "secret": "string" }))
    );
}

#[test]
fn plain_values_are_those_that_the_description_shows() {
    let (schemas, id) = table(&json!({
        "type": "object",
        "properties": {
            "a": { "type": "string", "examples": ["shown"] }, "b": { "type": "integer", "default": 20 },
            "c": { "enum": ["x", "y"] }, "d": { "type": "integer", "examples": ["wrong"] },
        },
    }));
    let made = make::value(&schemas, id, Look::Plain, 0, Direction::Answer);
    assert_eq!(made, Some(json!({ "a": "shown", "b": 20, "c": "x", "d": 0 })));
}

#[test]
fn the_work_of_a_judge_is_bounded() {
    let mut schemas = Map::new();
    for level in 0..40 {
        let next = json!({ "$ref": format!("#/components/schemas/L{}", level + 1) });
        schemas.insert(format!("L{level}"), json!({ "anyOf": [next, next, next, next] }));
    }
    schemas.insert("L40".to_owned(), json!({ "type": "string" }));
    let description = json!({
        "openapi": "3.1.0", "info": { "title": "t", "version": "1" }, "paths": {}, "components": { "schemas": schemas },
    });
    let description =
        Description::read(&[Document::new("a.json", description.to_string())]).expect("readable");
    let (id, _) =
        description.schemas.iter().find(|(_, schema)| schema.name.as_deref() == Some("L0")).expect("there");
    let told = check::value(&description.schemas, id, &json!(1), Direction::Request, &check::Where::Body);
    assert!(!told.is_empty());
}
