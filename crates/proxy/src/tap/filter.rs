//! What somebody who watches wants to see; everything that is said must hold.

use serde_json::Value;

use crate::exchange::Exchange;
use crate::session::Session;

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    route: Option<String>,
    workload: Option<String>,
    status: Option<Status>,
    method: Option<String>,
    path: Option<String>,
    /// Whether header fields are shown, too.
    pub headers: bool,
}

/// A status, or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Exactly(u16),
    /// The hundreds.
    Class(u16),
}

impl Filter {
    /// Reads a JSON object with `route`, `workload`, `status`, `method`, `path` and `headers`, all of them optional.
    ///
    /// # Errors
    /// A sentence that says what is not understood.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(object) = value else { return Err("a filter is an object".to_owned()) };
        let mut filter = Filter::default();
        for (key, value) in object {
            let text = || value.as_str().map(str::to_owned).ok_or(format!("`{key}` is not text"));
            match key.as_str() {
                "route" => filter.route = Some(text()?),
                "workload" => filter.workload = Some(text()?),
                "status" => filter.status = Some(Status::parse(&text()?)?),
                "method" => filter.method = Some(text()?),
                "path" => filter.path = Some(text()?),
                "headers" => filter.headers = value.as_bool().ok_or("`headers` is not true or false")?,
                _ => return Err(format!("`{key}` is nothing to filter by")),
            }
        }
        Ok(filter)
    }

    /// Whether a request that has ended is wanted.
    #[must_use]
    pub fn wants_request(&self, exchange: &Exchange<'_>) -> bool {
        let view = exchange.view();
        let caller = exchange.peer.counterpart.as_ref().and_then(|caller| caller.verified.replica.as_deref());
        let called = exchange.outcome.member.as_ref().and_then(|member| member.mesh.as_ref());
        let workloads = [caller, called.map(|peer| &*peer.replica)];
        is(&self.route, exchange.rule.map(|rule| &*rule.origin.route))
            && self.is_of(workloads)
            && self.status.is_none_or(|status| status.is(exchange.outcome.status))
            && self.method.as_ref().is_none_or(|method| method.as_bytes() == view.method)
            && self.path.as_ref().is_none_or(|path| fits(path, view.path))
    }

    /// Whether a connection that has ended is wanted. It has no method, path or status.
    #[must_use]
    pub fn wants_connection(&self, session: &Session) -> bool {
        let caller = session.peer.counterpart.as_ref().and_then(|caller| caller.verified.replica.as_deref());
        let of_requests = self.status.is_some() || self.method.is_some() || self.path.is_some();
        !of_requests && is(&self.route, Some(&session.rule.origin.route)) && self.is_of([caller, None])
    }

    fn is_of(&self, workloads: [Option<&str>; 2]) -> bool {
        self.workload.is_none() || workloads.into_iter().any(|found| self.workload.as_deref() == found)
    }
}

fn is(wanted: &Option<String>, found: Option<&str>) -> bool {
    wanted.is_none() || wanted.as_deref() == found
}

/// A star at the end stands for anything.
fn fits(wanted: &str, path: &[u8]) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => path.starts_with(start.as_bytes()),
        None => path == wanted.as_bytes(),
    }
}

impl Status {
    fn parse(text: &str) -> Result<Status, String> {
        let class = text.strip_suffix("xx").map(|digit| digit.parse().map(Status::Class));
        let status = class.unwrap_or_else(|| text.parse().map(Status::Exactly));
        let is_one = |status: &Status| match status {
            Status::Class(class) => (1..=5).contains(class),
            Status::Exactly(status) => (100..=599).contains(status),
        };
        status.ok().filter(is_one).ok_or_else(|| format!("`{text}` is no status; write `404` or `5xx`"))
    }

    fn is(self, status: u16) -> bool {
        match self {
            Status::Exactly(wanted) => wanted == status,
            Status::Class(wanted) => wanted == status / 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_or_says_what_is_wrong() {
        let filter = Filter::parse(r#"{"status": "5xx", "path": "/items/*", "headers": true}"#).unwrap();

        assert_eq!(filter.status, Some(Status::Class(5)));
        assert!(filter.headers && filter.route.is_none());
        for (bad, words) in [
            ("", "EOF"),
            ("[]", "an object"),
            (r#"{"status": "6xx"}"#, "no status"),
            (r#"{"status": 500}"#, "not text"),
            (r#"{"host": "a"}"#, "nothing to filter by"),
        ] {
            assert!(Filter::parse(bad).is_err_and(|problem| problem.contains(words)), "{bad}");
        }
    }

    #[test]
    fn statuses_and_paths_fit_alone_or_in_groups() {
        assert!(Status::parse("404").is_ok_and(|status| status.is(404) && !status.is(400)));
        assert!(Status::parse("4xx").is_ok_and(|status| status.is(404) && !status.is(500)));
        assert!(fits("/items/*", b"/items/7") && !fits("/items", b"/items/7") && fits("/items", b"/items"));
    }
}
