//! The page, in code.

use super::*;

pub fn allowed(policies: &[Value], ask: &Ask, is_connection: bool) -> bool {
    let of = |action: &'static str| policies.iter().filter(move |policy| policy["action"] == action);
    if of("Deny").any(|policy| matches(policy, ask, true, is_connection)) {
        return false;
    }
    of("Allow").count() == 0 || of("Allow").any(|policy| matches(policy, ask, false, is_connection))
}

pub fn audits(policies: &[Value], ask: &Ask, is_connection: bool) -> usize {
    let audits = policies.iter().filter(|policy| policy["action"] == "Audit");
    audits.filter(|policy| matches(policy, ask, true, is_connection)).count()
}

fn list(value: &Value) -> Vec<String> {
    let items = value.as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
}

/// `doubt`: what may be meant counts as meant.
fn matches(policy: &Value, ask: &Ask, doubt: bool, is_connection: bool) -> bool {
    policy["rules"].as_array().is_some_and(|rules| {
        rules.iter().any(|rule| {
            one_of(&rule["from"], |from| source(from, ask, doubt))
                && one_of(&rule["to"], |to| operation(to, ask, doubt, is_connection))
                && rule["when"].as_array().is_none_or(|all| {
                    all.iter().all(|demand| if is_connection { doubt } else { header(demand, ask, doubt) })
                })
        })
    })
}

fn one_of(list: &Value, fits: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_none_or(|list| list.iter().any(fits))
}

/// A field and its opposite. `fits` says whether a value fits one of a list, by a strict or a loose reading.
fn both<V>(
    object: &Value,
    (yes, no): (&str, &str),
    value: Option<V>,
    doubt: bool,
    fits: impl Fn(&[String], &V, bool) -> bool,
) -> bool {
    let (among, not_among) = (list(&object[yes]), list(&object[no]));
    let (has_yes, has_no) = (!among.is_empty(), !not_among.is_empty());
    match value {
        None => !has_yes && (!has_no || doubt),
        Some(value) => {
            (!has_yes || fits(&among, &value, doubt)) && (!has_no || !fits(&not_among, &value, !doubt))
        }
    }
}

fn source(from: &Value, ask: &Ask, doubt: bool) -> bool {
    let id = ask.identity.clone();
    let parts: Option<Vec<String>> = id.clone().map(|id| id.split('/').map(str::to_owned).collect());
    let mesh = parts.clone().map(|parts| parts[2].clone());
    let namespace = parts.clone().filter(|parts| parts.len() == 7).map(|parts| parts[4].clone());
    let glob = |list: &[String], text: &String, _| list.iter().any(|pattern| star(pattern, text, '/'));
    let place = |list: &[String], text: &String, _| {
        list.iter().any(|pattern| {
            let whole = pattern.contains('/') || pattern.starts_with('*');
            let pattern = if whole { pattern.clone() } else { format!("default/{pattern}") };
            star(&pattern, text, '\0')
        })
    };
    let block = |list: &[String], address: &IpAddr, _: bool| {
        list.iter().any(|block| {
            let (base, bits) = block.split_once('/').expect("a block");
            let (base, bits): (IpAddr, u32) = (base.parse().unwrap(), bits.parse().unwrap());
            let number = |address: IpAddr| match address {
                IpAddr::V4(four) => u128::from(four.to_bits()) << 96,
                IpAddr::V6(six) => six.to_bits(),
            };
            base.is_ipv4() == address.is_ipv4()
                && (bits == 0 || (number(base) ^ number(*address)) >> (128 - bits) == 0)
        })
    };
    both(from, ("identities", "notIdentities"), id, doubt, glob)
        && both(from, ("meshes", "notMeshes"), mesh, doubt, |list, text: &String, _| {
            list.iter().any(|pattern| star(pattern, text, '\0'))
        })
        && both(from, ("namespaces", "notNamespaces"), namespace, doubt, |list, text: &String, _| {
            list.iter().any(|pattern| star(pattern, text, '\0'))
        })
        && both(from, ("workloads", "notWorkloads"), ask.replica.clone(), doubt, place)
        && both(from, ("ipBlocks", "notIpBlocks"), ask.address, doubt, block)
}

