//! The pages: what each asks of the API, and the template it is put into.
//!
//! Templates escape whatever they print; none of them prints anything raw. A part that this person may not see says
//! so in its place, and the rest of the page is there.

mod apis;
mod docs;
mod frame;
mod gateways;
mod mesh;
mod overview;
mod products;
mod proxies;
mod routes;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

pub use apis::{api, apis};
pub use docs::{Shelf, docs, docs_of};
pub use frame::{Frame, is_public};
pub use gateways::{gateway, gateways};
pub use mesh::mesh;
pub use overview::overview;
pub use products::{application, applications, product, products, used};
pub use proxies::{proxies, proxy};
pub use routes::{route, routes};

use crate::api::Asking;
use crate::facts::{self, Section, Unknown};
use crate::respond::{self, HTML};
use std::collections::HashMap;

/// A page, or word that the person in front is nobody any more.
pub type Made = Result<Response<Bytes>, Unknown>;

fn write(code: StatusCode, page: &impl Template) -> Response<Bytes> {
    match page.render() {
        Ok(text) => respond::content(code, HTML, text),
        Err(_) => {
            respond::content(StatusCode::INTERNAL_SERVER_ERROR, HTML, "<!doctype html><title>500</title>")
        }
    }
}

fn page(page: &impl Template) -> Response<Bytes> {
    write(StatusCode::OK, page)
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    frame: Frame,
    to: &'a str,
    problem: Option<&'a str>,
}

/// The only page for who is not logged in.
pub fn login(frame: Frame, to: &str, problem: Option<&str>, code: StatusCode) -> Response<Bytes> {
    write(code, &Login { frame: frame.outside(), to, problem })
}

#[derive(Template)]
#[template(path = "absent.html")]
struct Absent {
    frame: Frame,
}

/// There is nothing here.
pub fn absent(frame: Frame) -> Response<Bytes> {
    write(StatusCode::NOT_FOUND, &Absent { frame })
}

/// What routes carry, by place. Who may not know it sees routes without it.
async fn carried(asking: Asking<'_>) -> Result<HashMap<String, facts::routes::Traffic>, Unknown> {
    let traffic = Section::read(asking, facts::TRAFFIC, facts::routes::traffic).await?;
    Ok(traffic.items.into_iter().collect())
}

async fn all_routes(asking: Asking<'_>) -> Result<Section<facts::routes::Route>, Unknown> {
    let carried = carried(asking).await?;
    Section::read(asking, facts::ROUTES, |object| facts::routes::Route::of(object, &carried)).await
}
