//! Text of a length, a format or a pattern.

use super::{Look, Maker, pattern};
use crate::limits::MADE_TEXT_CHARS_MAX;
use crate::schema::{Pattern, Schema};

const WORDS: [&str; 12] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "juniper", "kestrel",
    "lagoon",
];

impl Maker<'_> {
    /// Text that keeps to the rules of all parts.
    pub fn text(&mut self, parts: &[&Schema]) -> Option<String> {
        let rules = || parts.iter().filter_map(|part| part.text.as_deref());
        let least = rules().filter_map(|rules| rules.length_min).max().unwrap_or(0);
        let most = rules().filter_map(|rules| rules.length_max).min().unwrap_or(u64::MAX);
        if least > most || least > MADE_TEXT_CHARS_MAX {
            return None;
        }
        let patterns: Vec<&Pattern> = rules().filter_map(|rules| rules.pattern.as_deref()).collect();
        if !patterns.is_empty() {
            return self.matching(&patterns, least, most);
        }
        if let Some(format) = rules().find_map(|rules| rules.format.as_deref())
            && let Some(text) = self.formatted(format)
        {
            return fits(&text, least, most).then_some(text);
        }
        Some(self.words(least, most))
    }

    fn matching(&mut self, patterns: &[&Pattern], least: u64, most: u64) -> Option<String> {
        let first = patterns.first()?.translated()?;
        (0..60).find_map(|attempt| {
            let text = pattern::text(first, &mut self.chance, least, most, attempt)?;
            let all = patterns.iter().all(|pattern| pattern.is_match(&text) == Some(true));
            (all && fits(&text, least, most)).then_some(text)
        })
    }

    fn words(&mut self, least: u64, most: u64) -> String {
        let mut text = match self.look {
            Look::Plain => "string".to_owned(),
            Look::Drawn => self.word().to_owned(),
        };
        while (text.chars().count() as u64) < least {
            text.push(' ');
            text.push_str(self.word());
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        text.chars().take(most).collect()
    }

    fn word(&mut self) -> &'static str {
        let at = usize::try_from(self.chance.below(WORDS.len() as u64)).unwrap_or(0);
        WORDS[at]
    }

    fn below(&mut self, end: u64) -> u64 {
        match self.look {
            Look::Plain => 0,
            Look::Drawn => self.chance.below(end),
        }
    }

    fn formatted(&mut self, format: &str) -> Option<String> {
        let (year, month, day) = (2020 + self.below(10), 1 + self.below(12), 1 + self.below(28));
        let (hour, minute, second) = (self.below(24), self.below(60), self.below(60));
        let word = if self.look == Look::Plain { "example" } else { self.word() };
        Some(match format {
            "date-time" => format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
            "date" => format!("{year}-{month:02}-{day:02}"),
            "time" => format!("{hour:02}:{minute:02}:{second:02}Z"),
            "duration" => format!("P{day}D"),
            "email" | "idn-email" => format!("{word}@example.com"),
            "hostname" | "idn-hostname" => format!("{word}.example.com"),
            "ipv4" => format!("192.0.2.{}", 1 + self.below(254)),
            "ipv6" => format!("2001:db8::{:x}", 1 + self.below(0xffff)),
            "uri" | "iri" | "url" => format!("https://example.com/{word}"),
            "uri-reference" | "iri-reference" => format!("/{word}"),
            "uri-template" => format!("/{word}/{{id}}"),
            "uuid" => self.uuid(),
            "byte" => base64::Engine::encode(&base64::engine::general_purpose::STANDARD, word),
            "json-pointer" => format!("/{word}"),
            "relative-json-pointer" => format!("0/{word}"),
            "regex" => format!("^{word}$"),
            _ => return None,
        })
    }

    fn uuid(&mut self) -> String {
        let (left, right) = match self.look {
            Look::Plain => (0x0b2d_6a5e_7c41_4f3a, 0x9d0e_3f6b_8a1c_2e5d),
            Look::Drawn => (self.chance.next(), self.chance.next()),
        };
        let (left, right) = (left & !0xf000 | 0x4000, right & !(3 << 62) | 2 << 62);
        let (high, low) = (left >> 32, left & 0xffff_ffff);
        format!(
            "{high:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            low >> 16,
            low & 0xffff,
            right >> 48,
            right & 0xffff_ffff_ffff
        )
    }
}

fn fits(text: &str, least: u64, most: u64) -> bool {
    let length = text.chars().count() as u64;
    (least..=most).contains(&length)
}
