//! The pages about APIs: which versions there are, and the reference of one.

use askama::Template;

use super::{Frame, Made, absent, page};
use crate::api::{Asking, Trouble};
use crate::facts::apis::{ApiVersion, Reference};
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
    let revision = facts::object(GROUP, "apirevisions", namespace, &version.revision);
    let reference = match asking.one(&revision).await {
        Ok(revision) => Reference::of(&revision, &version.base),
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => Reference::default(),
    };
    Ok(page(&OneApi { frame, version, reference }))
}
