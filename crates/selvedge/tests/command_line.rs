//! The command line as its users see it: whole commands against golden files.
//!
//! A changed message shows up in review as a changed file. `UPDATE_GOLDEN=1 cargo test -p selvedge` writes them anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the binary where the cases are, so that messages hold short paths.
fn selvedge(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .args(arguments)
        .current_dir(root().join("tests/cases"))
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .env("COLUMNS", "100")
        // No control plane of the machine that runs the tests is ever asked.
        .env("HOME", "/nonexistent")
        .env_remove("XDG_DATA_HOME")
        .env_remove("KUBECONFIG")
        .output()
        .expect("the binary runs")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Compares what a command did with `tests/golden/NAME.txt`.
fn golden(name: &str, arguments: &[&str]) {
    let output = selvedge(arguments);
    // clap pads empty lines; nobody sees that, and editors take it away.
    let text = |bytes: &[u8]| -> String {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    };
    let said = format!(
        "$ selvedge {}\nexit {}\n--- stdout\n{}--- stderr\n{}",
        arguments.join(" "),
        output.status.code().expect("an exit code"),
        text(&output.stdout),
        text(&output.stderr),
    );
    let file = root().join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &said).expect("a golden file");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(said == expected, "{} differs:\n{said}", file.display());
}

#[test]
fn help_teaches_with_examples() {
    golden("help", &["--help"]);
    golden("help-up", &["up", "--help"]);
    golden("help-sidecar", &["sidecar", "--help"]);
    golden("help-validate", &["validate", "--help"]);
    golden("help-explain", &["explain", "--help"]);
    golden("help-echo", &["echo", "--help"]);
    for verb in [
        "apply",
        "get",
        "describe",
        "delete",
        "edit",
        "diff",
        "status",
        "top",
        "token",
        "mesh",
        "product",
        "plan",
        "completion",
        "version",
    ] {
        golden(&format!("help-{verb}"), &[verb, "--help"]);
    }
}

#[test]
fn five_mistakes_are_five_reports_and_nothing_is_applied() {
    golden("validate-five-mistakes", &["validate", "five-mistakes.yaml"]);
    let output = selvedge(&["validate", "five-mistakes.yaml"]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: 5 problems in five-mistakes.yaml"));
}

#[test]
fn a_sound_file_shows_what_becomes_of_every_object() {
    golden("validate-shop", &["validate", "shop.yaml"]);
    golden("validate-shop-json", &["validate", "-o", "json", "shop.yaml"]);
}

#[test]
fn an_object_that_is_written_twice_is_refused_with_both_places() {
    golden("validate-twice", &["validate", "shop.yaml", "shop.yaml"]);
}

#[test]
fn a_file_that_is_missing_is_a_mistake_like_any_other() {
    golden("validate-missing", &["validate", "missing.yaml"]);
}

#[test]
fn explain_names_the_rule_its_file_and_its_line() {
    let url = "http://shop.example:8080/cart/1";
    golden("explain-match", &["explain", "-f", "shop.yaml", "GET", url]);
    golden("explain-match-json", &["explain", "-f", "shop.yaml", "-o", "json", "GET", url]);
    golden("explain-header", &["explain", "-f", "shop.yaml", "GET", url, "-H", "x-beta: 1"]);
    golden("explain-respelled", &["explain", "-f", "shop.yaml", "GET", "http://shop.example:8080/x/../cart"]);
    golden("explain-ambiguous", &["explain", "-f", "shop.yaml", "GET", "http://shop.example:8080/a%2fcart"]);
    golden("explain-no-match", &["explain", "-f", "shop.yaml", "GET", "http://other.example:8080/"]);
}

#[test]
fn a_wrong_command_line_ends_in_a_hint() {
    golden("usage-unknown-command", &["valdate", "shop.yaml"]);
    golden("usage-no-file", &["validate"]);
    golden("usage-bad-header", &["explain", "-f", "shop.yaml", "GET", "http://a/", "-H", "nonsense"]);
    golden("up-no-log", &["up", "--admin", "off", "--access-log", "/nonexistent/access.log"]);
    golden("usage-unknown-kind", &["get", "htproutes"]);
    golden("usage-no-kind", &["get"]);
    golden("usage-delete-what", &["delete", "services"]);
    golden("usage-prune-without-labels", &["apply", "-f", "shop.yaml", "--prune"]);
    golden("usage-bad-method", &["explain", "-f", "shop.yaml", "G T", "http://a/"]);
    golden("usage-bad-form", &["get", "gw", "-o", "xml"]);
    golden("usage-bad-url", &["explain", "-f", "shop.yaml", "GET", "shop.example/cart"]);
}

#[test]
fn without_a_control_plane_the_hint_says_how_to_get_one() {
    golden("remote-none", &["get", "gateways"]);
    golden("remote-no-such-kubeconfig", &["status", "--kubeconfig", "missing.kubeconfig"]);
    golden("remote-no-such-context", &["top", "--kubeconfig", "kubeconfig.yaml", "--context", "productoin"]);
    golden("remote-no-authority", &["get", "gw", "--kubeconfig", "kubeconfig.yaml"]);
    golden("remote-insecure", &["get", "gw", "--kubeconfig", "kubeconfig.yaml", "--context", "insecure"]);
}

#[test]
fn when_nobody_listens_the_hint_says_how_to_start_one() {
    let root = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(root.path().join("ca.pem"), made.cert.pem()).expect("a file");
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port");
    let kubeconfig = format!(
        "current-context: a\ncontexts: [{{ name: a, context: {{ cluster: a }} }}]\n\
         clusters: [{{ name: a, cluster: {{ server: 'https://{closed}', certificate-authority: ca.pem }} }}]\n"
    );
    std::fs::write(root.path().join("admin.kubeconfig"), kubeconfig).expect("a file");

    let output = selvedge(&["get", "gateways", "--data", &root.path().display().to_string()]);

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains(&format!("cannot reach the control plane at https://{closed}: nobody listens there")),
        "{said}"
    );
    assert!(said.contains("hint: start it with `selvedge control --data DIR`"), "{said}");
}

