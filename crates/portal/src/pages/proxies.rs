//! The pages about proxies.

use askama::Template;

use super::{Frame, Made, absent, page};
use crate::api::Asking;
use crate::facts::proxies::Proxy;
use crate::facts::{self, Section};

#[derive(Template)]
#[template(path = "proxies.html")]
struct Proxies {
    frame: Frame,
    proxies: Section<Proxy>,
}

/// All of them.
pub async fn proxies(frame: Frame, asking: Asking<'_>) -> Made {
    let proxies = Section::read(asking, facts::PROXIES, Proxy::of).await?;
    Ok(page(&Proxies { frame, proxies }))
}

#[derive(Template)]
#[template(path = "proxy.html")]
struct OneProxy {
    frame: Frame,
    proxy: Proxy,
    revision: String,
}

/// One of them.
pub async fn proxy(frame: Frame, asking: Asking<'_>, name: &str) -> Made {
    let proxies = Section::read(asking, facts::PROXIES, Proxy::of).await?;
    let revision = proxies.revision;
    match proxies.items.into_iter().find(|proxy| proxy.name == name) {
        Some(proxy) => Ok(page(&OneProxy { frame, proxy, revision })),
        None => Ok(absent(frame)),
    }
}
