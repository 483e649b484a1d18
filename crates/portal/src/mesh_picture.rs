//! The drawing of a mesh: parties from left to right in the order in which they call one another, with lines between.
//!
//! One drawing for the console and for `selvedge mesh show -o svg`. Only positions are computed here; the template
//! writes them, and escapes every label. Whatever a colour says, a word or a kind of line says as well.

use std::collections::{BTreeMap, VecDeque};

use askama::Template;

use crate::facts::mesh::{Call, May, Mesh, Party, Role};
use crate::language::Language;
use crate::pages::Frame;

/// Most parties that are drawn: more than that nobody reads. Past it their number is told.
const PARTIES_DRAWN_MAX: usize = 60;
/// Longest label in a box, in characters.
const LABEL_MAX: usize = 26;

const BOX_WIDTH: usize = 228;
const BOX_HEIGHT: usize = 84;
const ROW: usize = 116;
const COLUMN: usize = 330;
/// Room above the highest box.
const TOP: usize = 16;
/// How far a line that leads back hangs below its boxes.
const SAG: usize = 54;
/// How far the label of a line stands above it.
const ABOVE: usize = 14;
/// Width of a character of a line's label, for the ground behind it.
const CHARACTER: usize = 7;

/// A drawing.
#[derive(Clone, Debug, Default)]
pub struct MeshPicture {
    /// Width of the whole.
    pub width: usize,
    /// Height of the whole.
    pub height: usize,
    /// Parties.
    pub nodes: Vec<Node>,
    /// Calls.
    pub lines: Vec<Line>,
    /// Parties that are not in it.
    pub rest: usize,
}

/// A box for a party.
#[derive(Clone, Debug)]
pub struct Node {
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// The party.
    pub party: Party,
}

/// A line for a call.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its path (SVG 2, section 9.3).
    pub path: String,
    /// Where its label stands in the middle.
    pub label_x: usize,
    /// See `label_x`.
    pub label_y: usize,
    /// The call.
    pub call: Call,
}

impl MeshPicture {
    /// The drawing of a mesh.
    #[must_use]
    pub fn of(mesh: &Mesh) -> MeshPicture {
        let drawn = &mesh.parties[..mesh.parties.len().min(PARTIES_DRAWN_MAX)];
        let number: BTreeMap<&str, usize> =
            drawn.iter().enumerate().map(|(number, party)| (party.name.as_str(), number)).collect();
        let calls: Vec<(usize, usize, &Call)> = mesh
            .calls
            .iter()
            .filter_map(|call| Some((*number.get(call.from.as_str())?, *number.get(call.to.as_str())?, call)))
            .collect();
        let places = places(drawn.len(), &calls);
        let columns = places.iter().map(|(column, _)| column + 1).max().unwrap_or(0);
        let rows = places.iter().map(|(_, row)| row / 2 + 1).max().unwrap_or(0);
        let leads_back = |(from, to, _): &(usize, usize, &Call)| places[*from].0 >= places[*to].0;
        let below = if calls.iter().any(leads_back) { SAG } else { TOP };
        let corner = |(column, row): (usize, usize)| (column * COLUMN, TOP + row * ROW / 2);
        MeshPicture {
            width: columns.saturating_sub(1) * COLUMN + BOX_WIDTH,
            height: TOP + rows.saturating_sub(1) * ROW + BOX_HEIGHT + below,
            nodes: drawn
                .iter()
                .zip(&places)
                .map(|(party, place)| {
                    let (x, y) = corner(*place);
                    Node { x, y, party: party.clone() }
                })
                .collect(),
            lines: calls
                .iter()
                .map(|(from, to, call)| line(corner(places[*from]), corner(places[*to]), call))
                .collect(),
            rest: mesh.parties.len() - drawn.len(),
        }
    }

