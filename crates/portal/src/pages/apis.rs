//! The pages about APIs: which versions there are, and the reference of one.

use askama::Template;

use super::{Frame, Made, absent, page};
use crate::api::{Asking, Trouble};
use serde_json::Value;

use crate::facts::apis::{ApiVersion, Reference};
use crate::facts::servers;
use crate::facts::{self, Meta, Section, Unknown};

/// Group and version of the objects.
const GROUP: &str = "product.selvedge.dev/v1alpha1";

#[derive(Template)]
#[template(path = "apis.html")]
struct Apis {
    frame: Frame,
    versions: Section<ApiVersion>,
}

/// All versions.
pub async fn apis(frame: Frame, asking: Asking<'_>) -> Made {
    let versions = Section::read(asking, facts::API_VERSIONS, ApiVersion::of).await?;
    Ok(page(&Apis { frame, versions }))
}

#[derive(Template)]
#[template(path = "api.html")]
struct OneApi {
    frame: Frame,
    version: ApiVersion,
    servers: Vec<String>,
    reference: Reference,
}

impl OneApi {
    fn meta(&self) -> &Meta {
        &self.version.meta
    }
}

/// The reference of one.
pub async fn api(frame: Frame, asking: Asking<'_>, namespace: &str, name: &str) -> Made {
    let object = match asking.one(&facts::object(GROUP, "apiversions", namespace, name)).await {
        Ok(object) => object,
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => return Ok(absent(frame)),
    };
    let version = ApiVersion::of(&object);
    let servers = servers(asking, &object, namespace, &version).await?;
    let revision = facts::object(GROUP, "apirevisions", namespace, &version.revision);
    let reference = match asking.one(&revision).await {
        Ok(revision) => Reference::of(&revision, servers.first().map_or(&*version.base, String::as_str)),
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => Reference::default(),
    };
    Ok(page(&OneApi { frame, version, servers, reference }))
}

/// Where it is called, as far as this person may see the Gateways.
async fn servers(
    asking: Asking<'_>,
    object: &Value,
    namespace: &str,
    version: &ApiVersion,
) -> Result<Vec<String>, Unknown> {
    let parents = &object["spec"]["parentRefs"];
    let mut gateways = Vec::new();
    for parent in parents.as_array().into_iter().flatten() {
        let place = parent["namespace"].as_str().unwrap_or(namespace);
        let name = parent["name"].as_str().unwrap_or_default();
        let path = facts::object("gateway.networking.k8s.io/v1", "gateways", place, name);
        match asking.one(&path).await {
            Ok(gateway) => gateways.push(gateway),
            Err(Trouble::Unknown) => return Err(Unknown),
            Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => {}
        }
    }
    let gateways: Vec<&Value> = gateways.iter().collect();
    Ok(servers::of(&object["spec"], parents, &gateways, &version.path, "127.0.0.1"))
}
