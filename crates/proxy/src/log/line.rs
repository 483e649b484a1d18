//! One line of the access log: a JSON object with fixed keys, in a fixed order.
//!
//! Everything a client chose is escaped, and bytes that are not UTF-8 are shown as U+FFFD: a log line must not be
//! able to forge another one.

use std::time::Duration;

use engine::authentication::{Place, without_parameter};
use engine::authorization::Decision;

use crate::buffer::Text;
use crate::emit::write_decimal;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::forwarded::client_address;
use crate::message::{Known, Version};
use crate::trace::write_hex;

/// The text of a second, kept because the next line is most likely of the same one.
#[derive(Debug, Default)]
pub struct Moment {
    second: u64,
    text: SecondText,
}

/// `2026-11-23T00:00:00`.
type SecondText = [u8; 19];

/// How a line ends.
pub const END: &[u8] = b"}\n";

/// Whether the query of a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// To whom may read the log.
    Shown,
    /// Secrets stand there.
    Hidden,
}

/// Appends the line of an exchange: when it began and how long it lasted first.
pub fn write(
    out: &mut Vec<u8>,
    moment: &mut Moment,
    (began, lasted): (Duration, Duration),
    exchange: &Exchange<'_>,
    query: Query,
) {
    let (head, text, outcome) = (&exchange.request.head, &exchange.request.text, &exchange.outcome);
    let view = exchange.view();
    out.extend_from_slice(b"{\"time\":\"");
    write_time(out, moment, began);
    out.extend_from_slice(b"\",\"id\":\"");
    out.extend_from_slice(exchange.request_id());
    if let Some(id) = exchange.trace.id() {
        let mut digits = [0; 32];
        write_hex(id, &mut digits);
        out.extend_from_slice(b"\",\"trace_id\":\"");
        out.extend_from_slice(&digits);
    }
    out.extend_from_slice(b"\",\"client\":\"");
    write_display(out, client_address(exchange));
    if let Some(caller) = &exchange.peer.counterpart {
        string(out, b",\"source_identity\":", caller.verified.identity.as_str().as_bytes());
        if let Some(replica) = &caller.verified.replica {
            string(out, b",\"source_workload\":", replica.as_bytes());
        }
    }
    string(out, b",\"method\":", head.method_token.of(text));
    string(out, b",\"host\":", view.host);
    string(out, b",\"path\":", view.path);
    if query == Query::Shown {
        write_query(out, exchange, view.query);
    }
    let version: &[u8] = match head.version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
        Version::Http2 => b"HTTP/2",
    };
    string(out, b",\"protocol\":", version);
    number(out, b",\"status\":", u64::from(outcome.status));
    if let Some(failure) = outcome.failure {
        string(out, b",\"failure\":", failure.facts().code.as_bytes());
    }
    write_principal(out, exchange);
    if let Some(rule) = exchange.rule {
        string(out, b",\"route\":", rule.origin.route.as_bytes());
        number(out, b",\"rule\":", u64::from(rule.origin.rule));
    }
    if let Some(peer) = outcome.member.as_ref().and_then(|endpoint| endpoint.mesh.as_ref()) {
        string(out, b",\"upstream_workload\":", peer.replica.as_bytes());
    }
    if let Some(policy) = exchange.kept_out_by {
        write_policy(out, policy);
    }
    write_heard(out, exchange);
    write_decisions(out, exchange.denied_by.as_ref(), &exchange.audits);
    write_findings(out, exchange);
    if let Some(upstream) = outcome.upstream {
        out.extend_from_slice(b",\"upstream\":\"");
        write_display(out, upstream);
        number(out, b",\"attempts\":", u64::from(outcome.attempts));
    }
    number(out, b",\"request_bytes\":", outcome.request_bytes);
    number(out, b",\"response_bytes\":", outcome.response_bytes);
    number(out, b",\"duration_us\":", lasted.as_micros() as u64);
    if let Some(agent) = view.headers.known(Known::UserAgent) {
        string(out, b",\"user_agent\":", agent);
    }
    out.extend_from_slice(END);
}

/// What authorizers have said, or why they said nothing.
fn write_heard(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    let Some(heard) = &exchange.heard else { return };
    if let Some(policy) = heard.policy {
        string(out, b",\"external_policy\":", policy.as_bytes());
    }
    if let Some(fault) = heard.fault {
        string(out, b",\"authorizer_fault\":", fault.as_bytes());
    }
}

/// The limit that has refused the request, and what was found wrong with it.
fn write_findings(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    if let Some(told) = exchange.told_rate.filter(|_| exchange.outcome.failure == Some(Failure::RateLimited))
    {
        string(out, b",\"limit_policy\":", told.limit.policy.as_bytes());
        string(out, b",\"limit\":", told.limit.name.as_bytes());
    }
    if let Some(told) =
        exchange.told_quota.filter(|_| exchange.outcome.failure == Some(Failure::QuotaExceeded))
    {
        string(out, b",\"quota\":", told.quota.name.as_bytes());
    }
    if let Some(untransformed) = &exchange.untransformed {
        let (origin, fault) = &**untransformed;
        string(out, b",\"transform\":", origin.as_bytes());
        string(out, b",\"untransformed\":", fault.to_string().as_bytes());
    }
    if let Some(findings) = &exchange.findings {
        string(out, b",\"validation\":", findings.policies.as_bytes());
        string(out, b",\"invalid\":", findings.of.as_bytes());
        number(out, b",\"violations\":", findings.count as u64);
        string(out, b",\"violation\":", findings.first.as_bytes());
    }
}

