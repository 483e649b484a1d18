//! In which language somebody reads.
//!
//! What they chose here counts first, then what their browser says they read (RFC 9110, section 12.5.4), then English.

use crate::words::{CHINESE, ENGLISH, Words};

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// 中文, in simplified characters.
    Chinese,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Language; 2] = [Language::English, Language::Chinese];

    /// The language of a person who chose this, or whose browser says that.
    #[must_use]
    pub fn choose(chosen: Option<&str>, accept_language: Option<&str>) -> Language {
        let chosen = chosen.and_then(Language::tagged);
        chosen.or_else(|| preferred(accept_language.unwrap_or_default())).unwrap_or_default()
    }

    /// The language of a tag such as `zh-Hans-CN`.
    #[must_use]
    pub fn tagged(tag: &str) -> Option<Language> {
        match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Some(Language::English),
            "zh" => Some(Language::Chinese),
            _ => None,
        }
    }

    /// Its tag (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
        }
    }

    /// What it calls itself.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "中文",
        }
    }

    /// Its sentences.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }
}

fn preferred(accept_language: &str) -> Option<Language> {
    let ranges = accept_language.split(',').filter_map(|range| {
        let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
        let weight =
            weight.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
        Some((Language::tagged(tag.trim())?, weight)).filter(|_| weight > 0.0)
    });
    // Of equals the first one is meant.
    ranges.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_counts_before_what_the_browser_says() {
        let browser = Some("zh-CN,zh;q=0.9,en;q=0.8");

        assert_eq!(Language::choose(None, browser), Language::Chinese);
        assert_eq!(Language::choose(Some("en"), browser), Language::English);
        assert_eq!(Language::choose(Some("klingon"), Some("fr, en;q=0.3, zh;q=0.7")), Language::Chinese);
        assert_eq!(Language::choose(None, Some("zh;q=0, fr")), Language::English);
        assert_eq!(Language::choose(None, None), Language::English);
    }
}
