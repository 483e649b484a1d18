//! Whatever happens between a control plane and a proxy, the proxy ends with what it should have, and was never on half
//! of an epoch.
//!
//! A model of both ends and the wire between them takes any sequence of edits, deliveries, losses and rejections. The
//! model knows every epoch there was; each update that is handed out must lead to one of them exactly, what was rejected
//! excepted, which keeps its last good version.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use discovery::client::{self, Update};
use discovery::messages::{Content, DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node};
use discovery::server::{self, Event};
use discovery::{Change, Interest, Object, ObjectName, Rejection, TypeName, Version, View};
use proptest::prelude::*;
use prost::Message as _;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// These objects are written or, where there is no content, deleted.
    Edit(Vec<(usize, Option<u8>)>),
    /// The control plane sends what it can.
    Send,
    /// So many messages reach the proxy.
    ToProxy(usize),
    /// So many messages reach the control plane.
    ToControl(usize),
    /// The connection is lost with all that is on it, and another one begins.
    Reconnect,
    /// The control plane begins anew, at the same epoch, and knows nothing of what it had sent.
    Restart,
}

const NAMES: usize = 12;
/// Content that a proxy cannot read.
const UNREADABLE: u8 = 3;

fn step() -> impl Strategy<Value = Step> {
    let content = prop_oneof![1 => Just(None), 4 => (0..=UNREADABLE).prop_map(Some)];
    prop_oneof![
        4 => proptest::collection::vec((0..NAMES, content), 1..4).prop_map(Step::Edit),
        4 => Just(Step::Send),
        4 => (1..4usize).prop_map(Step::ToProxy),
        4 => (1..4usize).prop_map(Step::ToControl),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Restart),
    ]
}

fn name(number: usize) -> ObjectName {
    let of = ["Gateway", "HTTPRoute", "Service"][number % 3];
    ObjectName { of: TypeName::new(of), name: format!("ns/n{number}").into() }
}

fn object(number: usize, content: u8) -> Arc<Object> {
    let content = Content { json: vec![content].into(), parents: Vec::new(), denies: false };
    Arc::new(Object::new(name(number), &content))
}

/// What a proxy has, or should have.
type State = BTreeMap<ObjectName, u8>;

struct Model {
    view: Arc<View>,
    /// Every epoch there was.
    history: BTreeMap<u64, State>,
    /// Good contents that each object ever had, in order.
    server: server::Session,
    client: client::Session,
    to_proxy: VecDeque<DeltaDiscoveryResponse>,
    to_control: VecDeque<DeltaDiscoveryRequest>,
    /// What the proxy has in use, its last good versions included.
    in_use: State,
    /// Objects whose present version the proxy has rejected.
    rejected: BTreeSet<ObjectName>,
    epochs_applied: Vec<u64>,
}

