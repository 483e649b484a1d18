//! The control plane of one process: what was accepted, and what it was compiled to.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use engine::compile::{CompileOptions, Compiler, Perspective};
use identity::Keyring;
use model::Resources;
use model::kinds::Secret;
use model::kinds::gateway_class::CONTROLLER_NAME;
use model::violation::Violations;

use crate::apply::Applier;
use crate::files::SourceFile;
use crate::snapshot::Snapshot;
use crate::sources::Sources;

/// What a control plane must know from the start.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where Gateways listen that name no address.
    pub bind: IpAddr,
}

/// Accepts changes and keeps the last good snapshot.
#[derive(Debug)]
pub struct ControlPlane {
    bind: IpAddr,
    compiler: Compiler,
    keyring: Keyring,
    applier: Applier,
    current: Arc<Snapshot>,
}

impl ControlPlane {
    /// A control plane without resources.
    #[must_use]
    pub fn new(options: Options) -> ControlPlane {
        let Options { bind } = options;
        let compile = CompileOptions {
            controller_name: CONTROLLER_NAME.to_owned(),
            default_binds: vec![bind],
            perspective: Perspective::Gateways,
        };
        let (mut compiler, mut keyring) = (Compiler::new(compile), Keyring::new());
        let compiled = compiler.compile(&Resources::new(), &mut keyring);
        let current = Arc::new(Snapshot {
            change: 0,
            resources: Resources::new(),
            config: compiled.config,
            conditions: compiled.conditions,
            shims: compiled.shims,
            bind,
        });
        ControlPlane { bind, compiler, keyring, applier: Applier::default(), current }
    }

    /// Keeps what became of each object and nothing to run on ([`Compiler::judging_only`]).
    #[must_use]
    pub fn judging_only(mut self) -> ControlPlane {
        self.compiler = self.compiler.judging_only();
        self
    }

    /// Reads files and directories and applies them.
    ///
    /// # Errors
    /// Everything that cannot be read or is not allowed; nothing has changed then.
    pub fn load(&mut self, paths: &[PathBuf]) -> Result<Arc<Snapshot>, Violations> {
        let files = Sources::new(paths.to_vec()).read()?;
        self.apply(&files)
    }

    /// Makes these files the whole of what is wanted.
    ///
    /// # Errors
    /// Everything that is not allowed; nothing has changed then.
    pub fn apply(&mut self, files: &[SourceFile]) -> Result<Arc<Snapshot>, Violations> {
        let resources = self.read(files)?;
        Ok(self.compile(resources))
    }

    /// The first half of [`ControlPlane::apply`]: what these files ask for, for [`ControlPlane::compile`].
    ///
    /// # Errors
    /// Everything that is not allowed; nothing has changed then.
    pub fn read(&mut self, files: &[SourceFile]) -> Result<Resources, Violations> {
        self.applier.apply(&self.current.resources, files)
    }

    /// The second half: compiles what was read into the next snapshot.
    pub fn compile(&mut self, resources: Resources) -> Arc<Snapshot> {
        self.forget_secrets_but_those_of(&resources);
        let compiled = self.compiler.compile(&resources, &mut self.keyring);
        self.current = Arc::new(Snapshot {
            change: self.current.change + 1,
            resources,
            config: compiled.config,
            conditions: compiled.conditions,
            shims: compiled.shims,
            bind: self.bind,
        });
        self.snapshot()
    }

