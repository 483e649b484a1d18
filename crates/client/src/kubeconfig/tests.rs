use std::path::Path;

use super::*;

const TWO_CONTEXTS: &str = "apiVersion: v1
kind: Config
current-context: here
contexts:
- name: here
  context: { cluster: local, user: me }
- name: there
  context: { cluster: remote, user: certified, namespace: shop }
clusters:
- name: local
  cluster: { server: \"https://127.0.0.1:19443/\", certificate-authority-data: Q0E= }
- name: remote
  cluster: { server: \"https://control.example\", certificate-authority: ca.pem, tls-server-name: control }
users:
- name: me
  user: { token: abc }
- name: certified
  user: { client-certificate-data: Q0hBSU4=, client-key-data: S0VZ }
";

/// The endpoint of a context of one file in a directory of its own, with an authority beside it.
fn endpoint(text: &str, context: Option<&str>) -> Result<Endpoint, Error> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("kubeconfig");
    std::fs::write(&file, text).expect("a file");
    std::fs::write(directory.path().join("ca.pem"), "AUTHORITY").expect("a file");
    let wanted = Wanted { kubeconfig: Some(file), data: None, context: context.map(str::to_owned) };
    load(&wanted, &Environment::default())
}

fn refusal(text: &str, context: Option<&str>) -> (String, String) {
    let error = endpoint(text, context).expect_err("a mistake");
    (error.to_string(), error.hint())
}

#[test]
fn the_current_context_leads_to_a_server_and_a_token() {
    let endpoint = endpoint(TWO_CONTEXTS, None).expect("an endpoint");

    assert_eq!(endpoint.server, "https://127.0.0.1:19443");
    assert_eq!(endpoint.authority.as_deref(), Some(&b"CA"[..]));
    assert_eq!(endpoint.credentials, Credentials::Token("abc".to_owned()));
    assert_eq!(endpoint.namespace, "default");
    assert!(!format!("{endpoint:?}").contains("abc"), "a token is not shown");
}

#[test]
fn another_context_brings_its_own_certificate_authority_and_namespace() {
    let endpoint = endpoint(TWO_CONTEXTS, Some("there")).expect("an endpoint");

    assert_eq!(endpoint.authority.as_deref(), Some(&b"AUTHORITY"[..]));
    assert_eq!(endpoint.server_name.as_deref(), Some("control"));
    assert_eq!(
        endpoint.credentials,
        Credentials::Certificate { chain: b"CHAIN".to_vec(), key: b"KEY".to_vec() }
    );
    assert_eq!(endpoint.namespace, "shop");
}

#[test]
fn a_context_that_does_not_exist_is_guessed() {
    let (message, hint) = refusal(TWO_CONTEXTS, Some("ther"));
    assert!(message.ends_with("has no context `ther`"), "{message}");
    assert_eq!(hint, "did you mean `there`?");
}

#[test]
fn of_several_files_the_first_that_names_something_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    let [first, second] = ["first", "second"].map(|name| directory.path().join(name));
    std::fs::write(&first, "current-context: there\nusers: [{ name: certified, user: { token: mine } }]\n")
        .expect("a file");
    std::fs::write(&second, TWO_CONTEXTS).expect("a file");
    std::fs::write(directory.path().join("ca.pem"), "AUTHORITY").expect("a file");
    let list = std::env::join_paths([&first, Path::new("/nonexistent/x"), &second]).expect("a list");
    let environment = Environment { kubeconfig: Some(list), ..Environment::default() };

    let endpoint = load(&Wanted::default(), &environment).expect("an endpoint");

    assert_eq!(endpoint.context, "there");
    assert_eq!(endpoint.credentials, Credentials::Token("mine".to_owned()));
}

#[test]
fn what_would_weaken_the_connection_is_refused() {
    let insecure = TWO_CONTEXTS.replace("certificate-authority-data: Q0E=", "insecure-skip-tls-verify: true");
    let plain = TWO_CONTEXTS.replace("https://control.example", "http://control.example");
    let program = TWO_CONTEXTS.replace("token: abc", "exec: { command: login }");

    assert!(refusal(&insecure, None).0.contains("insecure-skip-tls-verify"));
    assert!(refusal(&plain, Some("there")).0.contains("is not protected by TLS"));
    assert!(refusal(&program, None).0.contains("`exec`"));
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_place_and_without_its_secrets() {
    assert!(refusal("contexts: [", None).0.contains("is no kubeconfig: line 1"));
    assert!(refusal("contexts: 5", None).0.contains("is no kubeconfig"));
    let (message, _) = refusal(&TWO_CONTEXTS.replace("token: abc", "token: \"hunter 2\""), None);
    assert!(!message.contains("hunter"), "{message}");
    let (message, _) = refusal(&TWO_CONTEXTS.replace("user: me", "user: you"), None);
    assert!(message.contains("has no user `you`"), "{message}");
}
