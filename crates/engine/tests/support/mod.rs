//! What the tests of the compiler share: resources from text, and certificates without cryptography.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use engine::config::KeyPair;
use engine::{Certificates, CompileOptions, Compiled, Compiler, PairState};
use model::kinds::Secret;
use model::resources::Typed;
use model::{ResourceKey, Resources};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A Secret is good when its `tls.crt` is the word `good`, and a text holds roots when it begins with `ca`.
#[derive(Default)]
pub struct Words {
    last_good: HashMap<ResourceKey, Arc<KeyPair>>,
    pub pairs_read: usize,
}

impl Certificates for Words {
    fn pair(&mut self, secret: Typed<'_, Secret>) -> PairState {
        self.pairs_read += 1;
        let key = &secret.resource.key;
        if secret.content.get("tls.crt").is_some_and(|text| text.starts_with(b"good")) {
            let pair = Arc::new(KeyPair {
                name: key.place().into(),
                chain: vec![CertificateDer::from(b"certificate".to_vec())],
                key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(b"hunter2".to_vec())),
            });
            self.last_good.insert(key.clone(), pair.clone());
            return PairState { usable: Some(pair), problem: None };
        }
        let problem = Some("the key does not belong to the certificate".to_owned());
        PairState { usable: self.last_good.get(key).cloned(), problem }
    }

    fn roots(&mut self, pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
        if pem.starts_with("ca") {
            return Ok(vec![CertificateDer::from(pem.as_bytes().to_vec())]);
        }
        Err("it holds no certificate".to_owned())
    }
}

/// A compiler with its certificates, on 127.0.0.1.
pub struct World {
    pub compiler: Compiler,
    pub words: Words,
    pub resources: Resources,
}

impl World {
    pub fn new() -> Self {
        let compiler = Compiler::new(CompileOptions {
            controller_name: "selvedge.dev/gateway-controller".to_owned(),
            default_binds: vec![IpAddr::from([127, 0, 0, 1])],
            perspective: engine::Perspective::Gateways,
        });
        World { compiler, words: Words::default(), resources: Resources::new() }
    }

    /// Compiles for somebody else from now on.
    pub fn see_as(&mut self, perspective: engine::Perspective) -> &mut Self {
        self.compiler = Compiler::new(CompileOptions {
            controller_name: "selvedge.dev/gateway-controller".to_owned(),
            default_binds: Vec::new(),
            perspective,
        });
        self
    }

    /// Puts in what a file holds, over what is there.
    pub fn apply(&mut self, yaml: &str) -> &mut Self {
        let read = model::yaml::read(yaml, "in.yaml");
        assert!(read.violations.is_empty(), "{}", read.violations);
        for resource in read.resources {
            self.resources.insert(resource);
        }
        self
    }

    pub fn remove(&mut self, kind: &str, place: &str) -> &mut Self {
        let found = self.resources.iter().find(|r| *r.key.kind == *kind && r.key.place() == place);
        let key = found.unwrap_or_else(|| panic!("no {kind} {place}")).key.clone();
        self.resources.remove(&key);
        self
    }

    pub fn compile(&mut self) -> Compiled {
        self.compiler.compile(&self.resources, &mut self.words)
    }
}

/// A class, a Gateway on port 8080, and a Service with one endpoint.
pub const BASE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: selvedge
  listeners:
  - { name: http, port: 8080, protocol: HTTP }
---
apiVersion: v1
kind: Service
metadata: { name: cart }
spec:
  ports:
  - { port: 80, targetPort: 8000 }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: cart-1, labels: { kubernetes.io/service-name: cart } }
addressType: IPv4
endpoints:
- { addresses: [10.0.0.1] }
ports:
- { name: '', port: 8000, protocol: TCP }
";

/// An HTTPRoute of one rule to the Service `cart`.
pub fn route(name: &str, hostname: &str, path: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: {name} }}
spec:
  parentRefs:
  - {{ name: edge }}
  hostnames: [{hostname}]
  rules:
  - matches:
    - path: {{ type: PathPrefix, value: {path} }}
    backendRefs:
    - {{ name: cart, port: 80 }}
"
    )
}
