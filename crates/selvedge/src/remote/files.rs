//! The files of a command, read as resources; `-` is standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use control::files::SourceFile;
use control::sources::Sources;
use model::kinds::KindName;
use model::{Resource, Violations, yaml};

use crate::exit::Failure;

/// Reads everything. Every mistake of every file is reported at once, and then nothing is done.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Resource>, Failure> {
    let (inputs, named): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| path.as_path() == Path::new("-"));
    let mut files = match named.is_empty() {
        true => Vec::new(),
        false => {
            let named = named.into_iter().cloned().collect();
            Sources::new(named).read().map_err(Failure::refused)?
        }
    };
    if !inputs.is_empty() {
        files.push(SourceFile { name: "(standard input)".into(), text: input()?.into() });
    }
    parse(&files).map_err(Failure::refused)
}

/// Reads texts as resources, in the order in which they can be applied.
pub fn parse(files: &[SourceFile]) -> Result<Vec<Resource>, Violations> {
    let yaml::Read { mut resources, mut violations } =
        yaml::join(files.iter().map(|file| yaml::read(&file.text, &file.name)));
    if !violations.is_empty() {
        violations.sort();
        return Err(violations);
    }
    resources.sort_by_key(|resource| rank(resource.kind_name()));
    Ok(resources)
}

/// What is referred to comes before what refers to it, so that no request meets half of a change: a route is the last
/// to come and, the other way round, the first to go.
pub fn rank(kind: KindName) -> u8 {
    match kind {
        KindName::Namespace => 0,
        KindName::Secret
        | KindName::ConfigMap
        | KindName::ReferenceGrant
        | KindName::Role
        | KindName::ClusterRole => 1,
        KindName::RoleBinding
        | KindName::ClusterRoleBinding
        | KindName::AccessToken
        | KindName::JoinToken
        | KindName::TrustBundle => 2,
        KindName::Service | KindName::Pod | KindName::Backend | KindName::Mesh => 2,
        KindName::EndpointSlice
        | KindName::Workload
        | KindName::BackendTlsPolicy
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::TelemetryPolicy
        | KindName::AuthorizationPolicy => 3,
        KindName::GatewayParameters => 4,
        KindName::GatewayClass => 5,
        KindName::Gateway => 6,
        KindName::Api | KindName::ApiRevision | KindName::ApiProduct => 3,
        KindName::Plan => 4,
        KindName::ApiBinding => 6,
        KindName::HttpRoute | KindName::TcpRoute | KindName::ApiVersion => 7,
        KindName::Developer => 8,
        KindName::Team => 9,
        KindName::Application => 10,
        KindName::Subscription | KindName::Credential => 11,
    }
}

fn input() -> Result<String, Failure> {
    let mut text = String::new();
    let limit = yaml::FILE_BYTES_MAX as u64 + 1;
    match std::io::stdin().lock().take(limit).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(Failure::machine(format!("cannot read standard input: {error}"), "it must be UTF-8 text"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_first() {
        let text = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: a }
spec: {}
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: { name: a }
spec: { endpoints: [\"127.0.0.1:1\"] }
---
apiVersion: v1
kind: Namespace
metadata: { name: a }
";
        let resources = parse(&[SourceFile { name: "a.yaml".into(), text: text.into() }]).expect("sound");

        let kinds: Vec<&str> = resources.iter().map(|resource| resource.kind_name().as_str()).collect();
        assert_eq!(kinds, ["Namespace", "Backend", "HTTPRoute"]);
    }
}
