//! Certificates and roots change under traffic, and no request notices (threats E10, E11).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use std::sync::Arc;

use identity::Member;

use crate::issuer::{Authority, dns, expires_in_seconds, id, trusted, uri};
use crate::pair::{Client, Pair, Plan, until};

/// Clients that ask until they are told to stop, each on a connection of its own.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<u32>>,
}

impl Load {
    fn on(pair: &Pair) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = |_| {
            let (stop, address) = (stop.clone(), pair.gateway.address);
            std::thread::spawn(move || {
                let (mut client, mut count) = (Client::of(address), 0);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    count += 1;
                }
                count
            })
        };
        let clients = (0..4).map(ask).collect();
        Load { stop, clients }
    }

    /// How often was asked; every answer was 200.
    fn end(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("only good answers")).sum()
    }
}

fn handshakes(pair: &Pair) -> u64 {
    pair.sidecar.count("selvedge_tls_handshakes_total", "")
}

#[test]
fn a_renewed_certificate_is_shown_at_once_and_costs_no_request() {
    let pair = Pair::start();
    let load = Load::on(&pair);

    for _ in 0..5 {
        let before = handshakes(&pair);
        pair.gateway.member.renew(pair.authority.issue("web", "web-1").svid());
        pair.sidecar.member.renew(pair.authority.issue("cart", "cart-1").svid());
        until("kept connections give way to new ones", || handshakes(&pair) > before);
    }

    assert!(load.end() > 0);
    assert_eq!(pair.gateway.count("selvedge_failures_total", ""), 0);
}

#[test]
fn roots_are_replaced_under_traffic_while_their_bundles_overlap() {
    let old = Authority::new();
    let new = Authority::new();
    let (web, cart) = (old.member("web", "web-1"), old.member("cart", "cart-1"));
    let pair = Pair::with(Plan { members: Some((web.clone(), cart.clone())), ..Plan::default() });
    let load = Load::on(&pair);
    let both = |member: &Member| member.trust(|_| trusted(&[&new, &old]));
    let only = |member: &Member| member.trust(|_| new.trusted());

    both(&web);
    both(&cart);
    cart.renew(new.issue("cart", "cart-1").svid());
    let before = handshakes(&pair);
    web.renew(new.issue("web", "web-1").svid());
    until("kept connections give way to new ones", || handshakes(&pair) >= before + 4);
    only(&cart);
    only(&web);
    let before = pair.sidecar.count("selvedge_requests_total", "");
    until("traffic goes on", || pair.sidecar.count("selvedge_requests_total", "") > before + 100);

    assert!(load.end() > 0);
    assert_eq!(pair.gateway.count("selvedge_failures_total", ""), 0);
}

#[test]
fn connections_end_when_their_root_is_no_longer_believed() {
    let pair = Pair::start();
    let mut client = Client::of(pair.gateway.address);
    assert_eq!(client.get().status, 200);
    assert_eq!(pair.sidecar.count("selvedge_connections_open", ""), 1);

    pair.sidecar.member.trust(|_| Authority::new().trusted());

    until("the connection is closed", || pair.sidecar.count("selvedge_connections_open", "") == 0);
    assert_eq!(client.get().status, 502);
}

#[test]
fn connections_that_we_opened_end_as_well() {
    let pair = Pair::start();
    let mut client = Client::of(pair.gateway.address);
    assert_eq!(client.get().status, 200);

    pair.gateway.member.trust(|_| Authority::new().trusted());

    until("the connection is closed", || pair.sidecar.count("selvedge_connections_open", "") == 0);
    assert_eq!(client.get().status, 502);
}

#[test]
fn a_proxy_whose_own_certificate_has_expired_fails_closed_on_both_sides() {
    let authority = Authority::new();
    let brief = |account, workload| {
        let names = [uri(&id(account)), dns(&format!("{workload}.shop.bank.example"))];
        Member::with(authority.issue_with(&names, expires_in_seconds(4)).svid(), authority.trusted())
    };
    for brief_is_caller in [true, false] {
        let members = match brief_is_caller {
            true => (brief("web", "web-1"), authority.member("cart", "cart-1")),
            false => (authority.member("web", "web-1"), brief("cart", "cart-1")),
        };
        let pair = Pair::with(Plan { members: Some(members), ..Plan::default() });
        let mut client = Client::of(pair.gateway.address);
        assert_eq!(client.get().status, 200);

        until("the connection is closed", || pair.sidecar.count("selvedge_connections_open", "") == 0);
        let refused = if brief_is_caller { 503 } else { 502 };
        assert_eq!(client.get().status, refused);
        let side = if brief_is_caller { &pair.gateway } else { &pair.sidecar };
        side.await_failure("identity_missing");

        side.member.renew(match brief_is_caller {
            true => authority.issue("web", "web-1").svid(),
            false => authority.issue("cart", "cart-1").svid(),
        });
        assert_eq!(client.get().status, 200);
    }
}
