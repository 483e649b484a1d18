//! Where a version of an API is called, as URLs that somebody can paste: out of the listeners of its Gateways.

use std::net::IpAddr;

use serde_json::Value;

use super::{list, text};

/// URLs up to the paths of operations, the most useful first. `here` is the host at which the reader has found us, for
/// Gateways that listen at every address of that machine.
#[must_use]
pub fn of(spec: &Value, parents: &Value, gateways: &[&Value], path: &str, here: &str) -> Vec<String> {
    let hosts: Vec<String> = list(&spec["hostnames"]).map(text).filter(|host| !host.contains('*')).collect();
    let mut all = Vec::new();
    for parent in list(parents) {
        let named = |gateway: &&&Value| gateway["metadata"]["name"] == parent["name"];
        let Some(gateway) = gateways.iter().find(named) else { continue };
        for listener in list(&gateway["spec"]["listeners"]).filter(|listener| is_meant(parent, listener)) {
            let scheme = match text(&listener["protocol"]).as_str() {
                "HTTP" => "http",
                "HTTPS" => "https",
                _ => continue,
            };
            let own =
                Some(text(&listener["hostname"])).filter(|host| !host.is_empty() && !host.contains('*'));
            let host = hosts.first().cloned().or(own).or_else(|| address(gateway, here));
            let Some(host) = host else { continue };
            let port = match (scheme, listener["port"].as_u64()) {
                ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
                (_, Some(port)) => format!(":{port}"),
            };
            let url = format!("{scheme}://{host}{port}{path}");
            if !all.contains(&url) {
                all.push(url);
            }
        }
    }
    all
}

fn is_meant(parent: &Value, listener: &Value) -> bool {
    let same = |field: &str, other: &str| parent[field].is_null() || parent[field] == listener[other];
    same("sectionName", "name") && same("port", "port")
}

fn address(gateway: &Value, here: &str) -> Option<String> {
    let address = list(&gateway["status"]["addresses"]).map(|one| text(&one["value"])).next()?;
    match address.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => Some(here.to_owned()),
        Ok(IpAddr::V6(ip)) => Some(format!("[{ip}]")),
        Ok(IpAddr::V4(_)) | Err(_) => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn urls(spec: Value, parent: Value, address: &str) -> Vec<String> {
        let gateway = json!({
            "metadata": { "name": "edge" },
            "spec": { "listeners": [
                { "name": "db", "protocol": "TCP", "port": 5432 },
                { "name": "http", "protocol": "HTTP", "port": 8080 },
                { "name": "tls", "protocol": "HTTPS", "port": 443, "hostname": "api.shop.example" },
            ] },
            "status": { "addresses": [{ "value": address }] },
        });
        of(&spec, &json!([parent]), &[&gateway], "/pets", "console.example")
    }

    #[test]
    fn a_url_has_the_host_that_its_readers_can_use() {
        let edge = || json!({ "name": "edge" });
        assert_eq!(
            urls(json!({}), edge(), "10.0.0.7"),
            ["http://10.0.0.7:8080/pets", "https://api.shop.example/pets"]
        );
        assert_eq!(
            urls(json!({}), json!({ "name": "edge", "sectionName": "http" }), "0.0.0.0"),
            ["http://console.example:8080/pets"]
        );
        assert_eq!(
            urls(json!({ "hostnames": ["*.x.example", "pets.example"] }), edge(), "::1"),
            ["http://pets.example:8080/pets", "https://pets.example/pets"]
        );
        assert_eq!(urls(json!({}), json!({ "name": "other" }), "10.0.0.7"), [""; 0]);
    }
}
