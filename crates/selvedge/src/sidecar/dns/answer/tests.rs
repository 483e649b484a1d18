use std::net::Ipv4Addr;

use super::super::super::names::tests::shop;
use super::*;

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    message
}

fn answered(name: &str, kind: RecordType) -> Message {
    match decide(&question(name, kind), &shop(), true) {
        Outcome::Answer(message) => *message,
        Outcome::Forward => panic!("{name} was forwarded"),
    }
}

fn addresses(message: &Message) -> Vec<Ipv4Addr> {
    let of = |record: &Record| match &record.data {
        RData::A(A(address)) => Some(*address),
        _ => None,
    };
    message.answers.iter().filter_map(of).collect()
}

#[test]
fn a_service_has_its_virtual_address_under_each_of_its_names() {
    let cart = Ipv4Addr::new(127, 128, 7, 1);
    for name in [
        "cart.shop.svc.bank.example.",
        "CART.Shop.svc.bank.example.",
        "cart.shop.svc.",
        "cart.shop.",
        "cart.",
    ] {
        let message = answered(name, RecordType::A);
        assert_eq!(addresses(&message), [cart], "{name}");
        assert!(message.metadata.authoritative);
        assert_eq!(
            message.answers[0].name,
            Name::from_ascii(name).expect("a name"),
            "the owner is what was asked"
        );
    }
    assert_eq!(addresses(&answered("postgres.data.", RecordType::A)), [Ipv4Addr::new(127, 130, 4, 9)]);
}

#[test]
fn there_is_no_ipv6_and_that_is_no_error() {
    for name in ["cart.shop.svc.bank.example.", "cart."] {
        let message = answered(name, RecordType::AAAA);
        assert_eq!(message.metadata.response_code, ResponseCode::NoError);
        assert!(message.answers.is_empty());
        assert_eq!(message.authorities[0].record_type(), RecordType::SOA, "{name}");
        assert!(message.authorities[0].name.zone_of(&message.queries[0].name), "{name}");
    }
}

#[test]
fn what_is_not_in_our_zone_of_names_is_never_asked_of_strangers() {
    for name in [
        "gone.shop.svc.bank.example.",
        "x.cart.shop.svc.bank.example.",
        "cart.nowhere.svc.bank.example.",
        "nowhere.svc.bank.example.",
    ] {
        let message = answered(name, RecordType::A);
        assert_eq!(message.metadata.response_code, ResponseCode::NXDomain, "{name}");
        assert_eq!(message.authorities[0].ttl, TTL_SECONDS);
    }
    let namespace = answered("shop.svc.bank.example.", RecordType::A);
    assert_eq!(namespace.metadata.response_code, ResponseCode::NoError);
}

#[test]
fn what_is_not_ours_is_asked_of_others_or_refused() {
    for name in ["example.com.", "gone.shop.", "postgres.", "bank.example.", "web.bank.example.", "."] {
        let asked = question(name, RecordType::A);
        assert_eq!(decide(&asked, &shop(), true), Outcome::Forward, "{name}");
        let Outcome::Answer(message) = decide(&asked, &shop(), false) else { panic!("{name} was forwarded") };
        assert_eq!(message.metadata.response_code, ResponseCode::Refused);
    }
}

#[test]
fn ports_are_found_by_name_and_all_at_once() {
    let ports = |message: &Message| -> Vec<u16> {
        let of = |record: &Record| match &record.data {
            RData::SRV(srv) => Some(srv.port),
            _ => None,
        };
        message.answers.iter().filter_map(of).collect()
    };
    let one = answered("_admin-api._tcp.cart.shop.svc.bank.example.", RecordType::SRV);
    assert_eq!(ports(&one), [9090]);
    assert_eq!(one.additionals.len(), 1, "the address of the target comes along");
    assert_eq!(ports(&answered("cart.shop.", RecordType::SRV)), [8080, 9090]);
    for none in ["_no._tcp.cart.shop.svc.bank.example.", "_http._udp.cart.shop.svc.bank.example."] {
        assert_eq!(answered(none, RecordType::SRV).metadata.response_code, ResponseCode::NXDomain);
    }
}

#[test]
fn what_cannot_be_answered_says_why() {
    let mut update = question("cart.", RecordType::A);
    update.metadata.op_code = OpCode::Update;
    let mut two = question("cart.", RecordType::A);
    two.add_query(two.queries[0].clone());
    let mut newer = question("cart.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_version(1);
    newer.set_edns(edns);
    for (asked, code) in
        [(update, ResponseCode::NotImp), (two, ResponseCode::FormErr), (newer, ResponseCode::BADVERS)]
    {
        let Outcome::Answer(message) = decide(&asked, &shop(), true) else { panic!("it was forwarded") };
        assert_eq!(message.metadata.response_code, code);
        assert_eq!(message.metadata.id, asked.metadata.id);
    }
    assert_eq!(unreadable(&[0; 11]), None);
    assert_eq!(unreadable(&[1, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "an answer is not answered");
    let told = unreadable(&[1, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0]).expect("an answer");
    assert_eq!((told.metadata.id, told.metadata.response_code), (0x0102, ResponseCode::FormErr));
}
