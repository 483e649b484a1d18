//! Promises of `examples/mesh`: one command opens a shop of three services in three languages, PostgreSQL and Redis, each
//! behind a sidecar of its own, and closes it again.

use std::net::SocketAddr;

use super::open::Opened;
use super::scene::get;
use super::sidecars::until;

/// The shop, open.
struct Shop(Opened);

impl Shop {
    /// Whether a member is told of a Service.
    fn is_told(&self, member: &str, service: &str) -> bool {
        let text = self.0.file(&format!("{member}/services.env"));
        text.contains(&format!("SHOP_{service}_"))
    }

    /// Where a member finds a Service, as its sidecar tells everybody on its machine.
    fn finds(&self, member: &str, service: &str) -> SocketAddr {
        let text = self.0.file(&format!("{member}/services.env"));
        let value = |name: &str| {
            let start = format!("SHOP_{service}_{name}=");
            text.lines().find_map(|line| line.strip_prefix(&start)).expect("a variable").to_owned()
        };
        SocketAddr::new(value("HOST").parse().expect("an address"), value("PORT").parse().expect("a port"))
    }
}

#[test]
fn one_command_opens_a_shop_in_three_languages_and_every_step_in_it_is_a_call_of_the_mesh() {
    let shop = Shop(Opened::new("mesh", "The shop is open", 0));
    let entry = shop.0.at(1, 8080);

    let (status, page) = get(entry, "GET / HTTP/1.1\r\nHost: shop.example");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("tea") && page.contains("41 in stock"), "{page}");

    // Nobody but the catalog gets at the stock, and nobody else is told where it is.
    let stock = get(shop.finds("catalog", "STOCK"), "GET /stock HTTP/1.1\r\nHost: stock").0;
    assert_eq!(stock, 200);
    until("the web to find no stock", || (!shop.is_told("web", "STOCK")).then_some(()));

    let steps = [
        ("gateway shop/edge", "shop/web"),
        ("shop/web", "shop/catalog"),
        ("shop/catalog", "shop/stock"),
        ("shop/catalog", "shop/cache"),
        ("shop/stock", "shop/database"),
    ];
    let picture = until("every step to be seen", || {
        get(entry, "GET / HTTP/1.1\r\nHost: shop.example");
        let picture = shop.0.told("mesh show");
        let is_seen = |(from, to): &(&str, &str)| {
            picture.lines().any(|line| line.starts_with(from) && line.contains("==>") && line.contains(to))
        };
        steps.iter().all(is_seen).then_some(picture)
    });
    assert!(picture.contains("mTLS Strict") && picture.contains("are refused"), "{picture}");
    assert!(picture.contains("spiffe://shop.example/ns/shop/sa/database"), "{picture}");
    assert!(shop.0.told("mesh show -o svg").starts_with("<svg"));
    let can = shop.0.told("authz can shop/web-1 GET shop/stock:/stock");
    assert!(can.starts_with("no "), "{can}");

    shop.0.close();
}
