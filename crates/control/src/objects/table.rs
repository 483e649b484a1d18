//! Objects as rows of a table, for people who list them.
//!
//! The columns are those that a cluster shows for the same kinds, so that nobody has to look twice. What only matters
//! to some is marked for the wide form. Who asks decides how much of each object comes along with its row.

mod products;

use model::kinds::KindName;
use model::units::Moment;
use serde_json::{Map, Value, json};

use super::status::{Cause, Status};

/// How much of an object comes along with its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl IncludeObject {
    /// The value of the query parameter `includeObject`.
    ///
    /// # Errors
    /// 422 for a word that is none.
    pub fn of(word: Option<&str>) -> Result<Self, Status> {
        match word {
            None | Some("" | "Metadata") => Ok(IncludeObject::Metadata),
            Some("None") => Ok(IncludeObject::None),
            Some("Object") => Ok(IncludeObject::Object),
            Some(other) => Err(Status::invalid_options(&Cause {
                reason: "FieldValueInvalid",
                field: "includeObject".to_owned(),
                message: format!("Invalid value: {other:?}: must be one of 'None', 'Metadata', or 'Object'"),
            })),
        }
    }
}

/// A table of objects of a kind. `metadata` is that of the list they stand in. A watch sends one table an event, and
/// names the columns in the first only.
#[must_use]
pub fn table(
    kind: KindName,
    metadata: Value,
    objects: impl IntoIterator<Item = Value>,
    include: IncludeObject,
    with_columns: bool,
    now: Moment,
) -> Value {
    let columns = columns(kind);
    let rows: Vec<Value> = objects
        .into_iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|column| (column.cell)(&object, now)).collect();
            match part(object, include) {
                Some(object) => json!({"cells": cells, "object": object}),
                None => json!({"cells": cells}),
            }
        })
        .collect();
    let definitions: Vec<Value> = columns.iter().filter(|_| with_columns).map(Column::definition).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn part(object: Value, include: IncludeObject) -> Option<Value> {
    match include {
        IncludeObject::None => None,
        IncludeObject::Metadata => Some(metadata_only(object)),
        IncludeObject::Object => Some(object),
    }
}

/// An object of which only the metadata is told.
#[must_use]
pub fn metadata_only(mut object: Value) -> Value {
    let metadata = object.get_mut("metadata").map(Value::take).unwrap_or_default();
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}

struct Column {
    name: &'static str,
    of: &'static str,
    is_wide: bool,
    cell: fn(&Value, Moment) -> Value,
}

impl Column {
    fn definition(&self) -> Value {
        let format = if self.name == "Name" { "name" } else { "" };
        json!({
            "name": self.name, "type": self.of, "format": format, "description": "",
            "priority": i32::from(self.is_wide),
        })
    }
}

const fn text(name: &'static str, cell: fn(&Value, Moment) -> Value) -> Column {
    Column { name, of: "string", is_wide: false, cell }
}

const fn wide(name: &'static str, cell: fn(&Value, Moment) -> Value) -> Column {
    Column { name, of: "string", is_wide: true, cell }
}

const fn count(name: &'static str, cell: fn(&Value, Moment) -> Value) -> Column {
    Column { name, of: "integer", is_wide: false, cell }
}

fn hostnames(object: &Value) -> String {
    object.pointer("/spec/hostnames").map(Value::to_string).unwrap_or_default()
}