    /// The last good revision.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current)
    }

    /// Certificates, for warnings about their validity.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn forget_secrets_but_those_of(&mut self, resources: &Resources) {
        self.keyring.retain(|secret| {
            secret
                .split_once('/')
                .is_some_and(|(namespace, name)| resources.find::<Secret>(namespace, name).is_some())
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use engine::config::Security;

    use super::*;

    fn plane() -> ControlPlane {
        ControlPlane::new(Options { bind: Ipv4Addr::LOCALHOST.into() })
    }

    fn file(text: &str) -> Vec<SourceFile> {
        vec![SourceFile { name: "test.yaml".into(), text: text.into() }]
    }

    const CLASS: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
";

    fn gateway(port: u16) -> String {
        format!(
            "{CLASS}apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge }}
spec:
  gatewayClassName: selvedge
  listeners: [{{ name: http, protocol: HTTP, port: {port} }}]
"
        )
    }

    /// A Gateway with TLS and the Secret it names.
    fn secured(chain: &str, key: &str) -> String {
        let indented = |pem: &str| pem.lines().map(|line| format!("\n    {line}")).collect::<String>();
        format!(
            "{CLASS}apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge }}
spec:
  gatewayClassName: selvedge
  listeners:
    - name: https
      protocol: HTTPS
      port: 8443
      tls: {{ certificateRefs: [{{ name: pair }}] }}
---
apiVersion: v1
kind: Secret
metadata: {{ name: pair }}
type: kubernetes.io/tls
stringData:
  tls.crt: |{}
  tls.key: |{}
",
            indented(chain),
            indented(key)
        )
    }

    fn shown(snapshot: &Snapshot) -> usize {
        let port = snapshot.config.ports.first().expect("a port");
        let Security::Tls(tls) = &port.security else { panic!("a port without TLS") };
        tls.hosts.iter().map(|host| host.certificates.len()).sum()
    }

    #[test]
    fn a_broken_edit_keeps_the_last_good_snapshot() {
        let mut plane = plane();
        let good = plane.apply(&file(&gateway(8080))).expect("sound");

        let refused =
            plane.apply(&file(&gateway(8081).replace("listeners", "listener"))).expect_err("a mistake");

        assert!(!refused.is_empty());
        assert!(Arc::ptr_eq(&plane.snapshot(), &good));
        assert_eq!(plane.apply(&file(&gateway(8081))).expect("sound").change, good.change + 1);
    }

    const ROUTES: &str = "---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: { name: shop }
spec: { endpoints: [ 127.0.0.1:9001 ] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: good }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ group: mesh.selvedge.dev, kind: Backend, name: shop }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: lost }
spec:
  parentRefs: [{ name: edge }, { name: nowhere }]
  rules: [{ backendRefs: [{ name: missing, port: 80 }] }]
---
apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: readers }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: good }]
  rules: [{ to: [{ methods: [GET] }] }]
";

    #[test]
    fn who_only_judges_says_the_same_of_every_object_and_of_every_edit_and_keeps_no_rule() {
        let (mut serving, mut judging) = (plane(), plane().judging_only());
        let edits = [
            gateway(8080) + ROUTES,
            gateway(8080) + &ROUTES.replace("name: missing", "name: gone"),
            gateway(8081) + &ROUTES.replace("name: nowhere", "name: elsewhere"),
            gateway(8081) + &ROUTES.replace("name: shop }\nspec", "name: shop2 }\nspec"),
            gateway(8081),
        ];

        for edit in edits {
            let served = serving.apply(&file(&edit)).expect("sound");
            let judged = judging.apply(&file(&edit)).expect("sound");

            assert_eq!(judged.conditions.to_string(), served.conditions.to_string());
            let kept = format!("{:?}", judged.config.sources);
            assert!(!kept.contains("test.yaml"), "no line of any rule is kept: {kept}");
        }
    }

    #[test]
    fn a_renewal_with_a_foreign_key_is_told_and_the_old_pair_stays_in_use() {
        let made = || rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
        let (pair, other) = (made(), made());
        let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let mut plane = plane();
        let good = plane.apply(&file(&secured(&chain, &key))).expect("sound");
        assert!(good.conditions.all_good(), "{}", good.conditions);

        let broken =
            plane.apply(&file(&secured(&chain, &other.signing_key.serialize_pem()))).expect("allowed");

        let said = broken.conditions.to_string();
        assert!(said.contains("ResolvedRefs=False/InvalidCertificateRef"), "{said}");
        assert!(said.contains("`tls.key` does not belong to the certificate in `tls.crt`"), "{said}");
        assert_eq!(shown(&broken), 1);
    }

    #[test]
    fn a_secret_that_was_never_good_shows_nothing() {
        let mut plane = plane();

        let snapshot = plane.apply(&file(&secured("no certificate", "no key"))).expect("allowed");

        assert_eq!(snapshot.config.ports.first().map_or(0, |_| shown(&snapshot)), 0);
    }

    #[test]
    fn a_certificate_that_is_over_is_shown_with_a_warning() {
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 2, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let chain = params.self_signed(&key).expect("a certificate").pem();
        let mut plane = plane();

        let snapshot = plane.apply(&file(&secured(&chain, &key.serialize_pem()))).expect("allowed");

        assert_eq!(shown(&snapshot), 1);
        let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        assert_eq!(
            plane.keyring().warnings(at),
            ["Secret default/pair: the certificate expired 220 days ago"]
        );
    }
}
