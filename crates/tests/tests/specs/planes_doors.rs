//! Everything that a control plane serves beside its API, asked by nobody and by somebody without rights.
//!
//! The API's own endpoints have such a test in the crate that serves them. Here are the streams of proxies, the authority
//! of the mesh, the usage ledger and the console. The table is written by hand and compared with what is served: a new
//! path does not pass until somebody has said here who may ask.

use std::collections::BTreeSet;

use control::access::{Token, User};
use control::api::beside::Who::{Allowed, Anyone, LoggedIn, Member, Proxy};
use control::api::beside::{Door, Who};
use serde_json::Value;
use tests::control_plane::ControlPlane;
use tests::tools;

const READER: Who = Allowed { verb: "list", resource: "usage.product.selvedge.dev" };
const WATCHER: Who = Allowed { verb: "get", resource: "workloads/tap.mesh.selvedge.dev" };
const WATCHER_OF_GATEWAYS: Who = Allowed { verb: "get", resource: "gateways/tap.gateway.networking.k8s.io" };
const MANAGER: Who = Allowed { verb: "update", resource: "trustbundles.mesh.selvedge.dev" };

#[rustfmt::skip] // the table is the point
const EXPECTED: &[(&str, &str, Who)] = &[
    ("POST", "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", Proxy),
    ("POST", "/selvedge.discovery.v1.CustomersService/Follow",           Proxy),
    ("POST", "/selvedge.discovery.v1.QuotasService/Ask",                    Proxy),
    ("POST", "/selvedge.discovery.v1.Reports/Stream",               Proxy),
    ("POST", "/selvedge.discovery.v1.Taps/Show",                  Proxy),
    ("POST", "/selvedge.discovery.v1.UsageService/ShipEnded",     Proxy),
    ("POST", "/selvedge.discovery.v1.UsageService/Register",                 Proxy),
    ("POST", "/selvedge.discovery.v1.UsageService/Ship",                     Proxy),
    ("POST", "/selvedge.discovery.v1.SharesService/Tell",         Proxy),
    ("GET",  "/catalogue.selvedge.dev/v1/apis",                   Anyone),
    ("GET",  "/catalogue.selvedge.dev/v1/apis/{name}/{name}",     Anyone),
    ("GET",  "/docs",                                             Anyone),
    ("GET",  "/docs/{name}/{name}",                               Anyone),
    ("POST", "/mesh.selvedge.dev/v1/certificates",                Member),
    ("POST", "/mesh.selvedge.dev/v1/meshes/{name}",               MANAGER),
    ("GET",  "/tap.selvedge.dev/v1/namespaces/{name}/workloads/{name}", WATCHER),
    ("GET",  "/tap.selvedge.dev/v1/namespaces/{name}/gateways/{name}",  WATCHER_OF_GATEWAYS),
    ("GET",  "/usage.selvedge.dev/v1/usage",                      READER),
    ("GET",  "/usage.selvedge.dev/v1/namespaces/{name}/usage",    READER),
    ("GET",  "/usage.selvedge.dev/v1/events",                     READER),
    ("GET",  "/usage.selvedge.dev/v1/namespaces/{name}/events",   READER),
    ("GET",  "/usage.selvedge.dev/v1/check",                      READER),
    ("GET",  "/usage.selvedge.dev/v1/metrics",                    READER),
    ("GET",  "/console/style.css",                                Anyone),
    ("GET",  "/console/renew.js",                                 Anyone),
    ("GET",  "/console/icon.svg",                                 Anyone),
    ("GET",  "/console/login",                                    Anyone),
    ("POST", "/console/login",                                    Anyone),
    ("POST", "/console/logout",                                   Anyone),
    ("POST", "/console/language",                                 Anyone),
    ("GET",  "/console",                                          LoggedIn),
    ("GET",  "/console/{rest}",                                   LoggedIn),
];

/// What a stream of proxies answers whoever it does not know (gRPC, `UNAUTHENTICATED`).
const UNAUTHENTICATED: &str = "16";

