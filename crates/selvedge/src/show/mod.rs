//! How results look: tables, YAML, differences, conditions. Pure text in, text out; `output` writes it.

pub mod conditions;
pub mod difference;
pub mod form;
pub mod jsonpath;
pub mod spoken;
pub mod table;

/// `3 routes`, `1 route`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    if count == 1 { format!("1 {noun}") } else { format!("{count} {plural}") }
}

/// A duration in the largest unit that says enough: `12s`, `5m`, `3h`, `8d`.
#[must_use]
pub fn age(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..=119 => format!("{whole}s"),
        120..=7199 => format!("{}m", whole / 60),
        7200..=172_799 => format!("{}h", whole / 3600),
        _ => format!("{}d", whole / 86_400),
    }
}

/// What servers say must not forge lines or colours of a terminal.
#[must_use]
pub fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.chars().flat_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_counts_read_well() {
        assert_eq!([59.9, 120.0, 7200.0, 200_000.0, -1.0].map(age), ["59s", "2m", "2h", "2d", "0s"]);
        assert_eq!(counted(1, "proxy"), "1 proxy");
        assert_eq!(counted(2, "proxy"), "2 proxies");
        assert_eq!(counted(0, "gateway"), "0 gateways");
    }
}
