//! What an AuthorizationPolicy may say, and what its author is told otherwise.

use model::yaml;

fn problems(spec: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: policy.selvedge.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {{name: a}}\nspec: {{{spec}}}\n"
    );
    let read = yaml::read(&text, "test.yaml");
    let told = |violation: &model::Violation| {
        let remedy = violation.remedy.as_deref().unwrap_or_default();
        format!("{}: {}; {remedy}", violation.field, violation.problem)
    };
    read.violations.iter().map(told).collect()
}

#[track_caller]
fn refused(spec: &str, words: &[&str]) {
    let found = problems(spec);
    for words in words {
        assert!(found.iter().any(|problem| problem.contains(words)), "nothing says `{words}`: {found:#?}");
    }
}

#[test]
fn an_allow_without_rules_is_meant_and_a_deny_without_rules_is_not() {
    assert_eq!(problems(""), [""; 0]);
    assert_eq!(problems("action: Allow, rules: []"), [""; 0]);
    assert_eq!(problems("action: Deny, rules: [{}]"), [""; 0]);
    refused("action: Deny", &["`rules: [{}]` means every request"]);
    refused("action: Audit, rules: []", &["`rules: [{}]` means every request"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_what_helps() {
    refused(
        "rules: [{from: [{identities: [cluster.local/ns/a/sa/b], ipBlocks: [10.1.0.0/8]}], \
         to: [{paths: [items, '/a/**'], methods: ['G ET'], ports: [0]}], when: [{header: 'x y', values: [a*b]}], \
         condition: 'request.methd == 1'}]",
        &[
            "spec.rules[0].from[0].identities[0]: `cluster.local/ns/a/sa/b` can be no SPIFFE ID",
            "did you mean `10.0.0.0/8`, or the single address `10.1.0.0`?",
            "spec.rules[0].to[0].paths[0]: does not begin with `/`",
            "one `*` at the end stands for everything below already",
            "spec.rules[0].to[0].methods[0]",
            "spec.rules[0].to[0].ports[0]",
            "spec.rules[0].when[0].header",
            "spec.rules[0].when[0].values[0]: has a `*` in the middle",
            "did you mean `request.method`?",
        ],
    );
}

#[test]
fn what_says_nothing_is_refused_because_it_could_be_meant_either_way() {
    refused("rules: [{from: []}]", &["spec.rules[0].from: has 0 elements"]);
    refused("rules: [{from: [{}]}]", &["leave `from` away if anybody may be meant"]);
    refused("rules: [{to: [{methods: []}]}]", &["spec.rules[0].to[0].methods: has 0 elements"]);
    refused("rules: [{to: [{}]}]", &["leave `to` away"]);
    refused("rules: [{when: [{header: a}]}]", &["say what the value is"]);
    refused("targetRefs: []", &["spec.targetRefs: has 0 elements"]);
}

#[test]
fn a_target_is_of_a_kind_that_traffic_passes() {
    let target = |text: &str| problems(&format!("targetRefs: [{{{text}}}]"));

    assert_eq!(target("group: '', kind: Service, name: a, sectionName: http"), [""; 0]);
    assert_eq!(target("group: mesh.selvedge.dev, kind: Mesh, name: default"), [""; 0]);
    for wrong in [
        "group: '', kind: Pod, name: a",
        "group: '', kind: Gateway, name: a",
        "group: mesh.selvedge.dev, kind: Mesh, name: a, sectionName: b",
    ] {
        assert_ne!(target(wrong), [""; 0], "{wrong}");
    }
    let twice = "targetRefs: [{group: '', kind: Service, name: a}, {group: '', kind: Service, name: a}]";
    refused(twice, &["every target stands there once"]);
}

#[test]
fn two_rules_have_two_names() {
    assert_eq!(problems("rules: [{name: a}, {name: b}, {}, {}]"), [""; 0]);
    refused("rules: [{name: a}, {name: a}]", &["no two rules have the same name"]);
}

#[test]
fn every_example_of_the_page_is_a_policy() {
    let page = include_str!("../../../docs/authorization.md");
    let examples: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 4, "examples are missing");

    for example in examples {
        let read = yaml::read(example, "docs/authorization.md");
        assert!(read.violations.is_empty(), "{}\n{example}", read.violations);
        assert!(read.resources.iter().all(|resource| &*resource.key.kind == "AuthorizationPolicy"));
    }
}
