//! What it costs to compile one edit, for an instruction counter or a stopwatch outside.
//!
//! `compile_cost ROUTES HOSTS EDITS` compiles ROUTES routes over HOSTS hosts once, then edits one route and
//! compiles again, EDITS times, in [`edit`], which is never inlined. The cost of one edit is the difference
//! between two runs divided by the difference of their EDITS.

use std::net::IpAddr;
use std::process::ExitCode;

use engine::{Certificates, CompileOptions, Compiler, PairState};
use model::kinds::Secret;
use model::resources::Typed;
use model::{Resource, Resources};
use rustls_pki_types::CertificateDer;

/// Nothing here uses TLS.
struct NoCertificates;

impl Certificates for NoCertificates {
    fn pair(&mut self, _: Typed<'_, Secret>) -> PairState {
        PairState { usable: None, problem: None }
    }

    fn roots(&mut self, _: &str) -> Result<Vec<CertificateDer<'static>>, String> {
        Err("there is none".to_owned())
    }
}

fn main() -> ExitCode {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let &[routes, hosts, count] = numbers.as_slice() else {
        eprintln!("usage: compile_cost ROUTES HOSTS EDITS");
        return ExitCode::from(2);
    };
    let mut resources = Resources::new();
    read(BASE).into_iter().for_each(|resource| drop(resources.insert(resource)));
    for route in 0..routes {
        let text = route_of(route, route % hosts, "/");
        read(&text).into_iter().for_each(|resource| drop(resources.insert(resource)));
    }
    let edited = routes / 2;
    let versions = ["/new", "/old"].map(|path| read(&route_of(edited, edited % hosts, path)));
    let mut compiler = Compiler::new(CompileOptions {
        controller_name: "selvedge.dev/gateway-controller".to_owned(),
        default_binds: vec![IpAddr::from([127, 0, 0, 1])],
    });
    let mut config = compiler.compile(&resources, &mut NoCertificates).config;
    for version in versions.iter().cycle().take(count) {
        version.iter().for_each(|resource| drop(resources.insert(resource.clone())));
        config = edit(&mut compiler, &resources);
    }
    println!("epoch {}, {} clusters", config.epoch, config.clusters.len());
    ExitCode::SUCCESS
}

/// The measured part.
#[inline(never)]
fn edit(compiler: &mut Compiler, resources: &Resources) -> std::sync::Arc<engine::Config> {
    compiler.compile(resources, &mut NoCertificates).config
}

fn read(text: &str) -> Vec<Resource> {
    let read = model::yaml::read(text, "bench.yaml");
    assert!(read.violations.is_empty(), "{}", read.violations);
    read.resources
}

const BASE: &str = "
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
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: { name: upstream }
spec: { endpoints: ['127.0.0.1:9000'] }
";

fn route_of(route: usize, host: usize, path: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: route-{route:06} }}
spec:
  parentRefs: [ {{ name: edge }} ]
  hostnames: [ host-{host:06}.example ]
  rules:
  - matches: [ {{ path: {{ value: /route-{route:06}{path} }} }} ]
    backendRefs: [ {{ name: upstream, group: mesh.selvedge.dev, kind: Backend }} ]
"
    )
}
