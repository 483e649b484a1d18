//! Documents are a promise to clients, so they are kept as files. `UPDATE_GOLDEN=1` writes them anew; read the
//! difference before committing it.

use std::path::Path;

use control::objects::documents as made;
use serde_json::Value;

#[test]
fn every_document_is_as_it_was() {
    let mut documents = vec![
        ("api".to_owned(), made::api_versions("127.0.0.1:6443")),
        ("apis".to_owned(), made::api_groups()),
        ("version".to_owned(), made::version("0.0.0")),
        ("discovery-core".to_owned(), made::discover(true, made::Aggregated::V2)),
        ("discovery-groups".to_owned(), made::discover(false, made::Aggregated::V2Beta1)),
        ("openapi-v2".to_owned(), made::openapi_v2()),
        ("openapi-v3".to_owned(), made::openapi_v3_index()),
    ];
    let told = made::api_resources("status.selvedge.dev", "v1alpha1").expect("it is told");
    documents.push(("resources-status.selvedge.dev-v1alpha1".to_owned(), told));
    for one in made::group_versions() {
        let name = one.text().replace('/', "-");
        let resources = made::api_resources(one.group, one.version).expect("it is one of the group versions");
        let openapi = made::openapi_v3(&one.path()).expect("it is one of the group versions");
        documents.push((format!("resources-{name}"), resources));
        documents.push((format!("openapi-v3-{name}"), openapi));
        if !one.group.is_empty() {
            let group = made::api_group(one.group).expect("it is one of the groups");
            documents.push((format!("group-{}", one.group), group));
        }
    }
    let changed: Vec<&str> = documents
        .iter()
        .filter(|(name, value)| !is_as_it_was(name, value))
        .map(|(name, _)| &**name)
        .collect();
    assert_eq!(changed, [""; 0], "documents changed");
}

fn is_as_it_was(name: &str, document: &Value) -> bool {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(format!("{name}.json"));
    let text = format!("{}\n", serde_json::to_string_pretty(document).expect("a tree is JSON"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).expect("the document is written");
    }
    std::fs::read_to_string(&golden).unwrap_or_default() == text
}

#[test]
fn every_reference_in_a_document_leads_somewhere() {
    let versions = made::group_versions();
    let documents = versions.iter().filter_map(|one| made::openapi_v3(&one.path()));
    for document in documents.chain([made::openapi_v2()]) {
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let place = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
        }
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|inner| collect(inner, references));
        }
        Value::Array(elements) => elements.iter().for_each(|inner| collect(inner, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn no_two_operations_of_a_document_have_one_name() {
    let document = made::openapi_v2();
    let mut names: Vec<&str> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|item| item.as_object().expect("an item").values())
        .filter_map(|operation| operation.get("operationId")?.as_str())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();

    assert_eq!(names.len(), all);
    assert!(names.contains(&"createGatewayNetworkingV1NamespacedHTTPRoute"));
}
