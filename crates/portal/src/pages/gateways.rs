//! The pages about Gateways.

use askama::Template;

use super::{Frame, Made, absent, all_routes, page};
use crate::api::{Asking, Trouble};
use crate::facts::gateways::Gateway;
use crate::facts::routes::Route;
use crate::facts::{self, Lack, Meta, Section, Unknown};
use crate::picture::Picture;

#[derive(Template)]
#[template(path = "gateways.html")]
struct Gateways {
    frame: Frame,
    gateways: Section<Gateway>,
}

/// All of them.
pub async fn gateways(frame: Frame, asking: Asking<'_>) -> Made {
    let gateways = Section::read(asking, facts::GATEWAYS, Gateway::of).await?;
    Ok(page(&Gateways { frame, gateways }))
}

#[derive(Template)]
#[template(path = "gateway.html")]
struct OneGateway {
    frame: Frame,
    gateway: Gateway,
    routes: Vec<Route>,
    lack: Option<Lack>,
    picture: Picture,
}

impl OneGateway {
    fn meta(&self) -> &Meta {
        &self.gateway.meta
    }
}

/// One of them.
pub async fn gateway(frame: Frame, asking: Asking<'_>, namespace: &str, name: &str) -> Made {
    let target = facts::object("gateway.networking.k8s.io/v1", "gateways", namespace, name);
    let gateway = match asking.one(&target).await {
        Ok(object) => Gateway::of(&object),
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => return Ok(absent(frame)),
    };
    let Section { items: mut routes, lack, revision: _ } = all_routes(asking).await?;
    routes.retain(|route| {
        route
            .parents
            .iter()
            .any(|parent| parent.kind == "Gateway" && parent.namespace == namespace && parent.name == name)
    });
    let picture = Picture::of(std::slice::from_ref(&gateway), &routes);
    Ok(page(&OneGateway { frame, gateway, routes, lack, picture }))
}