/// Who the caller was found to be, or why not.
fn write_principal(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    if let Some(name) = exchange.principal.name() {
        string(out, b",\"principal\":", name.as_bytes());
    }
    if let Some(application) = exchange.principal.application() {
        string(out, b",\"application\":", application.name.as_bytes());
    }
    if let Some(admitted) = &exchange.admitted {
        string(out, b",\"plan\":", admitted.plan.name.as_bytes());
    }
    if let Some(unadmitted) = &exchange.unadmitted {
        string(out, b",\"product\":", unadmitted.product.name.as_bytes());
        for (at, hold) in unadmitted.holds.iter().enumerate() {
            string(out, if at == 0 { b",\"held_by\":[" } else { b"," }, hold.as_str().as_bytes());
        }
        if !unadmitted.holds.is_empty() {
            out.push(b']');
        }
    }
    if let Some(why) = exchange.unproven {
        string(out, b",\"authentication\":", why.as_bytes());
    }
}

/// The query, without a credential that was found in it.
fn write_query(out: &mut Vec<u8>, exchange: &Exchange<'_>, query: Option<&[u8]>) {
    let Some(query) = query else { return };
    match exchange.concealed.place {
        Some(Place::Query(name)) => {
            let mut shown = Text::new();
            without_parameter(query, name, &mut shown);
            string(out, b",\"query\":", &shown);
        }
        Some(Place::Header(_) | Place::Cookie(_) | Place::Scheme(_)) | None => {
            string(out, b",\"query\":", query)
        }
    }
}

/// The policy that lets nobody come from there.
pub fn write_policy(out: &mut Vec<u8>, policy: &str) {
    string(out, b",\"policy\":", policy.as_bytes());
}

/// What policies said, as members of the line: the one that denied, and those that only wanted to be told.
pub fn write_decisions(out: &mut Vec<u8>, denied: Option<&Decision<'_>>, audits: &[Decision<'_>]) {
    if let Some(denied) = denied {
        decision(out, denied);
    }
    for (position, audit) in audits.iter().enumerate() {
        out.extend_from_slice(if position == 0 { b",\"audit\":[{" } else { b",{" });
        decision(out, audit);
        out.push(b'}');
    }
    if !audits.is_empty() {
        out.push(b']');
    }
}

/// What a policy said, as members of an object.
fn decision(out: &mut Vec<u8>, decision: &Decision<'_>) {
    let comma: &[u8] = if out.last() == Some(&b'{') { b"" } else { b"," };
    out.extend_from_slice(comma);
    string(out, b"\"policy\":", decision.policy.name.as_bytes());
    if let Some(rule) = decision.rule {
        string(out, b",\"policy_rule\":", rule.name.as_bytes());
    }
    if let Some(fault) = decision.fault {
        string(out, b",\"policy_fault\":", fault.code().as_bytes());
    }
}

pub(super) fn number(out: &mut Vec<u8>, key: &[u8], value: u64) {
    out.extend_from_slice(key);
    write_decimal(value, out);
}

/// Closes nothing and opens nothing: a value that was begun with a quote by the caller is ended here.
pub(super) fn write_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    let _ = write!(out, "{value}\""); // Writing to a vector cannot fail.
}

pub(super) fn string(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    out.extend_from_slice(key);
    out.push(b'"');
    let plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && *byte != b'"' && *byte != b'\\';
    if value.iter().all(plain) {
        out.extend_from_slice(value);
    } else {
        escape(out, value);
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    for chunk in value.utf8_chunks() {
        escape_text(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn escape_text(out: &mut Vec<u8>, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            // Control characters, and the C1 controls that some terminals obey.
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => {
                let code = character as usize;
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[DIGITS[code >> 4], DIGITS[code & 15]]);
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn write_time(out: &mut Vec<u8>, moment: &mut Moment, time: Duration) {
    if moment.text[0] == 0 || moment.second != time.as_secs() {
        *moment = Moment { second: time.as_secs(), text: second_text(time.as_secs()) };
    }
    out.extend_from_slice(&moment.text);
    let millis = time.subsec_millis();
    let digit = |value: u32| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
}

/// A second since the Unix epoch as date and time, by the civil calendar.
fn second_text(seconds: u64) -> SecondText {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days are counted from 1 March of year 0, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00";
    let places = [(2, year / 100), (4, year), (7, month), (10, day)];
    let times = [(13, rest / 3600), (16, rest / 60 % 60), (19, rest % 60)];
    for (end, value) in places.into_iter().chain(times) {
        text[end - 2] += (value / 10 % 10) as u8;
        text[end - 1] += (value % 10) as u8;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_by_the_civil_calendar() {
        assert_eq!(&second_text(0), b"1970-01-01T00:00:00");
        assert_eq!(&second_text(951_782_400), b"2000-02-29T00:00:00");
        assert_eq!(&second_text(1_795_392_000), b"2026-11-23T00:00:00");
        assert_eq!(&second_text(4_107_542_399), b"2100-02-28T23:59:59");
    }

    #[test]
    fn what_a_client_chose_cannot_forge_a_line() {
        let mut out = Vec::new();

        string(&mut out, b"\"path\":", b"/a\"\n{\x1b[31m\xff\\");

        let text = format!("{{{}}}", String::from_utf8(out.clone()).unwrap());
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["path"], "/a\"\n{\u{1b}[31m\u{fffd}\\");
        assert!(!out.contains(&b'\n') && !out.contains(&0x1b));
    }
}