fn operation(to: &Value, ask: &Ask, doubt: bool, is_connection: bool) -> bool {
    let dotted = |list: &[String], text: &String, _| {
        list.iter().any(|pattern| star(&pattern.to_lowercase(), text, '.'))
    };
    let ports = both(to, ("ports", "notPorts"), Some(ask.port.to_string()), doubt, |list, port, _| {
        list.contains(port)
    });
    let names = both(to, ("serverNames", "notServerNames"), ask.server_name.clone(), doubt, dotted);
    if !ports || !names {
        return false;
    }
    if is_connection {
        let of_requests = ["methods", "notMethods", "hosts", "notHosts", "paths", "notPaths"];
        return doubt || of_requests.iter().all(|field| to[*field].is_null());
    }
    let host = Some(ask.host.clone()).filter(|host| !host.is_empty());
    both(to, ("methods", "notMethods"), Some(ask.method.clone()), doubt, |list, method, loose| {
        list.iter().any(|one| if loose { one.eq_ignore_ascii_case(method) } else { one == method })
    }) && both(to, ("hosts", "notHosts"), host, doubt, dotted)
        && both(to, ("paths", "notPaths"), Some(ask.path.clone()), doubt, |list, path, loose| match loose {
            false => list.iter().any(|pattern| star(pattern, path, '/')),
            true => list.iter().any(|pattern| loosely(pattern, path)),
        })
}

fn header(demand: &Value, ask: &Ask, doubt: bool) -> bool {
    let name = demand["header"].as_str().unwrap_or_default();
    let lines: Vec<String> = ask
        .headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.clone())
        .collect();
    let lines = Some(lines).filter(|lines| !lines.is_empty());
    both(demand, ("values", "notValues"), lines, doubt, |list, lines, loose| {
        let fits = |text: &str| list.iter().any(|pattern| star(pattern, text, '\0'));
        let line = |line: &String| {
            let mut parts = line.split(',').map(str::trim);
            fits(line) || if loose { parts.any(fits) } else { parts.all(fits) }
        };
        if loose { lines.iter().any(line) } else { lines.iter().all(line) }
    })
}

/// A star at an end is anything, elsewhere one segment that is not empty.
pub fn star(pattern: &str, text: &str, separator: char) -> bool {
    if pattern == "*" {
        return true;
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        return (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .any(|at| star_rest(rest, &text[at..], separator));
    }
    star_rest(pattern, text, separator)
}

fn star_rest(pattern: &str, text: &str, separator: char) -> bool {
    match pattern.find('*') {
        None => pattern == text,
        Some(at) if at + 1 == pattern.len() => text.starts_with(&pattern[..at]),
        Some(at) => text.strip_prefix(&pattern[..at]).is_some_and(|rest| {
            let segment = rest.find(separator).unwrap_or(rest.len());
            segment > 0 && star_rest(&pattern[at + 1..], &rest[segment..], separator)
        }),
    }
}

/// Both sides without parameters, escapes and case, with single slashes and one at the end; hidden dots are anything.
fn loosely(pattern: &str, path: &str) -> bool {
    let path_text = plain(path);
    let odd = path.contains(['%', '\\', ';']);
    if odd && path_text.split('/').any(|segment| segment == "." || segment == "..") {
        return true;
    }
    let ends = pattern.ends_with('*');
    let mut wanted = plain(pattern);
    if !ends && !wanted.ends_with('/') {
        wanted.push('/');
    }
    star(&wanted, &format!("{}/", path_text.trim_end_matches('/')), '/')
}

fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.match_indices('%').map(|(at, _)| at).find(|at| {
        text.get(at + 1..at + 3).is_some_and(|digits| digits.chars().all(|digit| digit.is_ascii_hexdigit()))
    }) {
        let value = u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap();
        text.replace_range(at..at + 3, &char::from(value).to_string());
    }
    let text = text.replace('\\', "/").to_ascii_lowercase();
    let segments: Vec<&str> =
        text.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    let mut text = segments.join("/");
    while text.contains("//") {
        text = text.replace("//", "/");
    }
    text
}
