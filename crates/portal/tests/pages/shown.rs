//! Promises about what pages say, in which language, and who can read them.

use http::StatusCode;
use serde_json::Value;

use crate::documents::{GROUP, PAGES, TOLD, documents};
use crate::visit::Visit;

#[tokio::test]
async fn pages_tell_what_the_api_tells() {
    let visit = Visit::inside(documents()).await;
    let cases: [(&str, &[&str]); 13] = [
        (
            "/console",
            &["shop/cart", "BackendNotFound", "no Service shop/basket", "<svg", "120.5", "edge-1", ">17<"],
        ),
        ("/console/gateways", &["shop/edge", "203.0.113.7", "8080", "*.shop.example"]),
        ("/console/routes", &["www.shop.example", "shop/basket:80", "120.5", "1.90 ms", "14 ms"]),
        ("/console/proxies", &["edge-1", "4 s", "12"]),
        ("/console/gateways/shop/edge", &["Programmed", "shop/cart", "team", "front"]),
        (
            "/console/routes/shop/cart",
            &["/cart…", "RequestHeaderModifier", "written by hand", "ResolvedRefs"],
        ),
        (
            "/console/mesh",
            &[
                "bank.example",
                "Moving",
                "<svg class=\"mesh\"",
                "42.0/s",
                "2 h",
                "certificate has ended",
                "refused",
                "picture: 3</p>",
            ],
        ),
        ("/console/products", &["shop/pets", "Pets &#60;for&#62; all", "pets-free"]),
        (
            "/console/products/shop/pets",
            &[
                "GET /pets/{}",
                "60/1m,burst=5",
                "1000/Month@Europe/Berlin",
                "/console/applications/shop/mobile",
                "Billing",
                "<svg class=\"days\"",
                "1204 + 31",
            ],
        ),
        ("/console/applications", &["shop/mobile", "buyers", "/console/products/shop/pets"]),
        ("/console/applications/shop/mobile", &["sk_live_ab…", "Revoked", "2026-11-23", "1198"]),
        ("/console/usage", &["shop/mobile", "shop/pets-v1", "GET /pets/{}", ">6<", ">31<"]),
        ("/console/proxies/edge-1", &["Permission denied", "HTTPRoute shop/cart", "too large", "expired"]),
    ];
    for (page, parts) in cases {
        let text = visit.text(page).await;
        for part in parts {
            assert!(text.contains(part), "{page} lacks {part}\n{text}");
        }
    }
    assert_eq!(visit.get("/console/routes/shop/none").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(visit.get("/console/nothing").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_somebody_may_not_list_is_said_in_its_place_and_the_rest_is_there() {
    let mut documents = documents();
    documents.insert(format!("{GROUP}/gateways"), Value::Null);
    documents.insert(format!("{TOLD}/routes"), Value::Null);
    let visit = Visit::inside(documents).await;

    let (gateways, routes) = (visit.text("/console/gateways").await, visit.text("/console/routes").await);

    assert!(gateways.contains("may not list") && !gateways.contains("203.0.113.7"));
    assert!(routes.contains("www.shop.example") && !routes.contains("120.5"));
}

#[tokio::test]
async fn the_language_is_the_browsers_until_somebody_chooses_one() {
    let mut visit = Visit::inside(documents()).await;
    visit.language = "zh-CN,zh;q=0.9";

    let chinese = visit.text("/console/routes").await;
    assert!(chinese.contains(r#"<html lang="zh">"#) && chinese.contains("<h1>路由</h1>"));

    let origin = Some("https://console.example");
    let chosen = visit.post("/console/language", "language=en&to=/console/routes", origin).await;
    assert_eq!(chosen.headers()["location"], "/console/routes");
    let cookie = chosen.headers()["set-cookie"].to_str().expect("text").to_owned();
    visit.cookies = format!("{}; {}", visit.cookies, cookie.split(';').next().unwrap_or_default());
    assert!(visit.text("/console/routes").await.contains("<h1>Routes</h1>"));
    let strange = visit.post("/console/language", "language=zh", Some("https://evil.example")).await;
    assert!(!strange.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn pages_can_be_read_without_eyes() {
    let visit = Visit::inside(documents()).await;
    for page in PAGES {
        let text = visit.text(page).await;
        for part in [
            "<html lang=\"en\">",
            "<main id=\"content\"",
            "<header>",
            "<nav aria-label=",
            "class=\"skip\"",
            "<h1>",
        ] {
            assert_eq!(text.matches(part).count(), 1, "{page}: {part}");
        }
        let tables = text.matches("<table>").count();
        assert_eq!(text.matches("<caption").count(), tables, "{page}: every table says what it is");
        assert_eq!(
            text.matches("<thead><tr><th scope=\"col\"").count(),
            tables,
            "{page}: every column has a heading"
        );
        assert!(!text.contains("<th>") && !text.contains("style=\"") && !text.contains("onclick"), "{page}");
        assert!(text.split("<input ").skip(1).all(|input| input.starts_with("type=\"hidden\"")), "{page}");
    }
    let form = visit.text("/console/login").await;
    assert!(form.contains("<label for=\"token\">") && form.contains("id=\"token\""));
}

#[tokio::test]
async fn the_reference_of_an_api_is_made_of_its_description() {
    let visit = Visit::inside(documents()).await;

    let all = visit.text("/console/apis").await;
    assert!(all.contains("/console/apis/shop/pets-v1") && all.contains("/pets/v1"), "{all}");
    let page = visit.text("/console/apis/shop/pets-v1").await;

    assert!(
        page.contains("Change a pet") && page.contains("Its number") && page.contains("It is so"),
        "{page}"
    );
    assert!(page.contains("should no longer be used"), "{page}");
    assert!(page.contains("curl -X PUT") && page.contains("http://127.0.0.1:8080/pets/v1/pets/7"), "{page}");
    assert!(!page.contains("<b>"), "what a description says is text: {page}");
}
