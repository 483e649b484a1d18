//! Promises of `examples/product`: one command opens an API that is sold, to an application with a key and to a service of
//! the mesh without one; both come to the end of what they were given, what they used is told, and a key ends at once.

use std::net::SocketAddr;

use super::open::Opened;
use super::scene::get;
use super::sidecars::until;

const FORECAST: &str = "/weather/v1/forecasts/bern";
/// Forecasts that the plan of the service gives in a day.
const PARTNER_A_DAY: u64 = 30;

fn asks(entry: SocketAddr, path: &str, key: &str) -> (u16, String) {
    let field = if key.is_empty() { String::new() } else { format!("\r\nx-api-key: {key}") };
    get(entry, &format!("GET {path} HTTP/1.1\r\nHost: {entry}{field}"))
}

/// The requests of an application that count for a bill, as the ledger has them.
fn used(weather: &Opened, application: &str) -> u64 {
    let told = weather.told(&format!("usage -n weather --app {application} --by operation -o csv"));
    let row = told.lines().find(|line| line.contains("GET /forecasts/{}"));
    row.and_then(|line| line.split(',').nth(2)?.parse().ok()).unwrap_or_default()
}

#[test]
fn one_command_opens_a_product_that_is_sold_limited_counted_and_taken_away() {
    let weather = Opened::new("product", "The weather is open", 1);
    let (edge, planner) = (weather.at(1, 8080), weather.at(4, 8002));
    let printed = weather.file("mobile.key");
    let key = printed.lines().next().expect("a key");

    // Open, closed, and open with a key.
    assert_eq!(asks(edge, "/weather/v1/cities", "").0, 200);
    let (status, body) = asks(edge, FORECAST, "");
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("selvedge subscribe weather/weather --plan weather-free"), "{body}");
    let body = until("the key to be known", || {
        let (status, body) = asks(edge, FORECAST, key);
        (status == 200).then_some(body)
    });
    assert!(body.contains("\"city\": \"bern\""), "{body}");

    // Too fast, with a key.
    let refused = until("the rate to be over", || {
        let (status, body) = asks(edge, FORECAST, key);
        (status == 429).then_some(body)
    });
    assert!(refused.contains("rate_limited") && refused.contains("60-per-1m"), "{refused}");

    // Too much, as a service of the mesh that shows none.
    let page = until("the day of the planner to be over", || {
        let (status, page) = asks(planner, "/", "");
        (status == 502).then_some(page)
    });
    assert!(page.contains("answered 429") && page.contains("quota_exceeded"), "{page}");
    let sold = until("what the planner used in the ledger", || {
        let sold = used(&weather, "planner");
        (sold >= PARTNER_A_DAY).then_some(sold)
    });
    assert_eq!(sold, PARTNER_A_DAY, "the day has so many and not one more");
    until("what the application used", || (used(&weather, "mobile") > 0).then_some(()));
    let shown = weather.told("product show weather -n weather");
    assert!(shown.contains("60 in 1m (5 at once), 1000 a month of Europe/Berlin"), "{shown}");

    // Taken away.
    let keys = weather.told("key list --app mobile -n weather");
    let name = keys.lines().nth(1).and_then(|line| line.split(' ').next()).expect("a key");
    weather.told(&format!("key revoke {name} -n weather"));
    until("the key to be nobody's", || (asks(edge, FORECAST, key).0 == 401).then_some(()));
    weather.close();
}
