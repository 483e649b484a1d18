//! What becomes of descriptions that people upload: good ones, and every kind of bad one.

use apis::schema::Type;
use apis::{Description, Dialect, Document, Place, Problem, Scheme, Segment, Shape, Statuses, Style};

const PETSTORE: &str = include_str!("descriptions/petstore.yaml");

fn read(text: &str) -> Result<Description, Vec<Problem>> {
    Description::read(&[Document::new("api.yaml", text)])
}

fn petstore() -> Description {
    read(PETSTORE).unwrap_or_else(|problems| panic!("{}", told(&problems)))
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// A description with these paths and components.
fn with(paths: &str, components: &str) -> String {
    format!("openapi: 3.1.0\ninfo: {{title: t, version: '1'}}\npaths:\n{paths}\ncomponents:\n{components}\n")
}

#[test]
fn operations_are_named_by_method_and_path_in_the_order_written() {
    let petstore = petstore();

    let keys: Vec<&str> = petstore.operations.iter().map(|operation| operation.key.as_str()).collect();
    assert_eq!(
        keys,
        ["GET /pets", "POST /pets", "GET /pets/mine", "GET /pets/{}", "PUT /pets/{}", "DELETE /pets/{}"]
    );
    assert_eq!(
        (petstore.dialect, &*petstore.title, &*petstore.version),
        (Dialect::OpenApi31, "Petstore", "1.2.0")
    );
    assert_eq!(petstore.base_path(), "/v1");
    assert_eq!(petstore.warnings, []);
}

#[test]
fn an_operation_knows_its_parameters_bodies_and_answers() {
    let petstore = petstore();
    let list = petstore.operation("GET /pets").expect("there");
    let create = petstore.operation("POST /pets").expect("there");
    let get = petstore.operation("GET /pets/{}").expect("there");

    let names: Vec<&str> = list.parameters.iter().map(|parameter| &*parameter.name).collect();
    assert_eq!(names, ["x-trace", "limit", "tag"]);
    assert_eq!(list.parameters[2].shape, Shape::Styled { style: Style::Form, explode: true });
    assert_eq!(
        create.body.as_ref().map(|body| (body.required, &*body.content[0].range)),
        Some((true, "application/json"))
    );
    assert_eq!(create.response(201).expect("there").content[0].examples.len(), 2);
    assert_eq!(list.response(500).map(|response| response.statuses), Some(Statuses::Default));
    assert_eq!(get.parameters[0].place, Place::Path);
    assert!(matches!(&get.template.segments()[1], Segment::Parameter(name) if &**name == "petId"));
    assert!(petstore.operation("DELETE /pets/{}").expect("there").deprecated);
}

#[test]
fn what_a_caller_has_to_show_is_that_of_the_operation_or_of_the_whole() {
    let petstore = petstore();
    let list = petstore.operation("GET /pets").expect("there");

    assert!(!list.security.is_open());
    assert!(petstore.operation("GET /pets/mine").expect("there").security.is_open());
    let scheme = &list.security.alternatives[0][0].scheme;
    assert_eq!(**scheme, Scheme::ApiKey { place: Place::Header, name: "x-api-key".into() });
}

#[test]
fn a_schema_that_contains_itself_is_one_schema() {
    let petstore = petstore();
    let named = |name: &str| {
        petstore.schemas.iter().find(|(_, schema)| schema.name.as_deref() == Some(name)).expect("named")
    };
    let (pet_id, pet) = named("Pet");
    let own = petstore.schemas.get(pet.all_of[1]);

    let parents =
        petstore.schemas.get(own.object.as_ref().expect("an object").property("parents").expect("there"));
    assert_eq!(parents.list.as_ref().expect("a list").items, Some(pet_id));
    let born = named("NewPet").1.object.as_ref().expect("an object").property("born").expect("there");
    assert!(petstore.schemas.get(born).types.allows(Type::Null));
}

#[test]
fn the_older_dialect_means_the_same_in_its_own_words() {
    let text = "openapi: 3.0.3\ninfo: {title: t, version: 1.0}\npaths: {}\ncomponents: {schemas: {A: {type: integer, \
                nullable: true, minimum: 1, exclusiveMinimum: true}, B: {$ref: '#/components/schemas/A', maximum: 3}}}";
    let description = read(text).unwrap_or_else(|problems| panic!("{}", told(&problems)));

    assert_eq!(&*description.version, "1.0");
    assert_eq!(description.schemas.iter().count(), 1, "nothing counts beside a reference");
    let (_, a) = description.schemas.iter().next().expect("there");
    let minimum = a.number.as_ref().and_then(|rules| rules.minimum.clone()).expect("there");
    assert!(a.nullable && minimum.exclusive && minimum.number.as_u64() == Some(1));
}

#[test]
fn a_description_of_several_documents_refers_by_name() {
    let root = with("  /a: {$ref: 'paths/a.yaml#/a'}", "  schemas: {}");
    let documents = [
        Document::new(
            "paths/a.yaml",
            "a:\n  get:\n    responses:\n      '200':\n        description: x\n        \
            content: {application/json: {schema: {$ref: ../schemas.json#/Thing}}}\n",
        ),
        Document::new("schemas.json", "{\"Thing\": {\"type\": \"string\"}}"),
        Document::new("api.yaml", root),
    ];

    let description = Description::read(&documents).unwrap_or_else(|problems| panic!("{}", told(&problems)));

    let schema = description.operations[0].responses[0].content[0].schema.expect("there");
    assert!(description.schemas.get(schema).types.allows(Type::Text));
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_a_way_out() {
    let text = with(
        "  /pets/{id}:
    get:
      parameters:
      - {name: a, in: nowhere}
      - {in: query}
      responses:
        '2000': {description: x}
        '200': {$ref: '#/components/responses/Pets'}
    post: {responses: {'200': {description: x, content: {json: {}}}}, security: [{keys: []}]}
  /pets/{name}:
    get: {responses: {}}
  cats: {}",
        "  securitySchemes: {key: {type: apiKey, in: header, name: x}}
  responses: {Pet: {description: x}}
  schemas:
    A: {type: sting, minLength: -1, enum: []}",
    );

    let problems = read(&text).expect_err("wrong");

    let found: Vec<(u32, &str, &str)> = problems
        .iter()
        .map(|problem| (problem.line, problem.pointer.as_str(), problem.what.as_str()))
        .collect();
    let expected = [
        (7, "/paths/~1pets~1{id}/get/parameters/0", "stands in `nowhere`, which is no place"),
        (8, "/paths/~1pets~1{id}/get/parameters/1", "is a parameter without a `name` or a place"),
        (10, "/paths/~1pets~1{id}/get/responses/2000", "`2000` is no status"),
        (
            11,
            "/paths/~1pets~1{id}/get/responses/200/$ref",
            "leads nowhere: there is no `Pets` on the way of `#/components/responses/Pets`",
        ),
        (12, "/paths/~1pets~1{id}/post/responses/200/content/json", "`json` is no media type"),
        (12, "/paths/~1pets~1{id}/post/security/0/keys", "`keys` is no security scheme"),
        (14, "/paths/~1pets~1{name}/get", "answers the same requests as `/pets/{id}` on line 5"),
        (15, "/paths/cats", "does not begin with `/`"),
        (20, "/components/schemas/A", "has an `enum` that no value can meet"),
        (20, "/components/schemas/A/minLength", "must be a whole number from 0"),
        (20, "/components/schemas/A/type", "`sting` is no type"),
    ];
    assert_eq!(found, expected);
    let fixes: Vec<&str> = problems.iter().map(|problem| problem.fix.as_str()).collect();
    assert_eq!(fixes[3], "did you mean `Pet`?");
    assert_eq!(fixes[5], "did you mean `key`?");
    assert_eq!(fixes[10], "did you mean `string`?");
}

#[test]
fn what_is_no_description_is_told_as_such() {
    for (text, what) in [
        ("", "no OpenAPI description"),
        ("[1]", "no OpenAPI description"),
        ("swagger: '2.0'", "Swagger 2.0"),
        ("openapi: 4.0.0", "`4.0.0`"),
        ("openapi: 3.1.0", "no `info`"),
        ("openapi: [", "not YAML"),
        ("openapi: 3.0.0\nopenapi: 3.0.0", "already"),
    ] {
        let problems = read(text).expect_err(text);
        assert!(problems.iter().any(|problem| problem.what.contains(what)), "{text}: {}", told(&problems));
    }
    let problems =
        Description::read(&[Document::new("a.json", "{\"openapi\": \"3.1.0\",}")]).expect_err("no JSON");
    assert!(problems[0].what.contains("not JSON"), "{}", told(&problems));
}

#[test]
fn words_mean_what_the_letter_of_yaml_says() {
    let text = with("  {}", "  schemas:\n    A: {enum: [yes, NO, on, 012, 2024-01-01, 1_000]}");
    let description = read(&text).unwrap_or_else(|problems| panic!("{}", told(&problems)));

    let (_, a) = description.schemas.iter().next().expect("there");
    let choices = serde_json::Value::from(a.choices.as_deref().unwrap_or_default().to_vec());
    assert_eq!(choices, serde_json::json!(["yes", "NO", "on", 12, "2024-01-01", "1_000"]));
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let mut laughs = "openapi: 3.1.0\nx-0: &x0 [lol]\n".to_owned();
    for level in 1..40 {
        let refers = vec![format!("*x{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("x-{level}: &x{level} [{refers}]\n"));
    }
    assert!(told(&read(&laughs).expect_err("a bomb")).contains("aliases repeat too much"));

    let deep = format!("openapi: 3.1.0\nx: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(read(&deep).is_err());

    let circle = with("  /a: {$ref: '#/paths/~1b'}\n  /b: {$ref: '#/paths/~1a'}", "  schemas: {}");
    assert!(told(&read(&circle).expect_err("a circle")).contains("circle"));

    // A few lines that name a million parameters.
    let mut parameters = String::new();
    for n in 0..200 {
        parameters.push_str(&format!("  - {{name: p{n}, in: query}}\n"));
    }
    let mut text = format!(
        "openapi: 3.1.0\ninfo: {{title: t, version: '1'}}\nx-all:\n  parameters:\n{parameters}  get: {{responses: {{}}}}\npaths:\n"
    );
    for n in 0..1_500 {
        text.push_str(&format!("  /{n}: {{$ref: '#/x-all'}}\n"));
    }
    assert!(told(&read(&text).expect_err("too many parts")).contains("one of more than 200000"));

    let many: Vec<Document> = (0..1_000).map(|n| Document::new(format!("{n}"), "a: 1")).collect();
    assert!(Description::read(&many).expect_err("too many")[0].what.contains("at most 256"));
}

#[test]
fn a_chain_of_ten_thousand_schemas_is_read_without_depth() {
    let mut schemas = String::from("  schemas:\n");
    for n in 0..10_000 {
        schemas.push_str(&format!(
            "    S{n}: {{properties: {{next: {{$ref: '#/components/schemas/S{}'}}}}}}\n",
            n + 1
        ));
    }
    schemas.push_str("    S10000: {type: string}\n");

    let description = read(&with("  {}", &schemas)).unwrap_or_else(|problems| panic!("{}", told(&problems)));

    assert_eq!(description.schemas.iter().count(), 10_001);
}

#[test]
fn schemas_that_judge_one_value_in_a_circle_are_odd_and_in_a_long_chain_are_refused() {
    let circle = with(
        "  {}",
        "  schemas: {A: {allOf: [{$ref: '#/components/schemas/B'}]}, B: {anyOf: [{$ref: '#/components/schemas/A'}]}}",
    );
    let description = read(&circle).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    assert!(told(&description.warnings).contains("leads back to itself"));

    let mut schemas = String::from("  schemas:\n");
    for n in 0..100 {
        schemas.push_str(&format!("    S{n}: {{allOf: [{{$ref: '#/components/schemas/S{}'}}]}}\n", n + 1));
    }
    schemas.push_str("    S100: {type: string}\n");
    let problems = read(&with("  {}", &schemas)).expect_err("too long");
    assert!(told(&problems).contains("more than 64 schemas"));
}
