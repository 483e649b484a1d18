//! What is around every page, and how numbers look in it.

use crate::facts::Lack;
use crate::language::Language;
use crate::words::Words;

/// What is around a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its language.
    pub language: Language,
    /// The sentences of the language.
    pub words: &'static Words,
    /// Where it is.
    pub path: String,
    /// Whether somebody is logged in.
    pub is_inside: bool,
}

/// Whether a path is that of a page for everybody.
pub fn is_public(path: &str) -> bool {
    path == "/docs" || path.starts_with("/docs/")
}

/// A link of the menu.
#[derive(Debug)]
pub struct Link {
    /// Where to.
    pub path: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// Whether the page belongs to it.
    pub is_here: bool,
}

impl Frame {
    /// The frame of a page of somebody who is logged in.
    pub fn new(language: Language, path: &str) -> Frame {
        Frame { language, words: language.words(), path: path.to_owned(), is_inside: true }
    }

    /// The same for somebody who is not.
    pub fn outside(mut self) -> Frame {
        self.is_inside = false;
        self
    }

    /// Whether the page is for everybody.
    pub fn is_public(&self) -> bool {
        is_public(&self.path)
    }

    /// The first page of those that it belongs to.
    pub fn home(&self) -> &'static str {
        if self.is_public() { "/docs" } else { "/console" }
    }

    /// What those pages are called together.
    pub fn subtitle(&self) -> &'static str {
        if self.is_public() { self.words.docs } else { self.words.console }
    }

    /// The menu.
    pub fn menu(&self) -> Vec<Link> {
        let words = self.words;
        let sections = [
            ("/console", words.overview),
            ("/console/gateways", words.gateways),
            ("/console/routes", words.routes),
            ("/console/apis", words.apis),
            ("/console/products", words.products),
            ("/console/applications", words.applications),
            ("/console/usage", words.usage),
            ("/console/proxies", words.proxies),
            ("/console/mesh", words.mesh),
        ];
        let is_here = |path: &str| self.path == path || (path != "/console" && self.path.starts_with(path));
        sections.map(|(path, name)| Link { path, name, is_here: is_here(path) }).into()
    }

    /// The languages that it could be in instead.
    pub fn others(&self) -> impl Iterator<Item = Language> {
        let own = self.language;
        Language::ALL.into_iter().filter(move |language| *language != own)
    }

    /// Why not everything is there.
    pub fn lack(&self, lack: &Lack) -> String {
        match lack {
            Lack::Denied => self.words.denied.to_owned(),
            Lack::Cut => self.words.cut.to_owned(),
            Lack::Failed(why) => format!("{} {why}", self.words.failed),
        }
    }

    /// A rate: more digits the smaller it is.
    pub fn rate(&self, rate: &f64) -> String {
        match *rate {
            0.0 => "0".to_owned(),
            rate if rate < 10.0 => format!("{rate:.2}"),
            rate if rate < 1_000.0 => format!("{rate:.1}"),
            rate => format!("{rate:.0}"),
        }
    }

    /// Milliseconds.
    pub fn duration(&self, milliseconds: &f64) -> String {
        match *milliseconds {
            long if long >= 1_000.0 => format!("{:.1} {}", long / 1_000.0, self.words.seconds),
            short if short < 10.0 => format!("{short:.2} {}", self.words.milliseconds),
            middle => format!("{middle:.0} {}", self.words.milliseconds),
        }
    }

    /// How long something lasts or lasted, in the largest unit that has one.
    pub fn age(&self, seconds: &f64) -> String {
        let words = self.words;
        let units = [(86_400.0, words.days), (3_600.0, words.hours), (60.0, words.minutes)];
        let (of, unit) = units.into_iter().find(|(of, _)| *seconds >= *of).unwrap_or((1.0, words.seconds));
        format!("{} {unit}", (seconds / of).floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_somebody_reads() {
        let frame = Frame::new(Language::English, "/console");

        assert_eq!(
            [0.0, 0.25, 120.54, 12_345.6].map(|rate| frame.rate(&rate)),
            ["0", "0.25", "120.5", "12346"]
        );
        assert_eq!([0.128, 65.5, 2_048.0].map(|time| frame.duration(&time)), ["0.13 ms", "66 ms", "2.0 s"]);
        assert_eq!(
            [0.4, 61.0, 7_300.0, 200_000.0].map(|age| frame.age(&age)),
            ["0 s", "1 min", "2 h", "2 d"]
        );
    }
}
