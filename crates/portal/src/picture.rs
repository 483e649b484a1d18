//! Drawings: the Gateways with their routes and backends, and how busy routes are. Made here, as SVG within the page,
//! so that they need no script, follow the page's colours and can be read aloud.
//!
//! Only positions are computed here; the templates write them, and escape every label.

use crate::facts::gateways::Gateway;
use crate::facts::routes::Route;

/// Most routes in a picture; more than that nobody reads.
const ROUTES_MAX: usize = 24;
/// Most backends.
const BACKENDS_MAX: usize = 32;
/// Longest label in a box, in characters.
const LABEL_MAX: usize = 27;

const BOX_WIDTH: usize = 240;
const BOX_HEIGHT: usize = 40;
const ROW: usize = 54;
const COLUMN: usize = 360;

/// Gateways, routes and backends from left to right.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Width of the whole.
    pub width: usize,
    /// Height of the whole.
    pub height: usize,
    /// What is in it.
    pub nodes: Vec<Node>,
    /// What leads where, as paths (SVG 2, section 9.3).
    pub lines: Vec<String>,
    /// Routes that are not in it.
    pub rest: usize,
}

/// A box.
#[derive(Clone, Debug)]
pub struct Node {
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// What it is called, cut to fit.
    pub label: String,
    /// What it is called.
    pub full: String,
    /// The page about it; empty when there is none.
    pub page: String,
    /// `gateway`, `route` or `backend`.
    pub class: &'static str,
    /// Whether something about it is not as one hopes.
    pub is_troubled: bool,
}

impl Node {
    /// Where its label begins.
    pub fn text_x(&self) -> usize {
        self.x + 12
    }

    /// Where its label stands.
    pub fn text_y(&self) -> usize {
        self.y + 25
    }
}

impl Picture {
    /// The picture of these.
    pub fn of(gateways: &[Gateway], routes: &[Route]) -> Picture {
        let shown = in_order(gateways, routes);
        let backends = backends(&shown);
        let rows = gateways.len().max(shown.len()).max(backends.len());
        let mut picture = Picture {
            width: 2 * COLUMN + BOX_WIDTH,
            height: rows * ROW,
            rest: routes.len() - shown.len(),
            ..Picture::default()
        };
        for (number, gateway) in gateways.iter().enumerate() {
            let meta = &gateway.meta;
            let y = height_of(number, gateways.len(), rows);
            picture.add(0, y, "gateway", meta.place(), meta.page(), meta.problems() > 0);
        }
        for (number, route) in shown.iter().enumerate() {
            let y = height_of(number, shown.len(), rows);
            let meta = &route.meta;
            picture.add(COLUMN, y, "route", meta.place(), meta.page(), meta.problems() > 0);
            for (place, gateway) in gateways.iter().enumerate() {
                if is_attached(route, gateway) {
                    picture.join(0, height_of(place, gateways.len(), rows), y);
                }
            }
            for backend in route.backends() {
                if let Some(place) = backends.iter().position(|known| *known == backend) {
                    picture.join(COLUMN, y, height_of(place, backends.len(), rows));
                }
            }
        }
        for (number, backend) in backends.iter().enumerate() {
            let y = height_of(number, backends.len(), rows);
            picture.add(2 * COLUMN, y, "backend", (*backend).to_owned(), String::new(), false);
        }
        picture
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn add(
        &mut self,
        x: usize,
        y: usize,
        class: &'static str,
        full: String,
        page: String,
        is_troubled: bool,
    ) {
        self.nodes.push(Node { x, y, label: cut(&full), full, page, class, is_troubled });
    }

    /// A line from the right edge of a box to the left edge of one in the next column.
    fn join(&mut self, x: usize, from: usize, to: usize) {
        let (left, right) = (x + BOX_WIDTH, x + COLUMN);
        let middle = usize::midpoint(left, right);
        let (from, to) = (from + BOX_HEIGHT / 2, to + BOX_HEIGHT / 2);
        self.lines.push(format!("M{left} {from} C{middle} {from} {middle} {to} {right} {to}"));
    }
}

/// A column that is shorter than the longest stands in the middle.
fn height_of(number: usize, of: usize, rows: usize) -> usize {
    (rows - of) * ROW / 2 + number * ROW + (ROW - BOX_HEIGHT) / 2
}

/// Routes of one Gateway beside one another, so that fewer lines cross.
fn in_order<'r>(gateways: &[Gateway], routes: &'r [Route]) -> Vec<&'r Route> {
    let mut shown: Vec<&Route> = routes.iter().take(ROUTES_MAX).collect();
    shown.sort_by_key(|route| gateways.iter().position(|gateway| is_attached(route, gateway)));
    shown
}

