//! The pages about routes.

use askama::Template;

use super::{Frame, Made, absent, all_routes, carried, page};
use crate::api::{Asking, Trouble};
use crate::facts::routes::Route;
use crate::facts::{self, Meta, Section, Unknown};

#[derive(Template)]
#[template(path = "routes.html")]
struct Routes {
    frame: Frame,
    routes: Section<Route>,
}

/// All of them.
pub async fn routes(frame: Frame, asking: Asking<'_>) -> Made {
    let routes = all_routes(asking).await?;
    Ok(page(&Routes { frame, routes }))
}

#[derive(Template)]
#[template(path = "route.html")]
struct OneRoute {
    frame: Frame,
    route: Route,
}

impl OneRoute {
    fn meta(&self) -> &Meta {
        &self.route.meta
    }
}

/// One of them.
pub async fn route(frame: Frame, asking: Asking<'_>, namespace: &str, name: &str) -> Made {
    let target = facts::object("gateway.networking.k8s.io/v1", "httproutes", namespace, name);
    let object = match asking.one(&target).await {
        Ok(object) => object,
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => return Ok(absent(frame)),
    };
    let route = Route::of(&object, &carried(asking).await?);
    Ok(page(&OneRoute { frame, route }))
}
