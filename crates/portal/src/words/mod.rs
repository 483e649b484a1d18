//! Every sentence of the pages, in every language.
//!
//! A language is a value of [`Words`], so one that lacks a sentence does not compile. Sentences hold no numbers: a
//! label and a number beside it need no grammar.

mod chinese;
mod english;

pub use chinese::CHINESE;
pub use english::ENGLISH;

macro_rules! words {
    ($($name:ident),* $(,)?) => {
        /// The sentences of one language.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "the English sentences say what each one means")]
        pub struct Words { $(pub $name: &'static str,)* }

        impl Words {
            /// All sentences, with their names.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

words! {
    // The frame.
    console, skip, sections, overview, gateways, routes, proxies, language, log_out, pause, go_on,
    // Logging in.
    log_in, token, token_hint, token_where, token_wrong, form_strange,
    // What goes wrong.
    denied, failed, cut, absent, absent_hint, go_back,
    // The control plane.
    control_plane, version, revision, objects, leads, yes, no, store, store_well, live_proxies, programmed, unmatched,
    revoked_within,
    // Conditions.
    trouble, no_trouble, object, part, condition, status, reason, message, outdated, well, problems,
    // Gateways.
    no_gateways, name, class, addresses, listeners, attached, state, protocol, port, hostname, conditions,
    // Routes.
    no_routes, hosts, any_host, parents, backends, rules, rule, matches, filters, no_backend,
    // APIs.
    apis, no_apis, life, called_at, operations, parameters, needed, meaning, example, body, answers, deprecated,
    // The pages for everybody.
    docs, docs_read, docs_none, docs_with_key, docs_without_key, docs_send_key, docs_subscribe, docs_ends,
    // What is sold.
    products, no_products, plans, plan, product, gives, no_limit, credentials, approval, applications,
    no_applications, application, team, subscriptions, no_subscriptions, holds, no_credentials, kind,
    shown, expires, all_operations, usage, usage_days, no_usage, unknown_caller, requests, success, errors,
    refused, usage_hint,
    // Traffic.
    traffic, no_traffic, requests_rate, errors_rate, p50, p99, busiest, window,
    // Proxies.
    no_proxies, serves, every_gateway, connected, lost, applied, in_use, behind, up_to_date, last_seen, rejections,
    uptime, connections, warnings, from_cache, address, listening, proxy_state,
    // The picture.
    picture, picture_hint, picture_rest,
    // The mesh.
    mesh, mesh_none, mesh_picture, mesh_parties, mesh_calls, mesh_no_calls, mesh_trust_domain, mesh_default,
    mesh_closed, mesh_lenient, mesh_rotation, mesh_identity, mesh_services, mesh_replica, mesh_certificate,
    mesh_renewal, mesh_ended, mesh_not_ready, mesh_gateway, mesh_workload, mesh_outside, mesh_serving,
    mesh_open, mesh_from, mesh_to, mesh_allowed, mesh_because, mesh_made, mesh_may, mesh_refused, mesh_some,
    mesh_everything, mesh_rest, mesh_window,
    // What people wrote on an object.
    labels, annotations,
    // Short units.
    seconds, minutes, hours, days, milliseconds,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_language_lacks_a_sentence() {
        for words in [&ENGLISH, &CHINESE] {
            for (name, sentence) in words.all() {
                assert!(!sentence.trim().is_empty(), "{name}");
                assert_eq!(sentence.trim(), sentence, "{name}");
            }
        }
    }

    #[test]
    fn every_sentence_is_translated() {
        /// The same in both languages.
        const INTERNATIONAL: &[&str] = &["p50", "p99", "milliseconds"];
        let is_chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));

        for ((name, english), (_, chinese)) in ENGLISH.all().into_iter().zip(CHINESE.all()) {
            assert!(english.is_ascii() || !is_chinese(english), "{name}: {english}");
            assert!(is_chinese(chinese) || INTERNATIONAL.contains(&name), "{name}: {chinese}");
        }
    }
}
