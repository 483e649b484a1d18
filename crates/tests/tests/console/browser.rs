//! The pages in a real browser. It takes pictures on its way, for people to look at: they are in `target/console`.

use serde_json::Value;
use tests::binary::workspace;
use tests::tools;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn somebody_logs_in_without_a_script_and_reads_every_page_in_light_and_dark_and_in_chinese() {
    let stage = Stage::set().await;
    stage.send_requests(50).await;
    stage.sell().await;
    let pictures = workspace().join("target/console");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let script = workspace().join("crates/tests/clients/console.py");
    let (python, _) = (tools::python(&["websockets"]).await, tools::program("chromium"));

    let address = stage.plane.address().to_string();
    let arguments = [script.to_str().expect("text"), &address, pictures.to_str().expect("text")];
    let output = tools::run_with_input(&python, &arguments, stage.token.as_bytes()).await;

    assert!(output.success, "{}", output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(report["complaints"], serde_json::json!([]), "the browser complains");
    let seen = |page: &str, what: &str| report["seen"][page][what].as_str().unwrap_or_default().to_owned();
    assert_eq!(seen("login", "path"), "/console/login");
    assert_eq!(seen("after login", "path"), "/console/routes", "who logs in goes on to where they wanted");
    for (page, text) in [
        ("docs", "pets.example"),
        ("one of docs", "selvedge subscribe default/pets --plan pets-free"),
        ("docs chinese", "订阅"),
        ("overview", "default/lost"),
        ("gateways", "default/edge"),
        ("routes", "lost.example"),
        ("proxies", "edge-1"),
        ("mesh", "shop.example"),
        ("mesh dark", "default/cart"),
        ("mesh chinese", "服务网格"),
        ("products", "default/pets"),
        ("applications", "default/mobile"),
        ("usage", "GET /pets"),
        ("usage dark", "GET /pets"),
        ("usage chinese", "用量"),
        ("one of products", "5/1h"),
        ("one of products", "mobile"),
        ("one of applications", "APIKey"),
        ("one of gateways", "Listeners"),
        ("one of routes", "Rules"),
        ("one of proxies", "listening"),
    ] {
        assert!(seen(page, "text").contains(text), "{page} lacks {text}: {}", seen(page, "text"));
        assert!(!seen(page, "title").contains("taken"), "a script of somebody else's ran");
    }
    assert_ne!(seen("overview", "ground"), seen("dark", "ground"), "dark is not light");
    assert_eq!((seen("dark", "language"), seen("chinese", "language")), ("en".to_owned(), "zh".to_owned()));
    assert!(seen("chinese", "text").contains("控制平面"));
    for (page, told) in report["seen"].as_object().expect("pages") {
        assert_eq!(told["overflow"], false, "{page} is wider than its window");
    }
    assert_eq!(seen("after logout", "path"), "/console/login");
}
