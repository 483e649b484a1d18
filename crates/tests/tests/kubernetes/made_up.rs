//! Requests that nobody would write: schemathesis makes them up from our own OpenAPI documents, with values that fit
//! them and values that do not, and holds each answer to what the documents say.
//!
//! Whether what fits a document is accepted is not judged: names, selectors, tokens and what fields ask of each other
//! are more than a document can say. One seed and a bounded number, so that a finding is found again.

use std::process::Stdio;
use std::time::Duration;

use control::objects::documents::group_versions;
use tests::binary::workspace;
use tests::control_plane::ControlPlane;
use tests::tools;
use tests::until::within_time;
use tokio::process::Command;

/// Requests for each operation, of those that fit and of those that do not.
const EXAMPLES: &str = "2";
const SEED: &str = "1";
/// Longest time for one document, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::test]
async fn requests_made_up_from_our_documents_find_no_answer_that_breaks_them() {
    let plane = ControlPlane::start().await;
    let python = tools::python(&["schemathesis"]).await;
    let kubeconfig = std::fs::read_to_string(plane.kubeconfig()).expect("a kubeconfig");
    let kubeconfig: serde_json::Value = serde_json::from_str(&kubeconfig).expect("JSON");
    let token = kubeconfig["users"][0]["user"]["token"].as_str().expect("a token");
    let authority = plane.folder().join("pki/ca.crt").display().to_string();
    let config = workspace().join("crates/tests/clients/schemathesis.toml").canonicalize().expect("a file");

    for document in group_versions() {
        let path = document.path();
        let mut run = Command::new(python.with_file_name("schemathesis"));
        run.arg("--config-file").arg(&config).arg("run");
        run.arg(format!("https://{}/openapi/v3/{path}", plane.address()));
        run.args(["--header", &format!("Authorization: Bearer {token}"), "--tls-verify", &authority]);
        run.args(["--phases", "fuzzing", "--max-examples", EXAMPLES, "--seed", SEED, "--no-shrink"]);
        run.args(["--exclude-checks", "positive_data_acceptance", "--generation-database", "none"]);
        // One at a time: two of its threads that read Python at once can end in an error of Python's own (3.11).
        run.args(["--request-timeout", "60", "--workers", "1", "--warnings", "off", "--no-color"]);
        // It leaves files behind where it runs.
        run.current_dir(plane.folder()).stdin(Stdio::null()).kill_on_drop(true);
        let output =
            within_time(PATIENCE, &path, run.output()).await.unwrap_or_else(|problem| panic!("{problem}"));
        let output = output.expect("schemathesis can be run");
        assert!(output.status.success(), "{path}:\n{}", String::from_utf8_lossy(&output.stdout));
    }
}
