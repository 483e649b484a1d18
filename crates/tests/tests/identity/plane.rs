//! A control plane with a Mesh, an administrator's command line, and clients that are not ours.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use discovery::TokenFile;
use identity::member::Member;
use proxy::{ControlAddress, IdentityEvent, Keeper, KeeperOptions};
use serde_json::{Value, json};
use tests::binary;
use tests::control_plane::ControlPlane;
use tests::tools::{self, Output};
use tests::until::{eventually_within, within_time};

/// How long a spec waits for what takes its time on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The control plane.
pub struct Plane {
    pub control: ControlPlane,
}

impl Plane {
    /// With a Mesh `default` of the trust domain `bank.example` whose certificates last for so long.
    pub async fn start(lifetime: &str) -> Plane {
        let plane = Plane { control: ControlPlane::start().await };
        plane.mesh(json!({ "lifetime": lifetime })).await;
        plane.bundle(|_| true).await;
        plane
    }

    /// Makes the Mesh say this about its certificates.
    pub async fn mesh(&self, certificates: Value) {
        self.apply(&json!({
            "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Mesh", "metadata": { "name": "default" },
            "spec": { "trustDomain": "bank.example", "certificates": certificates },
        }))
        .await;
    }

    /// Applies an object.
    pub async fn apply(&self, object: &Value) {
        let file = self.file("object.json", &object.to_string());
        let applied = self.run(&["apply", "--allow-unresolved", "-f", &file]).await;
        assert!(applied.success, "{}\n{}", applied.stdout, applied.stderr);
    }

    /// The TrustBundle, as soon as it is as wanted.
    pub async fn bundle(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let got = self.run(&["get", "trustbundle", "default", "-o", "json"]).await;
                match serde_json::from_str(&got.stdout) {
                    Ok(bundle) if wanted(&bundle) => return bundle,
                    Ok(_) | Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let found = within_time(PATIENCE, "the TrustBundle to be as wanted", looking).await;
        found.unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Runs `selvedge` as the administrator.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let kubeconfig = self.control.kubeconfig();
        let mut all = arguments.to_vec();
        all.extend(["--kubeconfig", kubeconfig.to_str().expect("text")]);
        tools::run(binary::selvedge(), &all).await
    }

    /// A join token for service account `cart` of namespace `shop`, made by the command line.
    pub async fn token(&self, more: &[&str]) -> TokenFile {
        self.token_of("cart", more).await
    }

    /// The same for another service account.
    pub async fn token_of(&self, account: &str, more: &[&str]) -> TokenFile {
        let mut arguments = vec!["token", "create", "--namespace", "shop", "--service-account", account];
        arguments.extend(more);
        let made = self.run(&arguments).await;
        assert!(made.success, "{}", made.stderr);
        made.stdout.parse().expect("a token file")
    }

    /// Writes a file into the folder of the test.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.control.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("text").to_owned()
    }

    /// Where it is.
    pub fn address(&self) -> ControlAddress {
        format!("https://{}", self.control.address()).parse().expect("an address")
    }

    /// What `curl` is answered that posts to a path: the code, and the document.
    pub async fn post(&self, path: &str, body: &Value, more: &[&str]) -> (u16, Value) {
        let body = self.file("body.json", &body.to_string());
        let authority = self.control.folder().join("pki/ca.crt");
        let url = format!("https://{}{path}", self.control.address());
        let data = format!("@{body}");
        let mut arguments =
            vec!["-sS", "--cacert", authority.to_str().expect("text"), "--data-binary", &data];
        arguments.extend(["-w", "\n%{http_code}", &url]);
        arguments.extend(more);
        let output = tools::run(&tools::program("curl"), &arguments).await;
        let (document, code) = output.stdout.rsplit_once('\n').unwrap_or_default();
        let code = code.parse().unwrap_or_else(|_| panic!("{} {}", output.stdout, output.stderr));
        (code, serde_json::from_str(document).unwrap_or_default())
    }