#[test]
fn mistakes_in_files_are_told_before_anybody_is_asked() {
    golden("apply-five-mistakes", &["apply", "-f", "five-mistakes.yaml"]);
    golden("diff-missing", &["diff", "-f", "missing.yaml"]);
}

#[test]
fn a_field_is_explained_from_its_schema() {
    let told = selvedge(&["explain", "gw.spec.listeners"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(
        text.starts_with("Gateway.spec.listeners\n  type        list of objects\n  required    yes\n"),
        "{text}"
    );
    golden("explain-no-field", &["explain", "gw.spec.listener"]);
}

#[test]
fn every_shell_gets_its_completion() {
    for (shell, part) in
        [("bash", "complete -F"), ("zsh", "#compdef selvedge"), ("fish", "complete -c selvedge")]
    {
        let output = selvedge(&["completion", shell]);
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && script.contains(part) && script.contains("describe"), "{shell}");
    }
    golden("usage-no-shell", &["completion", "tcsh"]);
}

#[test]
fn the_version_is_data() {
    let output = selvedge(&["version"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("selvedge {}\n", env!("CARGO_PKG_VERSION")));
    assert!(output.stderr.is_empty());
}

#[test]
fn colours_only_appear_when_they_are_forced() {
    let plain = selvedge(&["validate", "missing.yaml"]);
    assert!(!plain.stderr.contains(&0x1b));

    let forced = Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .args(["validate", "missing.yaml"])
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .expect("the binary runs");
    assert!(forced.stderr.contains(&0x1b));
}

#[test]
fn a_sidecar_that_cannot_start_says_what_to_do() {
    let sidecar = |name: &str, words: &[&str]| {
        let control = ["--control", "https://127.0.0.1:1", "--admin", "off", "--dns", "off"];
        let words = [&["sidecar"], &control[..], words].concat();
        golden(name, &words);
    };
    sidecar("sidecar-no-workload", &[]);
    sidecar("sidecar-no-token", &["--workload", "shop/cart-1", "--token-file", "missing.token"]);
    sidecar("sidecar-no-token-file", &["--workload", "shop/cart-1"]);
    sidecar("sidecar-bad-workload", &["--workload", "cart", "--token-file", "cart.token"]);
    sidecar(
        "sidecar-bad-port",
        &["--workload", "shop/cart-1", "--token-file", "cart.token", "--port", "http:8080:udp"],
    );
    sidecar(
        "sidecar-clash",
        &[
            "--workload",
            "shop/cart-1",
            "--token-file",
            "cart.token",
            "--port",
            "http:8080",
            "--port",
            "http:8080:15443",
        ],
    );
    sidecar(
        "sidecar-bad-health",
        &["--workload", "shop/cart-1", "--token-file", "cart.token", "--health", "smtp:25"],
    );
    sidecar("sidecar-unknown-flag", &["--workload", "shop/cart-1", "--tokenfile", "cart.token"]);
}

#[test]
fn every_example_applies_cleanly() {
    let output = selvedge(&["validate", "../../../../examples/hello"]);

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("ok  HTTPRoute default/hello") && !said.contains("!!"), "{said}");
}

#[test]
fn authz_names_the_rule_that_decides_and_everybody_who_may() {
    let can = |name: &str, question: &[&str]| {
        golden(&format!("authz-{name}"), &[&["authz", "can", "-f", "guarded.yaml"], question].concat());
    };
    can("can", &["shop/web-1", "GET", "shop/cart:/items/7"]);
    can("can-not", &["shop/report-1", "GET", "shop/cart:/items/7"]);
    can("can-not-write", &["spiffe://bank.example/ns/shop/sa/web", "POST", "shop/cart:/items/7"]);
    can("can-at-gateway", &["ip:10.1.2.3", "GET", "http://shop.example:8080/items"]);
    can("can-json", &["ip:192.0.2.1", "GET", "http://shop.example:8080/items", "-o", "json"]);
    can("can-no-service", &["shop/web-1", "GET", "shop/crt:/items"]);
    golden("authz-who", &["authz", "who", "-f", "guarded.yaml", "shop/cart"]);
    golden("authz-who-all", &["authz", "who", "-f", "guarded.yaml", "shop/cart", "--all", "-o", "json"]);
    golden("explain-denied", &["explain", "-f", "guarded.yaml", "GET", "http://shop.example:8080/items"]);
    for help in [&["authz", "--help"][..], &["authz", "can", "--help"], &["authz", "who", "--help"]] {
        golden(&format!("help-{}", help[..help.len() - 1].join("-")), help);
    }
}

#[test]
fn descriptions_are_looked_at_before_anybody_is_served_by_them() {
    golden("help-api", &["api", "--help"]);
    golden("help-api-lint", &["api", "lint", "--help"]);
    golden("help-api-diff", &["api", "diff", "--help"]);
    golden("help-api-test", &["api", "test", "--help"]);
    golden("help-api-prove", &["api", "prove", "--help"]);
    let example = |name: &str| format!("../../../../examples/shim/{name}");
    let (old, new) = (example("pets-1.yaml"), example("pets-2.yaml"));
    let proving = ["api", "prove", &old, &new, "--operation", "GET /pets/{}"];
    golden("api-prove", &[&proving[..], &["--shim", &example("binding.yaml")]].concat());
    golden("api-prove-without-shim", &proving);
    golden("api-diff-shim", &["api", "diff", "--suggest-shim", &old, &new]);
    golden("api-diff-shim-not-all", &["api", "diff", "--suggest-shim", "pets-1.yaml", "pets-2.yaml"]);
    golden("api-test-no-url", &["api", "test", "pets-1.yaml", "--url", "ftp://shop.example"]);
    golden(
        "api-test-no-operation",
        &["api", "test", "pets-1.yaml", "--url", "http://[::1]:1", "--operation", "GET /pet"],
    );
    golden("api-lint-clean", &["api", "lint", "pets-1.yaml"]);
    golden("api-lint", &["api", "lint", "pets-2.yaml"]);
    golden("api-lint-broken", &["api", "lint", "pets-broken.yaml"]);
    golden("api-lint-junit", &["api", "lint", "-o", "junit", "--ignore", "example-valid", "pets-2.yaml"]);
    golden("api-lint-no-rule", &["api", "lint", "--ignore", "exampel-valid", "pets-2.yaml"]);
    golden("api-lint-rules", &["api", "lint", "--rules"]);
    golden("api-diff", &["api", "diff", "pets-1.yaml", "pets-2.yaml"]);
    golden("api-diff-same", &["api", "diff", "pets-1.yaml", "pets-1.yaml"]);
    golden("api-diff-json", &["api", "diff", "--breaking", "-o", "json", "pets-1.yaml", "pets-2.yaml"]);
    // What the public does not see cannot break it.
    let public = ["--overlay", "pets-public.yaml"];
    golden("api-lint-overlaid", &[&["api", "lint"], &public[..], &["pets-1.yaml"]].concat());
    golden(
        "api-diff-overlay-new",
        &["api", "diff", "--overlay-new", "pets-public.yaml", "pets-1.yaml", "pets-1.yaml"],
    );
    golden("api-diff-overlaid", &[&["api", "diff"], &public[..], &["pets-1.yaml", "pets-1.yaml"]].concat());
    golden("api-lint-overlay-lost", &[&["api", "lint"], &public[..], &["pets-2.yaml"]].concat());
    golden("api-diff-broken", &["api", "diff", "pets-1.yaml", "pets-broken.yaml"]);
}

#[test]
fn findings_are_told_to_code_hosts_in_sarif() {
    let output = selvedge(&["api", "lint", "-o", "sarif", "pets-2.yaml"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");

    assert_eq!(report["version"], "2.1.0");
    let results = report["runs"][0]["results"].as_array().expect("results");
    let invalid = results.iter().find(|result| result["ruleId"] == "example-valid").expect("a finding");
    let place = &invalid["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], invalid["level"].as_str()),
        (&"pets-2.yaml".into(), Some("error"))
    );
    assert!(place["region"]["startLine"].as_u64() > Some(1));
}

#[test]
fn nothing_that_a_description_names_is_fetched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let place = format!("127.0.0.1:{}", listener.local_addr().expect("an address").port());
    let folder = std::env::temp_dir().join(format!("selvedge-fetched-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let head = format!(
        "openapi: 3.1.0\ninfo: {{ title: t, version: '1', termsOfService: 'http://{place}/terms' }}\n\
         jsonSchemaDialect: http://{place}/dialect\nservers: [ {{ url: 'http://{place}/' }} ]\n\
         externalDocs: {{ url: 'http://{place}/docs' }}\n"
    );
    let schema = |reference: &str| {
        format!(
            "{head}paths:\n  /a:\n    get:\n      responses:\n        '200':\n          description: d\n          content:\n\
             \x20           application/json:\n              schema: {{ {reference} }}\n              examples: {{ a: {{ externalValue: 'http://{place}/a' }} }}\n"
        )
    };
    let references = [
        format!("$ref: 'http://{place}/a.yaml#/A'"),
        format!("$ref: '//{place}/a.yaml#/A'"),
        format!("$ref: 'HTTP://{place}/a.yaml'"),
        format!("$id: 'http://{place}/', $ref: 'a.yaml#/A'"),
        format!("$schema: 'http://{place}/schema', $dynamicRef: 'http://{place}/a.yaml#a'"),
        format!(
            "oneOf: [{{ type: object }}], discriminator: {{ propertyName: a, mapping: {{ a: 'http://{place}/a.yaml' }} }}"
        ),
        "$ref: 'file:///etc/passwd'".to_owned(),
        "$ref: '../../../../../../../../etc/passwd'".to_owned(),
    ];
    let overlay = write(
        "overlay.yaml",
        format!(
            "overlay: 1.0.0\ninfo: {{ title: o, version: '1' }}\nextends: http://{place}/api.yaml\nactions: [ {{ target: $.info, update: {{ description: d }} }} ]\n"
        ),
    );
    let ruleset = write("rules.yaml", format!("extends: http://{place}/rules.yaml\nrules: {{}}\n"));
    for (number, reference) in references.iter().enumerate() {
        let file = write(&format!("{number}.yaml"), schema(reference));
        for words in [
            &["api", "lint", &file, "--overlay", &overlay][..],
            &["api", "lint", &file, "--ruleset", &ruleset],
            &["api", "lint", &file, "--fix", "--dry-run"],
            &["api", "diff", &file, &file],
        ] {
            let output = selvedge(words);
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("root:"), "{said}");
            let leads_away = !(4..=5).contains(&number);
            assert!(!leads_away || output.status.code() == Some(1), "{words:?}: {said}");
        }
    }

    let nobody = listener.accept().map(|(_, from)| from).map_err(|why| why.kind());
    assert_eq!(nobody, Err(std::io::ErrorKind::WouldBlock));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn what_can_be_mended_is_mended_in_the_file() {
    let folder = std::env::temp_dir().join(format!("selvedge-mended-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("pets.yaml");
    std::fs::copy(root().join("tests/cases/pets-unfixed.yaml"), &file).expect("a file");
    let before = std::fs::read_to_string(&file).expect("text");

    golden("api-lint-fix-dry", &["api", "lint", "--fix", "--dry-run", "pets-unfixed.yaml"]);
    let path = file.display().to_string();
    let output = selvedge(&["api", "lint", "--fix", &path]);

    let after = std::fs::read_to_string(&file).expect("text");
    let expected =
        std::fs::read_to_string(root().join("tests/golden/api-lint-fixed.yaml")).unwrap_or_default();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(root().join("tests/golden/api-lint-fixed.yaml"), &after).expect("a golden file");
    } else {
        assert_eq!(after, expected, "{}", String::from_utf8_lossy(&output.stderr));
    }
    let comments =
        |text: &str| text.lines().filter(|line| line.contains('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(comments(&after), comments(&before));
    assert_eq!(output.status.code(), Some(1), "a body that a comment speaks of is still there");
    std::fs::remove_dir_all(folder).expect("removed");
}