/// Asks for a path; the status, that of gRPC if there is one, and where it sends us.
async fn ask(plane: &ControlPlane, method: &str, path: &str, token: Option<&str>) -> [String; 3] {
    let url = format!("https://{}{path}", plane.address());
    let bearer = token.map(|token| format!("Authorization: Bearer {token}"));
    let stream = path.starts_with("/selvedge.") || path.starts_with("/envoy.");
    let kind = format!("Content-Type: {}", if stream { "application/grpc" } else { "application/json" });
    let mut words =
        vec!["--silent", "--show-error", "--insecure", "--output", "/dev/null", "--max-time", "20"];
    words.extend(["--request", method, "--header", &kind]);
    words.extend(["--write-out", "%{http_code};%header{grpc-status};%header{location}"]);
    if method == "POST" {
        // Whom a stream refuses, it refuses before it reads: what is sent nevertheless would have it reset.
        let body = if stream { "" } else { r#"{"rotate":{}}"# };
        words.extend(["--data-binary", body, if stream { "--http2" } else { "--http1.1" }]);
    }
    if let Some(bearer) = &bearer {
        words.extend(["--header", bearer]);
    }
    words.push(&url);
    let output = tools::run(&tools::program("curl"), &words).await;
    assert!(output.success, "{method} {path}: {}", output.stderr);
    let mut parts = output.stdout.split(';').map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// Somebody whom the control plane knows and who may do nothing.
async fn visitor(plane: &ControlPlane) -> String {
    let token = Token::new().expect("random numbers");
    let object = token.object("ana", &User::new("ana", ["visitors"]), None);
    let file = plane.folder().join("ana.json");
    std::fs::write(&file, object.to_string()).expect("a file");
    let kubeconfig: Value =
        serde_json::from_str(&std::fs::read_to_string(plane.kubeconfig()).expect("a file")).expect("JSON");
    let admin = kubeconfig["users"][0]["user"]["token"].as_str().expect("a token");
    let url = format!("https://{}/apis/access.selvedge.dev/v1alpha1/accesstokens", plane.address());
    let (bearer, body) = (format!("Authorization: Bearer {admin}"), format!("@{}", file.display()));
    let kind = "Content-Type: application/json";
    let words = ["--silent", "--fail-with-body", "--insecure", "--header", &bearer, "--header", kind];
    let made =
        tools::run(&tools::program("curl"), &[&words[..], &["--data-binary", &body, &url]].concat()).await;
    assert!(made.success, "{}", made.stdout);
    token.reveal().to_owned()
}

#[tokio::test]
async fn whatever_is_served_beside_the_api_lets_in_whom_somebody_has_thought_about_and_nobody_else() {
    let plane = ControlPlane::start().await;
    let served: BTreeSet<_> =
        plane.doors().iter().map(|Door { method, path, who }| (*method, *path, line(*who))).collect();
    let expected: BTreeSet<_> =
        EXPECTED.iter().map(|(method, path, who)| (*method, *path, line(*who))).collect();
    assert_eq!(served, expected, "say in this file who may ask");
    let ana = visitor(&plane).await;

    for (method, pattern, who) in EXPECTED {
        let path = pattern.replace("{name}", "default").replace("{rest}", "routes/shop/cart");
        let of_nobody = ask(&plane, method, &path, None).await;
        let of_ana = ask(&plane, method, &path, Some(&ana)).await;

        let asked = format!("{method} {path}: {of_nobody:?} {of_ana:?}");
        match who {
            // Forms that do not come from our own page are turned away, with nothing done; of what nobody has published
            // everybody learns that it is not there.
            Anyone => assert!(["200", "303", "403", "404"].contains(&&*of_nobody[0]), "{asked}"),
            Proxy => {
                assert_eq!([&*of_nobody[0], &*of_nobody[1]], ["200", UNAUTHENTICATED], "{asked}");
                assert_eq!([&*of_ana[0], &*of_ana[1]], ["200", UNAUTHENTICATED], "{asked}");
            }
            Member => assert_eq!([&*of_nobody[0], &*of_ana[0]], ["401", "401"], "{asked}"),
            LoggedIn => {
                for answer in [of_nobody, of_ana] {
                    assert!(answer[0] == "303" && answer[2].contains("/console/login"), "{asked}");
                }
            }
            Allowed { .. } => assert_eq!([&*of_nobody[0], &*of_ana[0]], ["401", "403"], "{asked}"),
        }
    }
    for path in [
        "/selvedge.discovery.v1.UsageService/Steal",
        "/mesh.selvedge.dev/v1/roots",
        "/usage.selvedge.dev/v1/all",
        "/consoles",
    ] {
        assert_eq!(
            ask(&plane, "GET", path, None).await[0],
            "401",
            "{path} is no way to find out what there is"
        );
    }
}

fn line(who: Who) -> String {
    format!("{who:?}")
}