/// `ClusterRole/view`: what a binding gives.
fn bound(object: &Value) -> String {
    let part = |field: &str| word(object, &format!("/roleRef/{field}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&part("kind")), text(&part("name")))
}

const AGE: Column = text("Age", |object, now| age(object, now).into());

fn columns(kind: KindName) -> Vec<Column> {
    let own = match kind {
        KindName::Namespace
        | KindName::Secret
        | KindName::ConfigMap
        | KindName::Service
        | KindName::Pod
        | KindName::EndpointSlice => core_columns(kind),
        KindName::GatewayClass => vec![
            text("Controller", |object, _| word(object, "/spec/controllerName")),
            text("Accepted", |object, _| condition(object, "Accepted")),
            AGE,
            wide("Description", |object, _| word(object, "/spec/description")),
        ],
        KindName::Gateway => vec![
            text("Class", |object, _| word(object, "/spec/gatewayClassName")),
            text("Address", |object, _| null_if_empty(each(object, "/status/addresses", "value").join(","))),
            text("Programmed", |object, _| condition(object, "Programmed")),
            AGE,
        ],
        KindName::HttpRoute => vec![text("Hostnames", |object, _| null_if_empty(hostnames(object))), AGE],
        KindName::Backend => vec![
            text("Endpoints", |object, _| none_if_empty(shortened(texts(object, "/spec/endpoints"), ""))),
            text("Accepted", |object, _| condition(object, "Accepted")),
            AGE,
        ],
        KindName::Api
        | KindName::ApiVersion
        | KindName::ApiRevision
        | KindName::ApiBinding
        | KindName::ApiProduct
        | KindName::Plan => products::product_columns(kind),
        KindName::TcpRoute
        | KindName::ReferenceGrant
        | KindName::BackendTlsPolicy
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TelemetryPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::GatewayParameters
        | KindName::Role
        | KindName::ClusterRole => vec![AGE],
        KindName::Mesh
        | KindName::Workload
        | KindName::JoinToken
        | KindName::TrustBundle
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::AuthorizationPolicy
        | KindName::RoleBinding
        | KindName::ClusterRoleBinding
        | KindName::AccessToken => access_columns(kind),
        KindName::Team
        | KindName::Developer
        | KindName::Application
        | KindName::Subscription
        | KindName::Credential => products::customer_columns(kind),
    };
    std::iter::once(text("Name", |object, _| word(object, "/metadata/name"))).chain(own).collect()
}

/// Of the kinds of Kubernetes itself; none for others.
fn core_columns(kind: KindName) -> Vec<Column> {
    match kind {
        KindName::Namespace => vec![text("Status", |object, _| word(object, "/status/phase")), AGE],
        KindName::Secret => vec![
            text("Type", |object, _| word(object, "/type")),
            count("Data", |object, _| size(object, &["data"])),
            AGE,
        ],
        KindName::ConfigMap => vec![count("Data", |object, _| size(object, &["data", "binaryData"])), AGE],
        KindName::Service => vec![
            text("Type", |object, _| word(object, "/spec/type")),
            text("Cluster-IP", |object, _| {
                none_if_empty(first(object, &["/spec/clusterIPs/0", "/spec/clusterIP"]))
            }),
            text("External-IP", |object, _| none_if_empty(external(object))),
            text("Port(s)", |object, _| none_if_empty(service_ports(object))),
            AGE,
            wide("Selector", |object, _| none_if_empty(pairs(object, "/spec/selector"))),
        ],
        KindName::Pod => vec![
            text("Ready", |object, _| ready(object).into()),
            text("Status", |object, _| word(object, "/status/phase")),
            AGE,
            wide("IP", |object, _| none_if_empty(first(object, &["/status/podIP"]))),
            wide("Node", |object, _| none_if_empty(first(object, &["/spec/nodeName"]))),
        ],
        KindName::EndpointSlice => vec![
            text("AddressType", |object, _| word(object, "/addressType")),
            text("Ports", |object, _| none_if_empty(shortened(each(object, "/ports", "port"), "<unset>"))),
            text("Endpoints", |object, _| none_if_empty(shortened(addresses(object), "<unset>"))),
            AGE,
        ],
        _ => Vec::new(),
    }
}

/// Of the kinds that say who somebody is and what is allowed; none for others.
fn access_columns(kind: KindName) -> Vec<Column> {
    match kind {
        KindName::Mesh => vec![
            text("Trust-Domain", |object, _| word(object, "/spec/trustDomain")),
            text("mTLS", |object, _| word(object, "/spec/mtls/mode")),
            text("Default", |object, _| word(object, "/spec/defaultAction")),
            AGE,
        ],
        KindName::Workload => vec![
            text("Address", |object, _| word(object, "/spec/address")),
            text("Account", |object, _| word(object, "/spec/serviceAccount")),
            text("Ready", |object, _| condition(object, "Ready")),
            AGE,
            wide("Ports", |object, _| none_if_empty(shortened(each(object, "/spec/ports", "port"), ""))),
            wide("Zone", |object, _| word(object, "/spec/locality/zone")),
        ],
        KindName::JoinToken => vec![
            text("ServiceAccount", |object, _| word(object, "/spec/serviceAccount")),
            text("Workload", |object, _| none_if_empty(first(object, &["/spec/workload"]))),
            text("Uses", |object, _| word(object, "/spec/uses")),
            text("Used-By", |object, _| none_if_empty(first(object, &["/status/used/workload"]))),
            text("Expires", |object, _| none_if_empty(first(object, &["/spec/expiresAt"]))),
            AGE,
        ],
        KindName::TrustBundle => vec![
            text("Trust-Domain", |object, _| word(object, "/spec/trustDomain")),
            text("Roots", |object, _| list(object, "/spec/roots").count().into()),
            text("Rotation", |object, _| none_if_empty(first(object, &["/status/rotation/stage"]))),
            AGE,
        ],
        KindName::RoleBinding | KindName::ClusterRoleBinding => {
            vec![text("Role", |object, _| bound(object).into()), AGE]
        }
        KindName::AccessToken => vec![text("User", |object, _| word(object, "/spec/user")), AGE],
        KindName::AuthenticationPolicy => {
            vec![text("Anonymous", |object, _| word(object, "/spec/anonymous")), AGE]
        }
        KindName::ExternalAuthorizationPolicy => vec![
            text("Asked", |object, _| {
                none_if_empty(first(object, &["/spec/grpc/backendRef/name", "/spec/http/backendRef/name"]))
            }),
            text("On-Failure", |object, _| word(object, "/spec/failureMode")),
            AGE,
        ],
        KindName::AuthorizationPolicy => vec![text("Action", |object, _| word(object, "/spec/action")), AGE],
        _ => Vec::new(),
    }
}

fn word(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).filter(|value| value.is_string()).cloned().unwrap_or_default()
}

fn first(object: &Value, pointers: &[&str]) -> String {
    pointers.iter().find_map(|pointer| object.pointer(pointer)?.as_str()).unwrap_or_default().to_owned()
}

fn none_if_empty(text: String) -> Value {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

fn null_if_empty(text: String) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn size(object: &Value, fields: &[&str]) -> Value {
    fields.iter().filter_map(|field| object.get(field)?.as_object()).map(Map::len).sum::<usize>().into()
}

fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn texts(object: &Value, pointer: &str) -> Vec<String> {
    list(object, pointer).map(plain).collect()
}

fn each(object: &Value, pointer: &str, field: &str) -> Vec<String> {
    list(object, pointer).filter_map(|element| element.get(field)).map(plain).collect()
}

fn addresses(slice: &Value) -> Vec<String> {
    list(slice, "/endpoints").flat_map(|endpoint| texts(endpoint, "/addresses")).collect()
}

/// Most elements that one cell lists.
const LISTED_MAX: usize = 3;

fn shortened(mut elements: Vec<String>, if_empty: &str) -> String {
    if elements.is_empty() {
        return if_empty.to_owned();
    }
    let more = elements.len().saturating_sub(LISTED_MAX);
    elements.truncate(LISTED_MAX);
    let shown = elements.join(",");
    if more > 0 { format!("{shown} + {more} more...") } else { shown }
}

fn pairs(object: &Value, pointer: &str) -> String {
    let map = object.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    let mut pairs: Vec<String> = map.map(|(key, value)| format!("{key}={}", plain(value))).collect();
    pairs.sort_unstable();
    pairs.join(",")
}

fn external(service: &Value) -> String {
    let own = texts(service, "/spec/externalIPs");
    match service.pointer("/spec/type").and_then(Value::as_str) {
        Some("ExternalName") => first(service, &["/spec/externalName"]),
        Some("LoadBalancer") => {
            let ingress = list(service, "/status/loadBalancer/ingress");
            let given = ingress.map(|one| first(one, &["/ip", "/hostname"]));
            let all: Vec<String> = given.chain(own).filter(|text| !text.is_empty()).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        _ => own.join(","),
    }
}

fn service_ports(service: &Value) -> String {
    let ports = list(service, "/spec/ports").map(|port| {
        let number = |field: &str| port.get(field).and_then(Value::as_u64).filter(|number| *number > 0);
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        let own = number("port").unwrap_or_default();
        number("nodePort")
            .map_or_else(|| format!("{own}/{protocol}"), |node| format!("{own}:{node}/{protocol}"))
    });
    ports.collect::<Vec<_>>().join(",")
}

fn ready(pod: &Value) -> String {
    let is_ready = |container: &&Value| container.get("ready") == Some(&Value::Bool(true));
    let ready = list(pod, "/status/containerStatuses").filter(is_ready).count();
    format!("{ready}/{}", list(pod, "/spec/containers").count())
}

fn condition(object: &Value, of: &str) -> Value {
    let is_it = |condition: &&Value| condition.get("type").and_then(Value::as_str) == Some(of);
    let found = list(object, "/status/conditions").find(is_it);
    found.map(|condition| word(condition, "/status")).unwrap_or_default()
}

fn age(object: &Value, now: Moment) -> String {
    let born = object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    match born.and_then(|text| text.parse::<Moment>().ok()) {
        Some(born) => since(now.0 - born.0),
        None => "<unknown>".to_owned(),
    }
}

/// Some seconds as people say it: two units while the second one matters.
fn since(seconds: i64) -> String {
    let two = |large: i64, unit: char, small: i64, second: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{second}"),
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, 'd', hours % 24, 'h'),
        () if years < 2 => format!("{days}d"),
        () if years < 8 => two(years, 'y', days % 365, 'd'),
        () => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BORN: &str = "2026-01-01T00:00:00Z";

    fn rows(kind: KindName, object: &Value, after_seconds: i64) -> Vec<(String, Value)> {
        let born: Moment = BORN.parse().expect("a moment");
        let now = Moment(born.0 + after_seconds);
        let table = table(kind, json!({}), [object.clone()], IncludeObject::None, true, now);
        let names = list(&table, "/columnDefinitions").map(|column| plain(&column["name"]));
        names.zip(list(&table, "/rows/0/cells").cloned()).collect()
    }

    fn cells(kind: KindName, mut object: Value) -> Vec<Value> {
        object["metadata"] = json!({"name": "a", "creationTimestamp": BORN});
        rows(kind, &object, 60).into_iter().map(|(_, cell)| cell).collect()
    }

    #[test]
    fn a_service_is_shown_as_in_a_cluster() {
        let balanced = json!({
            "spec": {
                "type": "LoadBalancer", "clusterIP": "10.0.0.1", "selector": {"b": "2", "a": "1"},
                "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}],
            },
        });
        let plain = json!({"spec": {"type": "ClusterIP"}});

        assert_eq!(
            cells(KindName::Service, balanced),
            ["a", "LoadBalancer", "10.0.0.1", "<pending>", "80/TCP,53:30053/UDP", "60s", "a=1,b=2"]
        );
        assert_eq!(
            cells(KindName::Service, plain),
            ["a", "ClusterIP", "<none>", "<none>", "<none>", "60s", "<none>"]
        );
    }

    #[test]
    fn a_gateway_is_shown_with_its_class_address_and_state() {
        let gateway = json!({
            "spec": {"gatewayClassName": "selvedge"},
            "status": {
                "addresses": [{"value": "192.0.2.1"}],
                "conditions": [{"type": "Accepted", "status": "False"}, {"type": "Programmed", "status": "True"}],
            },
        });

        let shown = rows(KindName::Gateway, &gateway, 0);

        let names: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Name", "Class", "Address", "Programmed", "Age"]);
        assert_eq!(cells(KindName::Gateway, gateway), ["a", "selvedge", "192.0.2.1", "True", "60s"]);
        assert_eq!(cells(KindName::Gateway, json!({}))[2], Value::Null);
        assert_eq!(
            cells(KindName::HttpRoute, json!({"spec": {"hostnames": ["a.b", "c.d"]}}))[1],
            r#"["a.b","c.d"]"#
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let slice = json!({
            "addressType": "IPv4", "ports": [{"port": 80}],
            "endpoints": [{"addresses": ["1", "2"]}, {"addresses": ["3"]}, {"addresses": ["4"]}],
        });

        assert_eq!(cells(KindName::EndpointSlice, slice)[1..4], ["IPv4", "80", "1,2,3 + 1 more..."]);
    }

    #[test]
    fn only_the_asked_part_of_an_object_comes_along() {
        let object = json!({"kind": "Secret", "metadata": {"name": "a"}, "data": {"key": "eA=="}});
        let along = |include| {
            let table = table(KindName::Secret, json!({}), [object.clone()], include, false, Moment(0));
            table.pointer("/rows/0/object").cloned()
        };

        assert_eq!(along(IncludeObject::None), None);
        assert_eq!(along(IncludeObject::Object), Some(object.clone()));
        assert_eq!(
            along(IncludeObject::Metadata),
            Some(
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}})
            )
        );
    }

    #[test]
    fn ages_have_two_units_while_the_second_matters() {
        let cases = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (12_000, "3h20m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (190_000, "2d4h"),
            (700_000, "8d"),
            (63_072_000, "2y"),
            (66_000_000, "2y33d"),
            (260_000_000, "8y"),
        ];
        for (seconds, words) in cases {
            assert_eq!(since(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn every_kind_has_a_name_and_an_age() {
        for kind in KindName::ALL {
            let names: Vec<&str> = columns(*kind).iter().map(|column| column.name).collect();
            assert!(names.first() == Some(&"Name") && names.contains(&"Age"), "{kind}: {names:?}");
        }
    }
}
