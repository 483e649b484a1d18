//! What came nearest when nothing matched.

use model::suggest;

use super::question::{Question, Url};
use super::{covering, listener, view};
use crate::config::{Config, Port};
use crate::matching::{Entry, HostTable};

/// Most paths or hosts that are named.
const NAMED_MAX: usize = 5;

/// Sentences about what is missing, the most telling first.
pub(super) fn nearest(config: &Config, port: &Port, question: &Question<'_>, url: &Url) -> Vec<String> {
    let Some((_, listener)) = listener(port, url) else {
        let listeners = port.table().map(|table| table.listeners().sorted()).unwrap_or_default();
        let known = listeners.into_iter().map(|(pattern, _)| pattern.to_string());
        return unknown_host("no listener of the port serves", url, known.collect());
    };
    match covering(listener.hosts.sorted(), &url.host) {
        None => {
            let known = listener.hosts.sorted().into_iter().map(|(pattern, _)| pattern.to_string());
            unknown_host("no route of the listener serves", url, known.collect())
        }
        Some((_, table)) => in_table(config, table, question, url),
    }
}

fn unknown_host(what: &str, url: &Url, known: Vec<String>) -> Vec<String> {
    let mut sentences = vec![format!("{what} host `{}`", url.host)];
    if let Some(hint) = suggest::did_you_mean(&url.host, known.iter().map(String::as_str)) {
        sentences.push(hint);
    }
    if !known.is_empty() {
        sentences.push(format!("hosts there are: {}", listed(&known)));
    }
    sentences
}

fn in_table(config: &Config, table: &HostTable, question: &Question<'_>, url: &Url) -> Vec<String> {
    let mut near: Vec<(usize, String)> = table
        .entries()
        .filter(|entry| entry.path.covers(url.path.as_bytes()))
        .map(|entry| {
            let missing = entry.requirements.unmet(&view(question, url));
            (missing.len(), format!("{} fits but {}", named(config, entry), missing.join(", ")))
        })
        .collect();
    near.sort_by_key(|(missing, _)| *missing);
    if !near.is_empty() {
        return near.into_iter().take(NAMED_MAX).map(|(_, sentence)| sentence).collect();
    }
    let mut known: Vec<String> = table.entries().map(|entry| entry.path.text().to_string()).collect();
    known.sort_by_key(|path| std::cmp::Reverse(common(path, &url.path)));
    known.dedup();
    let mut sentences = vec![format!("no route of the host has path `{}`", url.path)];
    if let Some(hint) = suggest::did_you_mean(&url.path, known.iter().map(String::as_str)) {
        sentences.push(hint);
    }
    sentences.push(format!("paths there are: {}", listed(&known)));
    sentences
}

fn named(config: &Config, entry: &Entry) -> String {
    let origin = &entry.rule.origin;
    let source = config.sources.of(&entry.rule).map(|source| format!(" ({source})")).unwrap_or_default();
    format!("{} {} rules[{}]{source}: path `{}`", origin.kind, origin.route, origin.rule, entry.path.text())
}

fn common(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count()
}

fn listed(names: &[String]) -> String {
    let mut text =
        names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more", names.len() - NAMED_MAX));
    }
    text
}
