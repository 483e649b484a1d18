//! How a version says that it will end, on every answer: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a link to
//! what takes its place (RFC 5829 section 3.5).

use std::sync::Arc;

use model::Resource;
use model::kinds::ApiVersion;
use model::kinds::HttpFilter;
use model::kinds::api_version::{ApiVersionSpec, VersionState};
use model::kinds::http_filter::{Header, HeaderModifier};
use model::units::Moment;

/// The fields as a filter; `None` for a version that says nothing.
pub(super) fn filter(spec: &ApiVersionSpec, successor: Option<&Resource>) -> Option<HttpFilter> {
    let mut set = Vec::new();
    if spec.state == VersionState::Deprecated {
        // Without a moment it is one that has passed: the field needs some date.
        let since = spec.deprecated_at().unwrap_or(Moment(0));
        set.push(header("deprecation", format!("@{}", since.0)));
    }
    if let Some(sunset) = spec.sunset() {
        set.push(header("sunset", http_date(sunset)));
    }
    let add = link(successor).map(|link| header("link", link)).into_iter().collect();
    let modifier = HeaderModifier { set, add, remove: Vec::new() };
    let says = !modifier.set.is_empty() || !modifier.add.is_empty();
    says.then_some(HttpFilter::ResponseHeaderModifier { response_header_modifier: modifier })
}

fn header(name: &str, value: String) -> Header {
    Header { name: name.into(), value: value.into() }
}

/// `</petstore/v2>; rel="successor-version"`.
pub(super) fn link(successor: Option<&Resource>) -> Option<String> {
    Some(format!("<{}>; rel=\"successor-version\"", place(successor?)?))
}

/// Where a version is called: its path, behind its host where it names one.
pub(super) fn place(version: &Resource) -> Option<String> {
    let spec = &version.content::<ApiVersion>()?.spec;
    let base = spec.base();
    let base = if base.is_empty() { "/".to_owned() } else { base };
    let host = spec.hostnames.iter().map(|host| host.as_str()).find(|host| !host.starts_with('*'));
    Some(host.map_or(base.clone(), |host| format!("//{host}{base}")))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
fn http_date(moment: Moment) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let written = moment.to_string();
    let number = |range: std::ops::Range<usize>| written.get(range).unwrap_or_default();
    let weekday = moment.0.div_euclid(86_400).rem_euclid(7);
    let weekday = usize::try_from(weekday).ok().and_then(|at| DAYS.get(at)).unwrap_or(&DAYS[0]);
    let month =
        number(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1)).unwrap_or(&MONTHS[0]);
    format!("{weekday}, {} {month} {} {} GMT", number(8..10), number(0..4), number(11..19))
}

/// A name with what people call it: for sentences.
pub(super) fn called(api: Option<&Resource>, spec: &ApiVersionSpec) -> String {
    let title = api.and_then(|api| api.content::<model::kinds::Api>()).and_then(|api| api.spec.title.clone());
    format!("{} {}", title.unwrap_or_else(|| Arc::clone(&spec.api)), spec.label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_writes_dates() {
        assert_eq!(http_date(Moment(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(Moment(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Moment(1_811_808_000)), "Tue, 01 Jun 2027 00:00:00 GMT");
    }
}