impl Model {
    fn new() -> Model {
        let types = ["Gateway", "HTTPRoute", "Service"].map(TypeName::new).to_vec();
        let client = client::Session::new(Node::default(), Interest::All, types, client::Held::new(), 0);
        let mut model = Model {
            view: Arc::new(View::empty(1)),
            history: [(1, State::new())].into(),
            server: server::Session::new(),
            client,
            to_proxy: VecDeque::new(),
            to_control: VecDeque::new(),
            in_use: State::new(),
            rejected: BTreeSet::new(),
            epochs_applied: Vec::new(),
        };
        model.reconnect();
        model
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Edit(edits) => self.edit(edits),
            Step::Send => self.send(),
            Step::ToProxy(count) => (0..count).for_each(|_| self.reach_proxy()),
            Step::ToControl(count) => (0..count).for_each(|_| self.reach_control()),
            Step::Reconnect => self.reconnect(),
            Step::Restart => {
                // The same objects on another line: what was shared with the old views is not known any more.
                let all = self.view.iter().cloned().map(Change::Put).collect();
                self.view = Arc::new(View::empty(self.view.epoch() - 1).next(self.view.epoch(), all));
                self.reconnect();
            }
        }
    }

    fn edit(&mut self, edits: Vec<(usize, Option<u8>)>) {
        let last: BTreeMap<usize, Option<u8>> = edits.into_iter().collect();
        let mut state = self.history[&self.view.epoch()].clone();
        let mut changes = Vec::new();
        for (number, content) in last {
            match content {
                Some(content) => {
                    state.insert(name(number), content);
                    changes.push(Change::Put(object(number, content)));
                }
                None => {
                    state.remove(&name(number));
                    changes.push(Change::Removed(name(number)));
                }
            }
        }
        let epoch = self.view.epoch() + 1;
        self.history.insert(epoch, state);
        self.view = Arc::new(self.view.next(epoch, changes));
        self.server.offer(self.view.clone());
    }

    fn send(&mut self) {
        while let Some(response) = self.server.send() {
            self.to_proxy.push_back(response);
        }
    }

    fn reach_proxy(&mut self) {
        let Some(response) = self.to_proxy.pop_front() else { return };
        let response =
            DeltaDiscoveryResponse::decode(&*response.encode_to_vec()).expect("it survives the wire");
        if let Some(update) = self.client.receive(response).expect("the control plane keeps to the protocol")
        {
            let rejections = self.apply(&update);
            self.to_control.extend(self.client.applied(&rejections));
        }
    }

    fn apply(&mut self, update: &Update) -> Vec<Rejection> {
        let mut rejections = Vec::new();
        for name in &update.removed {
            self.in_use.remove(name);
            self.rejected.remove(name);
        }
        for (name, received) in &update.put {
            let content = Content::decode(received.content.clone()).expect("our own content").json[0];
            assert_eq!(received.version, Version::of(&received.content));
            if content == UNREADABLE {
                self.rejected.insert(name.clone());
                let (object, version) = (name.clone(), received.version.clone());
                rejections.push(Rejection { object, version, problem: "unreadable".to_owned() });
            } else {
                self.rejected.remove(name);
                self.in_use.insert(name.clone(), content);
            }
        }
        self.is_whole(update.epoch);
        assert!(
            self.epochs_applied.last().is_none_or(|last| *last <= update.epoch),
            "an epoch went backwards"
        );
        self.epochs_applied.push(update.epoch);
        rejections
    }

    /// What is in use is one epoch, to the last object.
    fn is_whole(&self, epoch: u64) {
        let wanted = &self.history[&epoch];
        for (name, content) in wanted {
            match (*content, self.in_use.get(name)) {
                (UNREADABLE, last_good) => {
                    assert!(self.rejected.contains(name), "{name} was not rejected in epoch {epoch}");
                    assert_ne!(last_good, Some(&UNREADABLE));
                }
                (content, in_use) => assert_eq!(in_use, Some(&content), "{name} in epoch {epoch}"),
            }
        }
        for name in self.in_use.keys() {
            assert!(wanted.contains_key(name), "{name} is not in epoch {epoch}");
        }
        assert!(self.client.held().len() <= NAMES);
    }

    fn reach_control(&mut self) {
        let Some(request) = self.to_control.pop_front() else { return };
        let request = DeltaDiscoveryRequest::decode(&*request.encode_to_vec()).expect("it survives the wire");
        match self.server.receive(request).expect("the proxy keeps to the protocol") {
            Some(Event::Joined { interest, .. }) => {
                assert_eq!(interest, Interest::All);
                self.server.offer(self.view.clone());
            }
            Some(Event::Applied { epoch }) => assert!(self.history.contains_key(&epoch)),
            None => {}
        }
    }

    fn reconnect(&mut self) {
        self.to_proxy.clear();
        self.to_control.clear();
        self.server = server::Session::new();
        self.to_control.extend(self.client.open());
    }

    /// Lets everything that is under way arrive; how many messages that took.
    fn settle(&mut self) -> usize {
        let mut messages = 0;
        loop {
            self.send();
            if self.to_proxy.is_empty() && self.to_control.is_empty() {
                return messages;
            }
            messages += self.to_proxy.len() + self.to_control.len();
            assert!(messages < 10_000, "it does not come to rest");
            while !self.to_proxy.is_empty() {
                self.reach_proxy();
            }
            while !self.to_control.is_empty() {
                self.reach_control();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_proxy_ends_with_the_newest_epoch_and_was_on_whole_ones_only(
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.run(step);
        }

        model.settle();

        prop_assert_eq!(model.client.epoch(), model.view.epoch());
        model.is_whole(model.view.epoch());
        let rejected: BTreeSet<ObjectName> =
            model.server.rejected().map(|rejection| rejection.object.clone()).collect();
        for name in &model.rejected {
            prop_assert!(rejected.contains(name), "the control plane does not know that {} was rejected", name);
        }
        prop_assert_eq!(model.settle(), 0);
    }
}

#[test]
fn who_comes_back_with_everything_is_sent_the_marker_alone() {
    let mut model = Model::new();
    model.run(Step::Edit((0..NAMES).map(|number| (number, Some(1))).collect()));
    model.settle();

    model.reconnect();
    while !model.to_control.is_empty() {
        model.reach_control();
    }
    model.send();

    let sent: Vec<&str> = model.to_proxy.iter().map(|response| response.type_url.as_str()).collect();
    assert_eq!(sent, ["type.selvedge.dev/Epoch"]);
}

#[test]
fn edits_during_a_push_are_joined_into_the_next_one() {
    let mut model = Model::new();
    model.settle();
    model.run(Step::Edit(vec![(0, Some(1))]));
    model.send();
    model.to_proxy.iter().for_each(|response| assert_eq!(response.system_version_info, "2"));

    for content in 0..3 {
        model.run(Step::Edit(vec![(1, Some(content))]));
        model.send();
    }
    model.settle();

    assert_eq!(model.epochs_applied, [1, 2, 5]);
}

#[test]
fn what_was_rejected_is_not_sent_again_before_it_changes() {
    let mut model = Model::new();
    model.run(Step::Edit(vec![(0, Some(1)), (1, Some(UNREADABLE))]));
    model.settle();
    assert_eq!(model.server.rejected().count(), 1);

    model.run(Step::Edit(vec![(0, Some(2))]));
    model.send();
    let sent: Vec<usize> = model.to_proxy.iter().map(|response| response.resources.len()).collect();
    assert_eq!(sent, [1, 1], "one object and the marker");
    model.settle();
    assert_eq!(model.server.rejected().count(), 1);

    model.run(Step::Edit(vec![(1, Some(1))]));
    model.settle();
    assert_eq!(model.server.rejected().count(), 0);
}

#[test]
fn a_control_plane_that_is_behind_its_proxy_waits_until_it_has_caught_up() {
    let mut model = Model::new();
    model.run(Step::Edit(vec![(0, Some(1))]));
    model.settle();
    let behind = Arc::new(View::empty(1));
    let ahead = std::mem::replace(&mut model.view, behind);

    model.reconnect();
    assert_eq!(model.settle(), 4, "the proxy says what it has, and nothing comes back");
    model.server.offer(ahead.clone());
    model.view = ahead;
    model.settle();

    assert_eq!(model.epochs_applied, [2, 2]);
}

#[test]
fn what_was_rejected_and_then_put_back_while_the_connection_was_gone_is_no_longer_rejected() {
    let mut model = Model::new();
    model.run(Step::Edit(vec![(1, Some(1))]));
    model.settle();
    model.run(Step::Edit(vec![(1, Some(UNREADABLE))]));
    model.settle();
    assert_eq!(model.rejected.len(), 1);

    model.run(Step::Edit(vec![(1, Some(1))]));
    model.reconnect();
    model.settle();

    assert!(model.rejected.is_empty(), "a policy that denied because of it would deny for ever");
}

#[test]
fn a_marker_that_goes_backwards_is_refused() {
    let mut model = Model::new();
    model.run(Step::Edit(vec![(0, Some(1))]));
    model.settle();
    let marker = DeltaDiscoveryResponse {
        type_url: "type.selvedge.dev/Epoch".to_owned(),
        resources: vec![discovery::messages::Resource {
            name: server::MARKER.to_owned(),
            version: "1".to_owned(),
            resource: None,
        }],
        ..DeltaDiscoveryResponse::default()
    };

    model.client.open();
    let refused = model.client.receive(marker);

    assert_eq!(refused, Err(client::Broken::Backwards { held: 2, offered: 1 }));
}

#[test]
fn a_proxy_that_does_not_know_a_kind_hears_of_it_only_when_it_must_deny() {
    let policy = |denies| {
        let content = Content { json: vec![1].into(), parents: vec!["Service/ns/n2".to_owned()], denies };
        let called = if denies { "ns/strict" } else { "ns/loose" };
        let name = ObjectName { of: TypeName::new("NewPolicy"), name: called.into() };
        Change::Put(Arc::new(Object::new(name, &content)))
    };
    let mut model = Model::new();
    model.settle();

    model.view = Arc::new(model.view.next(2, vec![policy(true), policy(false)]));
    model.server.offer(model.view.clone());
    model.send();

    let first = &model.to_proxy[0];
    let names: Vec<&str> = first.resources.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!((first.type_url.as_str(), names), ("type.selvedge.dev/NewPolicy", vec!["ns/strict"]));
}
