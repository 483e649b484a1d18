//! The first page: how the control plane is, what is wrong, what is busy, and how it all hangs together.

use askama::Template;

use super::{Frame, Made, all_routes, page};
use crate::api::{Asking, Trouble};
use crate::facts::conditions::Condition;
use crate::facts::gateways::Gateway;
use crate::facts::plane::Plane;
use crate::facts::proxies::Proxy;
use crate::facts::routes::Route;
use crate::facts::{self, Lack, Meta, Section, Unknown};
use crate::picture::{Bars, Picture};

/// Routes in the chart.
const BUSY_SHOWN: usize = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    plane: Option<Plane>,
    lacks: Vec<Lack>,
    troubled: Vec<Meta>,
    proxies: Vec<Proxy>,
    requests: f64,
    errors: f64,
    bars: Bars,
    picture: Picture,
}

/// The first page.
pub async fn overview(frame: Frame, asking: Asking<'_>) -> Made {
    let plane = match asking.one(facts::PLANE).await {
        Ok(object) => Some(Plane::of(&object)),
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => None,
    };
    let gateways = Section::read(asking, facts::GATEWAYS, Gateway::of).await?;
    let routes = all_routes(asking).await?;
    let proxies = Section::read(asking, facts::PROXIES, Proxy::of).await?;
    let mut judged: Vec<Meta> = gateways.items.iter().map(|gateway| gateway.meta.clone()).collect();
    judged.extend(routes.items.iter().map(|route| route.meta.clone()));
    let mut lacks: Vec<Lack> = [gateways.lack, routes.lack, proxies.lack].into_iter().flatten().collect();
    for path in facts::JUDGED {
        let others = Section::read(asking, path, |object| Meta::of(&kind_of(path), object)).await?;
        judged.extend(others.items);
        lacks.extend(others.lack);
    }
    lacks.dedup();
    judged.retain(|object| object.problems() > 0);
    Ok(page(&Overview {
        plane,
        lacks,
        troubled: judged,
        proxies: proxies.items.into_iter().filter(needs_a_look).collect(),
        requests: routes.items.iter().map(|route| route.traffic.requests).sum(),
        errors: routes.items.iter().map(|route| route.traffic.errors).sum(),
        bars: Bars::of(&busiest(&routes.items)),
        picture: Picture::of(&gateways.items, &routes.items),
        frame,
    }))
}

/// Lists need not say the kind of what is in them.
fn kind_of(path: &str) -> String {
    match path.rsplit('/').next().unwrap_or_default() {
        "gatewayclasses" => "GatewayClass",
        "backendtlspolicies" => "BackendTLSPolicy",
        "resiliencepolicies" => "ResiliencePolicy",
        "faultpolicies" => "FaultPolicy",
        "transformpolicies" => "TransformPolicy",
        "ratelimitpolicies" => "RateLimitPolicy",
        "ippolicies" => "IpPolicy",
        "corspolicies" => "CorsPolicy",
        "validationpolicies" => "ValidationPolicy",
        "authenticationpolicies" => "AuthenticationPolicy",
        "externalauthorizationpolicies" => "ExternalAuthorizationPolicy",
        "telemetrypolicies" => "TelemetryPolicy",
        "authorizationpolicies" => "AuthorizationPolicy",
        _ => "Backend",
    }
    .to_owned()
}

fn needs_a_look(proxy: &Proxy) -> bool {
    !proxy.is_connected || proxy.is_from_cache || proxy.behind_seconds > 0.0 || proxy.problems() > 0
}

fn busiest(routes: &[Route]) -> Vec<&Route> {
    let mut busy: Vec<&Route> = routes.iter().filter(|route| route.traffic.is_any()).collect();
    busy.sort_by(|one, other| other.traffic.requests.total_cmp(&one.traffic.requests));
    busy.truncate(BUSY_SHOWN);
    busy
}

impl Overview {
    fn rows(&self) -> Vec<(&Meta, &Condition)> {
        self.troubled.iter().flat_map(|meta| meta.trouble().into_iter().map(move |one| (meta, one))).collect()
    }
}
