//! Promises about who gets in, and how they get out.

use bytes::Bytes;
use http::{Request, StatusCode};
use portal::{Answered, Api};

use crate::documents::{PAGES, documents};
use crate::visit::Visit;

#[tokio::test]
async fn who_is_nobody_sees_a_form_and_nothing_else() {
    let visit = Visit::new(documents());

    for page in PAGES {
        let answer = visit.get(page).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{page}");
        assert!(answer.headers()["location"].to_str().expect("text").starts_with("/console/login"), "{page}");
        assert!(answer.body().is_empty());
    }
    let form = visit.text("/console/login?to=/console/routes").await;
    assert!(form.contains(r#"name="to" value="/console/routes""#) && !form.contains("shop"), "{form}");
}

#[tokio::test]
async fn a_wrong_token_and_a_form_of_another_site_open_nothing() {
    let visit = Visit::new(documents());

    let wrong = visit.post("/console/login", "token=bad", Some("https://console.example")).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers().contains_key("set-cookie"));
    for origin in [None, Some("https://evil.example"), Some("null"), Some("https://console.example:8443")] {
        let strange = visit.post("/console/login", "token=good", origin).await;
        assert_eq!(strange.status(), StatusCode::FORBIDDEN, "{origin:?}");
        assert!(!strange.headers().contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_other_sites_and_plain_connections() {
    let visit = Visit::new(documents());

    let answer = visit
        .post("/console/login", "token=good&to=%2Fconsole%2Froutes", Some("https://console.example"))
        .await;

    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("__Host-") && !cookie.contains("good"));
    for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(answer.headers()["location"], "/console/routes");
}

#[tokio::test]
async fn logging_out_ends_the_session_and_not_only_the_cookie() {
    let visit = Visit::inside(documents()).await;

    visit.post("/console/logout", "", Some("https://evil.example")).await;
    assert_eq!(visit.get("/console").await.status(), StatusCode::OK, "another site logs nobody out");

    visit.post("/console/logout", "", Some("https://console.example")).await;
    assert_eq!(visit.get("/console").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_token_that_was_taken_back_ends_the_session() {
    let mut visit = Visit::inside(documents()).await;
    struct Closed;
    impl Api for Closed {
        fn get<'a>(&'a self, _: &'a str, _: &'a str) -> Answered<'a> {
            Box::pin(std::future::ready((StatusCode::UNAUTHORIZED, Bytes::new())))
        }
    }
    let request = Request::get("/console").header("cookie", &visit.cookies).body(Bytes::new()).expect("one");
    let refused = visit.console.answer(request, &Closed).await;

    visit.language = "en";
    assert_eq!(refused.status(), StatusCode::SEE_OTHER);
    assert_eq!(visit.get("/console").await.status(), StatusCode::SEE_OTHER);
}
