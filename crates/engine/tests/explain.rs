//! What people are told about a decision.

mod support;

use engine::explain::{Outcome, Question, changes, explain};
use engine::status::SUPPORTED_FEATURES;
use support::{BASE, World, route};

fn told(world: &mut World, method: &str, url: &str, headers: &[(&str, &str)]) -> String {
    let config = world.compile().config;
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    explain(
        &config,
        &Question { method, url, headers: &headers, source: engine::authorization::Source::default() },
    )
    .unwrap()
    .to_string()
}

fn shop() -> World {
    let mut world = World::new();
    let testers = route("cart", "shop.example", "/cart").replace(
        "path: { type: PathPrefix, value: /cart }",
        "path: { type: PathPrefix, value: /cart }\n      method: GET\n      headers: [ { name: X-Tester, value: 'yes' } ]",
    );
    world.apply(BASE).apply(&testers).apply(&route("pay", "shop.example", "/pay"));
    world
}

#[test]
fn a_match_is_told_with_its_rule_its_line_and_its_endpoints() {
    let text = told(&mut shop(), "GET", "http://shop.example:8080/cart/7?x=1", &[("x-tester", "yes")]);

    assert_eq!(
        text,
        "GET http://shop.example:8080/cart/7?x=1\n  \
         port      127.0.0.1:8080 (http)\n  \
         listener  default/edge/http for *\n  \
         host      shop.example\n  \
         rule      HTTPRoute default/cart rules[0].matches[0] (in.yaml:11)\n  \
         because   path prefix `/cart`, method GET, header x-tester is `yes`\n  \
         backend   1/1 Service/default/cart:80 at 10.0.0.1:8000"
    );
}

#[test]
fn a_url_without_a_port_is_asked_where_the_gateway_listens() {
    assert!(told(&mut shop(), "GET", "http://shop.example/pay", &[]).contains("port      127.0.0.1:8080"));
}

#[test]
fn a_404_tells_what_came_nearest() {
    let mut world = shop();

    let host = told(&mut world, "GET", "http://shop.exmaple:8080/pay", &[]);
    let path = told(&mut world, "GET", "http://shop.example:8080/pya", &[]);
    let header = told(&mut world, "POST", "http://shop.example:8080/cart", &[]);

    assert!(
        host.contains("serves host `shop.exmaple`") && host.contains("did you mean `shop.example`?"),
        "{host}"
    );
    assert!(
        path.contains("no route of the host has path `/pya`") && path.contains("did you mean `/pay`?"),
        "{path}"
    );
    assert!(header.contains("fits but the method is not GET, header `x-tester` is not `yes`"), "{header}");
}

#[test]
fn a_socket_nobody_listens_on_is_told() {
    let text = told(&mut shop(), "GET", "https://shop.example:8443/", &[]);

    assert!(
        text.contains("nobody listens there") && text.contains("listening: http://127.0.0.1:8080"),
        "{text}"
    );
}

#[test]
fn an_explanation_is_data_as_well() {
    let config = shop().compile().config;
    let question = Question {
        method: "GET",
        url: "http://shop.example:8080/pay",
        headers: &[],
        source: engine::authorization::Source::default(),
    };

    let explanation = explain(&config, &question).unwrap();

    assert!(matches!(&explanation.outcome, Outcome::Rule(answer) if answer.route == "HTTPRoute default/pay"));
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["outcome"]["rule"]["action"]["forward"][0]["endpoints"][0], "10.0.0.1:8000");
}

#[test]
fn conditions_are_told_briefly_and_only_what_is_wrong_at_length() {
    let mut world = shop();
    world.remove("Service", "default/cart");

    let said = world.compile().conditions.to_string();
    let (class, rest) = said.split_once('\n').unwrap();
    assert_eq!(class, format!("ok  GatewayClass selvedge  {} features", SUPPORTED_FEATURES.len()));
    assert_eq!(
        rest,
        "ok  Gateway default/edge  1 listener, 2 attached routes\n\
         !!  HTTPRoute default/cart  1 parent\n      \
         Gateway edge: ResolvedRefs=False/BackendNotFound: no Service `default/cart` exists\n\
         !!  HTTPRoute default/pay  1 parent\n      \
         Gateway edge: ResolvedRefs=False/BackendNotFound: no Service `default/cart` exists"
    );
}

/// What a change does to requests, one line each.
fn changed(world: &mut World, change: impl FnOnce(&mut World)) -> Vec<String> {
    let before = world.compile().config;
    change(world);
    let after = world.compile().config;
    let found = changes(&before, &after);
    assert!(!found.truncated);
    let line = |change: engine::explain::Change| {
        format!("{} | {} | {}", change.request, change.before, change.after)
    };
    found.changes.into_iter().map(line).collect()
}

#[test]
fn a_change_is_told_at_the_requests_that_it_decides_anew() {
    let mut world = shop();

    let lines = changed(&mut world, |world| {
        world.apply(&route("cart-2", "shop.example", "/cart"));
        world.remove("HTTPRoute", "default/pay");
    });

    assert_eq!(
        lines,
        [
            "http://shop.example:8080/pay/* | HTTPRoute default/pay rules[0]: Service/default/cart:80 | 404, no rule matches",
            "http://shop.example:8080/cart/* | 404, no rule matches | HTTPRoute default/cart-2 rules[0]: Service/default/cart:80",
        ]
    );
}

#[test]
fn a_route_that_shadows_another_shows_up_at_what_it_takes_away() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("all", "'*.example'", "/")).apply(&route("pay", "'*.example'", "/pay"));

    let lines = changed(&mut world, |world| {
        world.apply(&route("shop", "shop.example", "/"));
    });
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].starts_with("http://shop.example:8080/* | HTTPRoute default/all rules[0]"),
        "{lines:#?}"
    );
}

#[test]
fn what_clients_cannot_notice_is_no_change() {
    let mut world = shop();
    let same = changed(&mut world, |world| {
        let moved = route("pay", "shop.example", "/pay").replace("- matches", "- name: renamed\n    matches");
        world.apply(&moved);
    });
    assert_eq!(same, [""; 0]);

    let lost = changed(&mut world, |world| {
        world.remove("EndpointSlice", "default/cart-1");
    });
    assert!(
        lost.iter().all(|line| line.ends_with("Service/default/cart:80 (503 no ready endpoint)")),
        "{lost:#?}"
    );
    assert_eq!(lost.len(), 2);
}

#[test]
fn a_gateway_that_goes_takes_its_requests_with_it() {
    let lines = changed(&mut shop(), |world| {
        world.remove("Gateway", "default/edge");
    });
    assert!(lines.iter().all(|line| line.ends_with("| nobody listens")), "{lines:#?}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn other_settings_of_the_same_rule_are_told_as_such() {
    let lines = changed(&mut shop(), |world| {
        let slower = route("pay", "shop.example", "/pay")
            .replace("    backendRefs", "    timeouts: { request: 5s }\n    backendRefs");
        world.apply(&slower);
    });
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with(", with other settings"), "{lines:#?}");
}