    /// Whether there is nothing to see.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Column of each party, and its row in halves: a column that is shorter than the highest stands in the middle.
fn places(count: usize, calls: &[(usize, usize, &Call)]) -> Vec<(usize, usize)> {
    let columns = columns(count, calls);
    let mut by_column: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (party, column) in columns.iter().enumerate() {
        by_column.entry(*column).or_default().push(party);
    }
    let highest = by_column.values().map(Vec::len).max().unwrap_or(0);
    let mut places = vec![(0, 0); count];
    for (column, mut parties) in by_column {
        // Beside whoever calls it, so that fewer lines cross; callers have their places already.
        let height = |party: &usize| {
            let callers = calls.iter().filter(|(from, to, _)| to == party && columns[*from] < column);
            let rows: Vec<usize> = callers.map(|(from, _, _)| places[*from].1).collect();
            rows.iter().sum::<usize>() * 100 / rows.len().max(1)
        };
        parties.sort_by_key(height);
        let above = highest - parties.len();
        for (row, party) in parties.iter().enumerate() {
            places[*party] = (column, above + 2 * row);
        }
    }
    places
}

/// As many steps from the left as it takes to call a party from one that nobody calls. Where all call each other, the
/// first one begins.
fn columns(count: usize, calls: &[(usize, usize, &Call)]) -> Vec<usize> {
    let mut columns: Vec<Option<usize>> = vec![None; count];
    let is_called = |party: usize| calls.iter().any(|(from, to, _)| *to == party && *from != party);
    let mut waiting: VecDeque<usize> = (0..count).filter(|party| !is_called(*party)).collect();
    waiting.iter().for_each(|party| columns[*party] = Some(0));
    loop {
        while let Some(party) = waiting.pop_front() {
            let next = columns[party].unwrap_or(0) + 1;
            for (_, to, _) in calls.iter().filter(|(from, _, _)| *from == party) {
                if columns[*to].is_none() {
                    columns[*to] = Some(next);
                    waiting.push_back(*to);
                }
            }
        }
        let Some(party) = columns.iter().position(Option::is_none) else { break };
        columns[party] = Some(0);
        waiting.push_back(party);
    }
    columns.into_iter().map(Option::unwrap_or_default).collect()
}

/// To the right from edge to edge; to anywhere else below the boxes.
fn line(from: (usize, usize), to: (usize, usize), call: &Call) -> Line {
    let call = call.clone();
    if from.0 < to.0 {
        let (left, right) = (from.0 + BOX_WIDTH, to.0);
        let (start, end) = (from.1 + BOX_HEIGHT / 2, to.1 + BOX_HEIGHT / 2);
        let middle = usize::midpoint(left, right);
        return Line {
            path: format!("M{left} {start} C{middle} {start} {middle} {end} {right} {end}"),
            label_x: middle,
            label_y: usize::midpoint(start, end) - ABOVE,
            call,
        };
    }
    let (left, right) = (from.0 + BOX_WIDTH / 2, to.0 + BOX_WIDTH / 2 + 24);
    let (start, end) = (from.1 + BOX_HEIGHT, to.1 + BOX_HEIGHT);
    let low = start.max(end) + SAG;
    Line {
        path: format!("M{left} {start} C{left} {low} {right} {low} {right} {end}"),
        label_x: usize::midpoint(left, right),
        label_y: low - SAG / 4,
        call,
    }
}

impl Node {
    /// A line of text in the box, from above.
    pub fn text_y(&self, line: usize) -> usize {
        self.y + 22 + line * 18
    }

    /// Where text begins.
    pub fn text_x(&self) -> usize {
        self.x + 12
    }

    /// Its class in the drawing.
    pub fn class(&self) -> &'static str {
        match self.party.role {
            Role::Gateway => "gateway",
            Role::Workload => "workload",
            Role::Service => "outside",
        }
    }

    /// Its name, cut to fit.
    pub fn label(&self) -> String {
        cut(self.party.place())
    }

    /// What stands below its name, each with its height.
    pub fn facts(&self, frame: &Frame) -> Vec<(usize, String)> {
        let facts = [self.what(frame), self.asks(frame), self.certificate(frame)];
        let facts = facts.into_iter().filter(|fact| !fact.is_empty());
        (1..).map(|line| self.text_y(line)).zip(facts).collect()
    }

    /// What it is, and how many of it serve.
    fn what(&self, frame: &Frame) -> String {
        let words = frame.words;
        match self.party.role {
            Role::Service => words.mesh_outside.to_owned(),
            Role::Gateway | Role::Workload => {
                let what =
                    if self.party.role == Role::Gateway { words.mesh_gateway } else { words.mesh_workload };
                format!(
                    "{what} · {} {}/{}",
                    words.mesh_serving,
                    self.party.serving(),
                    self.party.replicas.len()
                )
            }
        }
    }

    /// What it asks of its callers.
    fn asks(&self, frame: &Frame) -> String {
        let modes = self.party.mtls();
        let mtls = if modes.is_empty() { String::new() } else { format!("mTLS {}", modes.join(", ")) };
        match (self.party.is_open, mtls.is_empty()) {
            (true, true) => frame.words.mesh_open.to_owned(),
            (true, false) => format!("{mtls} · {}", frame.words.mesh_open),
            (false, _) => mtls,
        }
    }

    /// For how long it is known by its certificate.
    fn certificate(&self, frame: &Frame) -> String {
        match self.party.first_to_end() {
            None => String::new(),
            Some(held) if held.left_seconds <= 0.0 => frame.words.mesh_ended.to_owned(),
            Some(held) => format!("{} {}", frame.words.mesh_certificate, frame.age(&held.left_seconds)),
        }
    }
}

