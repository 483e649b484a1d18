//! Names of a mesh are given by the mesh: whoever else a Gateway lets sign certificates of its clients makes nobody a
//! member.

use serde_json::{Value, json};
use tests::certificates::{Authority, Pair};
use tests::client::{RawClient, get};
use tests::control::{Control, Follower};
use tests::scene::Scene;
use tests::tls::TlsClient;
use tests::upstream::Upstream;

const NAME: &str = "a.example";
const WEB: &str = "spiffe://bank.example/ns/shop/sa/web";
const PARTNER: &str = "spiffe://partner.example/ns/shop/sa/web";

/// A Gateway that verifies its clients against the roots of a mesh and against another authority, and believes both
/// to sign names of clients.
struct Door {
    mesh: Authority,
    clients: Authority,
    servers: Authority,
    control: Control,
    gateway: Follower,
    _upstream: Upstream,
}

impl Door {
    async fn new() -> Door {
        let (mesh, clients, servers) = (Authority::new(), Authority::new(), Authority::new());
        let upstream = Upstream::recording().await;
        let mut scene = Scene::new();
        scene.https(NAME, "cert");
        scene.secret("cert", &servers.pair(&[NAME]));
        scene.anchors("clients", &clients);
        scene.anchors("members", &mesh);
        scene.service("shop", &[upstream.address]);
        scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
        let anchors =
            ["clients", "members"].map(|name| json!({ "group": "", "kind": "ConfigMap", "name": name }));
        scene.tls(json!({ "frontend": { "default": { "validation": {
            "caCertificateRefs": anchors, "mode": "AllowValidOnly",
        } } } }));
        scene.policy(
            "who",
            json!({ "action": "Allow", "rules": [{ "from": [{ "identities": ["*/sa/web"] }] }] }),
        );
        let control = Control::start(&scene.yaml()).await;
        let gateway = Follower::serving(&control, &scene).await;
        Door { mesh, clients, servers, control, gateway, _upstream: upstream }
    }

    /// Says whose certificates are the mesh's.
    async fn trusts(&self, roots: &[Value]) {
        let revision = self.control.put(json!({
            "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "TrustBundle", "metadata": { "name": "default" },
            "spec": { "trustDomain": "bank.example", "roots": roots },
        }));
        self.gateway.reaches(revision.await).await;
    }

    async fn open(&self, pair: &Pair) -> RawClient {
        TlsClient::trusting(&self.servers, &["http/1.1"])
            .showing(pair)
            .connect(self.gateway.entry, NAME)
            .await
    }

    async fn status(&self, pair: &Pair) -> u16 {
        ask(&mut self.open(pair).await).await
    }
}

async fn ask(client: &mut RawClient) -> u16 {
    client.send(&get(NAME, "/", "")).await;
    client.answer().await.status
}

#[tokio::test]
async fn an_authority_of_clients_makes_nobody_a_member_of_the_mesh() {
    let door = Door::new().await;
    door.trusts(&[json!(door.mesh.pem)]).await;

    assert_eq!(door.status(&door.mesh.naming(&[WEB])).await, 200, "a member is one at a Gateway as well");
    assert_eq!(door.status(&door.clients.naming(&[WEB])).await, 403, "the mesh has not said so");
    assert_eq!(door.status(&door.clients.naming(&[PARTNER])).await, 200, "other names are not the mesh's");
}

#[tokio::test]
async fn a_connection_is_worth_no_more_than_a_new_one_when_the_roots_of_the_mesh_change() {
    let door = Door::new().await;
    let (member, client) = (door.mesh.naming(&[WEB]), door.clients.naming(&[WEB]));
    let mut connections = [door.open(&member).await, door.open(&client).await];
    for connection in &mut connections {
        assert_eq!(ask(connection).await, 200, "there is no mesh yet");
    }

    door.trusts(&[json!(door.mesh.pem)]).await;
    let [member, client] = &mut connections;
    assert_eq!((ask(member).await, ask(client).await), (200, 403));

    door.trusts(&[json!(Authority::new().pem)]).await;
    assert_eq!((ask(member).await, ask(client).await), (403, 403));
}
