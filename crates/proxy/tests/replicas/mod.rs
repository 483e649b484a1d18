//! A mesh as a sidecar is told of it: Services with replicas that it may call, as they come by the stream.

use std::net::Ipv4Addr;

use discovery::client::{Held, Received, Update};
use discovery::messages::Content;
use discovery::object::TypeName;
use discovery::{Interest, ObjectName, Version};
use engine::Config;
use prost::Message as _;
use proxy::{Replica, ServiceBlock};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the proxy beside the workload `shop/own` keeps of a mesh.
pub struct Kept {
    pub replica: Replica,
    pub held: Held,
}

impl Kept {
    /// A proxy that knows its mesh, its own workload and nobody else.
    pub fn alone() -> (Kept, Arc<Config>) {
        let interest = Interest::Workload("shop/own".into());
        let replica = Replica::new(Ipv4Addr::LOCALHOST.into(), &interest, ServiceBlock::default());
        let mut kept = Kept { replica, held: Held::new() };
        let mesh = json!({
            "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "default"},
            "spec": {"trustDomain": "bank.example"},
        });
        let config = kept.take(1, vec![object("default", &mesh), object("shop/own", &workload("own", 0, 0))]);
        (kept, config)
    }

    /// Takes in so many Services with this port, each of so many replicas.
    pub fn meet(&mut self, services: u8, replicas: u8, port: u16) -> Arc<Config> {
        let mut objects = Vec::new();
        for service in 0..services {
            let name = format!("s{service}");
            let value = json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
                "spec": {"type": "ClusterIP", "selector": {"app": name}, "ports": [{"name": "http", "port": port}]},
            });
            objects.push(object(&format!("shop/{name}"), &value));
            for replica in 0..replicas {
                let value = workload(&name, service, replica + 1);
                objects.push(object(&format!("shop/{name}-{}", replica + 1), &value));
            }
        }
        self.take(2, objects)
    }

    fn take(&mut self, epoch: u64, objects: Vec<(ObjectName, Received)>) -> Arc<Config> {
        let update = Update { epoch, put: objects.into_iter().collect(), removed: Vec::new() };
        let taken = self.replica.take(&update);
        assert!(taken.rejections.is_empty(), "{:?}", taken.rejections);
        self.held.extend(update.put.into_iter().map(|(name, received)| (name, received.version)));
        taken.config.expect("another config")
    }
}

/// A replica; the one with the number 0 is nobody's.
fn workload(app: &str, service: u8, number: u8) -> Value {
    let name = if number == 0 { app.to_owned() } else { format!("{app}-{number}") };
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": app}},
        "spec": {
            "address": format!("10.0.{service}.{number}"), "serviceAccount": app, "sidecar": {"port": 15443},
            "ports": [{"name": "http", "port": 8080, "protocol": "HTTP"}],
        },
    })
}

fn object(called: &str, value: &Value) -> (ObjectName, Received) {
    let kind = value["kind"].as_str().expect("a kind");
    let content = Content { json: value.to_string().into_bytes().into(), parents: Vec::new(), denies: false };
    let bytes = content.encode_to_vec();
    let name = ObjectName { of: TypeName::new(kind), name: called.into() };
    (name, Received { version: Version::of(&bytes), content: bytes.into() })
}
