//! Which of several media types a caller takes (RFC 9110, 12.5.1).

use crate::operation::Media;

/// One range of `Accept`.
#[derive(Debug, PartialEq)]
struct Range {
    kind: String,
    subtype: String,
    /// Thousandths.
    quality: u16,
}

/// The media type to answer with and what to call it; nothing when the caller takes none of them.
pub fn choose<'o>(content: &'o [Media], accept: Option<&str>) -> Option<(&'o Media, String)> {
    let mut ranges: Vec<Range> = accept.unwrap_or("*/*").split(',').filter_map(range).collect();
    if ranges.is_empty() {
        ranges.extend(range("*/*"));
    }
    ranges.sort_by_key(|range| std::cmp::Reverse(range.quality));
    let refused: Vec<&Range> = ranges.iter().filter(|range| range.quality == 0).collect();
    let wanted = ranges.iter().filter(|range| range.quality > 0);
    wanted.into_iter().find_map(|range| {
        let mut fitting = content.iter().filter(|media| {
            let (kind, subtype) = parts(&media.range);
            fits(range, kind, subtype) && !refused.iter().any(|refused| is_named(refused, kind, subtype))
        });
        let first = fitting.clone().next()?;
        // Where anything will do, JSON is what most callers can read.
        let best = if range.subtype == "*" {
            fitting.find(|media| is_plain_json(media)).unwrap_or(first)
        } else {
            first
        };
        Some((best, concrete(best, range)))
    })
}

fn range(text: &str) -> Option<Range> {
    let mut parts = text.split(';');
    let (kind, subtype) = parts.next()?.trim().split_once('/')?;
    let quality = parts.filter_map(|part| part.trim().strip_prefix("q=")).next();
    let quality = quality.map_or(Some(1.0), |quality| quality.trim().parse::<f64>().ok())?;
    let quality = (quality.clamp(0.0, 1.0) * 1_000.0) as u16;
    Some(Range { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), quality })
}

fn parts(range: &str) -> (&str, &str) {
    let essence = range.split(';').next().unwrap_or("").trim();
    essence.split_once('/').unwrap_or((essence, "*"))
}

/// Either side may leave a part open.
fn fits(range: &Range, kind: &str, subtype: &str) -> bool {
    let same = |asked: &str, given: &str| asked == "*" || given == "*" || asked == given;
    same(&range.kind, kind) && same(&range.subtype, subtype)
}

fn is_named(range: &Range, kind: &str, subtype: &str) -> bool {
    range.kind == kind && range.subtype == subtype
}

fn is_plain_json(media: &Media) -> bool {
    parts(&media.range) == ("application", "json")
}

/// A type that can be written into the head: what is open in the description is filled from what was asked for.
fn concrete(media: &Media, range: &Range) -> String {
    match parts(&media.range) {
        (kind, subtype) if kind != "*" && subtype != "*" => media.range.to_string(),
        _ if range.kind != "*" && range.subtype != "*" => format!("{}/{}", range.kind, range.subtype),
        ("text", _) => "text/plain".to_owned(),
        _ => "application/json".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(content: &[&str], accept: Option<&str>) -> Option<String> {
        let media = |range: &&str| Media {
            range: (*range).into(),
            schema: None,
            examples: std::sync::Arc::default(),
            fields: Box::default(),
        };
        let content: Vec<Media> = content.iter().map(media).collect();
        choose(&content, accept).map(|(_, name)| name)
    }

    #[test]
    fn the_caller_and_the_description_agree_on_a_type() {
        let both = ["application/xml", "application/json"];
        for (content, accept, expected) in [
            (&both[..], None, Some("application/json")),
            (&both, Some("*/*"), Some("application/json")),
            (&both, Some("application/xml"), Some("application/xml")),
            (&both, Some("application/xml;q=0.5, application/json;q=0.9"), Some("application/json")),
            (&both, Some("application/*, application/json;q=0"), Some("application/xml")),
            (&both, Some("text/html"), None),
            (&both, Some("text/html, */*;q=0.1"), Some("application/json")),
            (&["text/*"], Some("text/csv"), Some("text/csv")),
            (&["text/*"], None, Some("text/plain")),
            (&["*/*"], None, Some("application/json")),
            (
                &["application/json; charset=utf-8"],
                Some("application/json"),
                Some("application/json; charset=utf-8"),
            ),
            (&["text/plain"], Some("garbage"), Some("text/plain")),
        ] {
            assert_eq!(chosen(content, accept).as_deref(), expected, "{content:?} {accept:?}");
        }
    }
}