fn is_attached(route: &Route, gateway: &Gateway) -> bool {
    route.parents.iter().any(|parent| parent.page() == gateway.meta.page())
}

fn backends<'r>(routes: &[&'r Route]) -> Vec<&'r str> {
    let mut all = Vec::new();
    for backend in routes.iter().flat_map(|route| route.backends()) {
        if !all.contains(&backend) && all.len() < BACKENDS_MAX {
            all.push(backend);
        }
    }
    all
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LABEL_MAX {
        return text.to_owned();
    }
    text.chars().take(LABEL_MAX - 1).chain(['…']).collect()
}

/// A bar for each route, as long as it is busy.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    /// The bars, from above.
    pub bars: Vec<Bar>,
    /// Height of the whole.
    pub height: usize,
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Upper edge.
    pub y: usize,
    /// How long it is, of 1000.
    pub length: usize,
    /// How much of it is errors, of 1000.
    pub errors: usize,
    /// The route.
    pub label: String,
    /// The page about it.
    pub page: String,
    /// How many requests a second.
    pub requests: f64,
}

const BAR_ROW: usize = 44;
const BAR_LENGTH_MAX: f64 = 1_000.0;

impl Bars {
    /// The bars of these routes, the longest first.
    pub fn of(routes: &[&Route]) -> Bars {
        let most = routes.iter().map(|route| route.traffic.requests).fold(0.0, f64::max);
        let share = |rate: f64| if most > 0.0 { (rate / most * BAR_LENGTH_MAX).ceil() as usize } else { 0 };
        let bar = |(number, route): (usize, &&Route)| Bar {
            y: number * BAR_ROW,
            length: share(route.traffic.requests),
            errors: share(route.traffic.errors.min(route.traffic.requests)),
            label: route.meta.place(),
            page: route.meta.page(),
            requests: route.traffic.requests,
        };
        Bars { bars: routes.iter().enumerate().map(bar).collect(), height: routes.len() * BAR_ROW }
    }
}

impl Bar {
    /// Where its label stands.
    pub fn text_y(&self) -> usize {
        self.y + 16
    }

    /// Where the bar itself begins.
    pub fn bar_y(&self) -> usize {
        self.y + 24
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;
    use crate::facts::routes::Traffic;

    fn gateway(name: &str) -> Gateway {
        Gateway::of(&json!({ "metadata": { "namespace": "shop", "name": name } }))
    }

    fn route(name: &str, backend: &str, requests: f64) -> Route {
        let object = json!({
            "metadata": { "namespace": "shop", "name": name },
            "spec": { "parentRefs": [{ "name": "edge" }], "rules": [{ "backendRefs": [{ "name": backend }] }] },
        });
        let traffic = Traffic { requests, errors: requests / 2.0, ..Traffic::default() };
        Route::of(&object, &HashMap::from([(format!("shop/{name}"), traffic)]))
    }

    #[test]
    fn every_gateway_route_and_backend_is_a_box_once_and_every_reference_a_line() {
        let routes = [route("one", "cart", 1.0), route("two", "cart", 1.0), route("three", "pay", 1.0)];

        let picture = Picture::of(&[gateway("edge"), gateway("other")], &routes);

        assert_eq!(picture.nodes.len(), 2 + 3 + 2);
        assert_eq!(picture.lines.len(), 3 + 3);
        assert!(picture.nodes.iter().all(|node| node.y + BOX_HEIGHT <= picture.height));
    }

    #[test]
    fn a_picture_of_thousands_stays_a_picture() {
        let routes: Vec<Route> =
            (0..5_000).map(|number| route(&number.to_string(), &number.to_string(), 0.0)).collect();

        let picture = Picture::of(&[gateway(&"long".repeat(40))], &routes);

        assert_eq!(picture.rest, 5_000 - ROUTES_MAX);
        assert!(picture.nodes.len() <= 1 + ROUTES_MAX + BACKENDS_MAX);
        assert_eq!(picture.nodes[0].label.chars().count(), LABEL_MAX);
    }

    #[test]
    fn the_busiest_bar_is_the_longest() {
        let (busy, calm) = (route("busy", "a", 100.0), route("calm", "a", 1.0));

        let bars = Bars::of(&[&busy, &calm]);

        assert_eq!((bars.bars[0].length, bars.bars[0].errors), (1_000, 500));
        assert_eq!(bars.bars[1].length, 10);
    }
}