    /// Asks for a certificate with a token.
    pub async fn ask(&self, csr: &str, workload: &str, token: &str) -> (u16, Value) {
        let bearer = format!("Authorization: Bearer {token}");
        self.post(CERTIFICATES, &json!({ "csr": csr, "workload": workload }), &["-H", &bearer]).await
    }

    /// Runs `openssl`, and tells what it wrote.
    pub async fn openssl(&self, arguments: &[&str]) -> Output {
        tools::run(&tools::program("openssl"), arguments).await
    }

    /// A key and a request for it, both by `openssl`, which is told more by a configuration. Answers with the request
    /// and the file of the key.
    pub async fn request(&self, name: &str, algorithm: &[&str], extensions: &str) -> (String, String) {
        let key = self.control.folder().join(format!("{name}.key"));
        let key = key.to_str().expect("text").to_owned();
        let mut make = vec!["genpkey", "-out", &key, "-algorithm"];
        make.extend(algorithm);
        let made = self.openssl(&make).await;
        assert!(made.success, "{}", made.stderr);
        let section = if extensions.is_empty() { "" } else { "req_extensions = wanted\n" };
        let config = format!(
            "[req]\ndistinguished_name = name\nprompt = no\n{section}[name]\nCN = anybody\n[wanted]\n{extensions}\n"
        );
        let config = self.file(&format!("{name}.conf"), &config);
        let request = self.openssl(&["req", "-new", "-key", &key, "-config", &config]).await;
        assert!(request.success, "{}", request.stderr);
        (request.stdout, key)
    }
}

/// Where certificates are asked for.
pub const CERTIFICATES: &str = "/mesh.selvedge.dev/v1/certificates";
/// A key of the usual kind, as `openssl` calls it.
pub const P256: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A member that is kept one, and what happened to it.
pub struct Kept {
    pub keeper: Option<Arc<Keeper>>,
    pub member: Arc<Member>,
    events: Arc<Mutex<Vec<IdentityEvent>>>,
}

impl Kept {
    /// Starts a keeper.
    pub async fn start(options: KeeperOptions) -> Kept {
        let (member, events) = (Member::new(), Arc::<Mutex<Vec<_>>>::default());
        let (told, kept) = (Arc::clone(&events), Arc::clone(&member));
        let starting = tokio::task::spawn_blocking(move || {
            let tell = move |event| told.lock().expect("no holder panics").push(event);
            Keeper::start(options, kept, Arc::new(tell)).expect("it starts")
        });
        let keeper = Some(Arc::new(starting.await.expect("it does not panic")));
        Kept { keeper, member, events }
    }

    /// What happened so far.
    pub fn events(&self) -> Vec<IdentityEvent> {
        self.events.lock().expect("no holder panics").clone()
    }

    /// How many certificates were taken into use.
    pub fn certified(&self) -> usize {
        self.events().iter().filter(|event| matches!(event, IdentityEvent::Certified { .. })).count()
    }

    /// Waits for so many certificates.
    pub async fn has_had(&self, count: usize) {
        eventually_within(PATIENCE, &format!("{count} certificates, of {:?}", self.events()), || {
            self.certified() >= count
        })
        .await;
    }

    /// Key identifier of the issuer of the certificate in use.
    pub fn issuer(&self) -> String {
        let certificate = self.keeper.as_ref().and_then(|keeper| keeper.certificate());
        certificate.expect("a certificate is in use").issuer
    }

    /// Ends it, as a process ends.
    pub async fn stop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            tokio::task::spawn_blocking(move || drop(keeper)).await.expect("it does not panic");
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It waits for a thread, which must not be done in an asynchronous task.
        if let Some(keeper) = self.keeper.take() {
            std::thread::spawn(move || drop(keeper));
        }
    }
}

/// How `shop/cart-1` is kept a member.
pub fn cart(plane: &Plane, token: TokenFile, folder: Option<&Path>) -> KeeperOptions {
    KeeperOptions {
        controls: vec![plane.address()],
        token,
        workload: "shop/cart-1".to_owned(),
        gateway: None,
        folder: folder.map(PathBuf::from),
    }
}
