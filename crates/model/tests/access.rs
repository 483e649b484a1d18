//! Roles, bindings and tokens are refused where Kubernetes refuses them.

use model::kinds::{ClusterRole, RoleBinding};
use model::yaml;

fn read(kind: &str, rest: &str) -> Result<Vec<model::Resource>, String> {
    let group =
        if kind == "AccessToken" { "access.selvedge.dev/v1alpha1" } else { "rbac.authorization.k8s.io/v1" };
    let text = format!("apiVersion: {group}\nkind: {kind}\nmetadata: {{name: a}}\n{rest}\n");
    let read = yaml::read(&text, "a.yaml");
    if read.violations.is_empty() { Ok(read.resources) } else { Err(read.violations.to_string()) }
}

#[test]
fn a_rule_is_about_resources_or_about_paths() {
    let both = "rules: [{verbs: [get], apiGroups: [''], resources: [pods], nonResourceURLs: [/x]}]";
    let neither = "rules: [{verbs: [get], apiGroups: ['']}]";
    let paths = "rules: [{verbs: [get], nonResourceURLs: [/healthz, '/metrics/*']}]";

    assert!(read("ClusterRole", both).unwrap_err().contains("both regular resources and non-resource URLs"));
    assert!(read("ClusterRole", neither).unwrap_err().contains("needs `apiGroups` and `resources`"));
    assert!(read("Role", paths).unwrap_err().contains("cannot apply to non-resource URLs"));
    assert!(read("Role", "rules: [{apiGroups: [''], resources: [pods]}]").unwrap_err().contains("verbs"));
    let role = read("ClusterRole", paths).unwrap();
    assert_eq!(&*role[0].content::<ClusterRole>().unwrap().rules[0].non_resource_urls[1], "/metrics/*");
}

#[test]
fn a_binding_names_a_role_and_proper_subjects() {
    let binding = |kind: &str, role: &str, subject: &str| {
        let role_ref = format!("{{apiGroup: rbac.authorization.k8s.io, kind: {role}, name: viewer}}");
        read(kind, &format!("roleRef: {role_ref}\nsubjects: [{subject}]"))
    };

    assert!(
        binding("ClusterRoleBinding", "Role", "{kind: User, name: kim}").unwrap_err().contains("ClusterRole")
    );
    let homeless = binding("RoleBinding", "Role", "{kind: ServiceAccount, name: robot}");
    assert!(homeless.unwrap_err().contains("needs its namespace"));
    assert!(binding("RoleBinding", "Role", "{kind: ServiceAccount, name: robot, namespace: shop}").is_ok());
    let wrong = binding("RoleBinding", "Role", "{kind: User, name: kim, apiGroup: ''}");
    assert!(wrong.unwrap_err().contains("API group of users"));
    assert!(read("RoleBinding", "subjects: []").unwrap_err().contains("roleRef"));
    let sound =
        binding("RoleBinding", "Role", "{kind: Group, name: shop, apiGroup: rbac.authorization.k8s.io}");
    assert_eq!(&*sound.unwrap()[0].content::<RoleBinding>().unwrap().subjects[0].name, "shop");
}

#[test]
fn a_token_is_kept_as_its_digest() {
    assert!(read("AccessToken", "spec: {user: kim, digest: secret}").unwrap_err().contains("digest"));
    assert!(read("AccessToken", "spec: {user: kim}").unwrap_err().contains("digest"));
}