impl Line {
    /// Its class in the drawing.
    pub fn class(&self) -> &'static str {
        match (self.call.may, self.call.is_made()) {
            (May::Nothing, _) => "refused",
            (May::Some | May::Everything, true) => "made",
            (May::Some | May::Everything, false) => "may",
        }
    }

    /// What stands at it: how much is called.
    pub fn label(&self, frame: &Frame) -> String {
        match (self.call.may, self.call.requests > 0.0, self.call.is_connected) {
            (May::Nothing, false, _) => frame.words.mesh_refused.to_owned(),
            (_, true, _) => format!("{}/{}", frame.rate(&self.call.requests), frame.words.seconds),
            (_, false, true) => frame.words.connected.to_owned(),
            (_, false, false) => String::new(),
        }
    }

    /// Left edge of the ground behind its label.
    pub fn ground_x(&self, frame: &Frame) -> usize {
        self.label_x.saturating_sub(self.ground_width(frame) / 2)
    }

    /// Width of the ground behind its label; letters of Chinese are twice as wide.
    pub fn ground_width(&self, frame: &Frame) -> usize {
        let wide = |letter: char| if letter.is_ascii() { 1 } else { 2 };
        self.label(frame).chars().map(wide).sum::<usize>() * CHARACTER + 8
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LABEL_MAX {
        return text.to_owned();
    }
    text.chars().take(LABEL_MAX - 1).chain(['…']).collect()
}

#[derive(Template)]
#[template(path = "mesh.svg", escape = "html")]
struct Standalone {
    frame: Frame,
    mesh: Mesh,
    picture: MeshPicture,
}

/// A drawing by itself, as an SVG document that is light or dark as whoever shows it is.
#[must_use]
pub fn svg(mesh: &Mesh) -> String {
    let frame = Frame::new(Language::English, "/console/mesh");
    let picture = MeshPicture::of(mesh);
    // Writing into a text cannot fail.
    Standalone { frame, mesh: mesh.clone(), picture }.render().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mesh(parties: &[&str], calls: &[(&str, &str)]) -> Mesh {
        let parties: Vec<_> =
            parties.iter().map(|name| json!({ "name": name, "role": "Workload", "replicas": [] })).collect();
        let calls: Vec<_> =
            calls.iter().map(|(from, to)| json!({ "from": from, "to": to, "may": "Some" })).collect();
        Mesh::of(
            &json!({ "metadata": { "name": "default" }, "status": { "parties": parties, "calls": calls } }),
        )
    }

    fn column(picture: &MeshPicture, name: &str) -> usize {
        picture.nodes.iter().find(|node| node.party.name == name).expect("a box").x / COLUMN
    }

    #[test]
    fn who_is_called_stands_to_the_right_of_who_calls() {
        let picture = MeshPicture::of(&mesh(
            &["db", "cart", "web", "lonely"],
            &[("web", "cart"), ("cart", "db"), ("db", "web")],
        ));

        assert_eq!((column(&picture, "lonely"), picture.lines.len()), (0, 3));
        let order = ["db", "web", "cart"].map(|name| column(&picture, name));
        assert_eq!(order, [0, 1, 2], "in a circle the first begins");
    }

    #[test]
    fn no_two_boxes_share_a_place_and_all_are_within_the_drawing() {
        let names: Vec<String> = (0..40).map(|number| format!("shop/{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let calls: Vec<(&str, &str)> = names.iter().skip(1).map(|name| (names[0], *name)).collect();

        let picture = MeshPicture::of(&mesh(&names, &calls));

        let mut corners: Vec<_> = picture.nodes.iter().map(|node| (node.x, node.y)).collect();
        corners.sort_unstable();
        corners.dedup();
        assert_eq!(corners.len(), 40);
        assert!(
            corners.iter().all(|(x, y)| x + BOX_WIDTH <= picture.width && y + BOX_HEIGHT <= picture.height)
        );
    }

    #[test]
    fn a_drawing_of_thousands_stays_a_drawing_and_says_what_it_left_out() {
        let names: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();

        let picture = MeshPicture::of(&mesh(&names, &[]));

        assert_eq!((picture.nodes.len(), picture.rest), (PARTIES_DRAWN_MAX, 5_000 - PARTIES_DRAWN_MAX));
    }

    #[test]
    fn a_document_by_itself_is_well_formed_and_no_name_becomes_markup() {
        let document = svg(&mesh(&["<script>", "b"], &[("<script>", "b")]));

        assert!(document.starts_with("<svg xmlns=") && document.trim_end().ends_with("</svg>"), "{document}");
        assert!(document.contains("&#60;script&#62;") && !document.contains("<script>"), "{document}");
        assert!(document.contains("prefers-color-scheme: dark"));
    }
}
