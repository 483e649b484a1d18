//! What must hold for both ends whatever bytes they are given: no panic, nothing handed out that is not whole.
//!
//! Used by the replay of the fuzzing corpora and by the fuzz targets themselves, so that a finding is a test as soon
//! as its input is committed.

#![allow(dead_code, reason = "each user takes what it needs")]

use std::sync::Arc;

use discovery::messages::{Content, DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node};
use discovery::{Change, Interest, Object, ObjectName, TypeName, View, client, server};
use prost::Message as _;

/// Messages in a row: each with its length before it, in two bytes.
fn messages(mut data: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let (message, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        found.push(message);
        data = rest;
    }
    found
}

/// A proxy's end, fed by whoever claims to be a control plane.
pub fn client(data: &[u8]) {
    let types = vec![TypeName::new("Gateway"), TypeName::new("HTTPRoute")];
    let mut session = client::Session::new(Node::default(), Interest::All, types, client::Held::new(), 3);
    session.open();
    let mut epoch = session.epoch();
    for message in messages(data) {
        let Ok(response) = DeltaDiscoveryResponse::decode(message) else { continue };
        match session.receive(response) {
            Ok(None) => assert_eq!(session.epoch(), epoch, "nothing is in use before the marker"),
            Ok(Some(update)) => {
                assert!(update.epoch >= epoch, "an epoch went backwards");
                assert!(update.put.keys().all(|name| !update.removed.contains(name)));
                let answers = session.applied(&[]);
                assert!(answers.iter().all(|answer| answer.error_detail.is_none()));
                epoch = update.epoch;
                assert!(update.put.keys().all(|name| session.held().version(name).is_some()));
                assert!(update.removed.iter().all(|name| session.held().version(name).is_none()));
            }
            Err(_) => {
                session.open();
            }
        }
    }
}

/// A control plane's end, fed by whoever claims to be a proxy.
pub fn server(data: &[u8]) {
    let name = ObjectName { of: TypeName::new("Gateway"), name: "ns/edge".into() };
    let content = Content { json: b"{}".to_vec().into(), parents: Vec::new(), denies: false };
    let view = View::empty(4).next(5, vec![Change::Put(Arc::new(Object::new(name, &content)))]);
    let mut session = server::Session::new();
    session.offer(Arc::new(view));
    let mut sent = 0;
    for message in messages(data) {
        let Ok(request) = DeltaDiscoveryRequest::decode(message) else { continue };
        if session.receive(request).is_err() {
            return;
        }
        while let Some(response) = session.send() {
            sent += 1;
            assert!(!response.nonce.is_empty() && response.system_version_info == "5");
        }
        // One view, so one push: the object, if it was not stated, what was stated and is not there, and the marker.
        assert!(sent <= 1 + data.len());
    }
}
