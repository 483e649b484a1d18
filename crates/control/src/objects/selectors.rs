//! Selectors of lists and watches: labels and a few fields, as they stand in query parameters.

use model::kinds::KindName;
use model::labels::Labels;
use model::schema::cut;
use model::{Name, Resource};
use serde_json::Value;

use super::status::Status;

/// Longest part of a label's key behind its prefix, and longest value, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// `labelSelector`: every requirement must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Present,
    Absent,
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    MoreThan(i64),
    LessThan(i64),
}

impl LabelSelector {
    /// Reads a selector: `a=b`, `a!=b`, `a in (b, c)`, `a notin (b, c)`, `a`, `!a`, `a>1`, `a<1`, joined by commas.
    ///
    /// # Errors
    /// 400 for what is none.
    pub fn of(text: &str) -> Result<Self, Status> {
        let parts = parts(text).map_err(|why| unreadable(text, why))?;
        let requirements =
            parts.into_iter().map(|part| Requirement::of(part).map_err(|why| unreadable(text, &why)));
        Ok(LabelSelector(requirements.collect::<Result<_, _>>()?))
    }

    /// Whether it picks an object with these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(requirement.key.as_str()).map(|value| &**value);
            requirement.wanted.holds(value)
        })
    }

    /// Whether it picks everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn unreadable(text: &str, why: &str) -> Status {
    Status::bad_request(format!("unable to parse requirement: {why} in {:?}", cut(text)))
}

/// Requirements, taken apart at commas outside of brackets.
fn parts(text: &str) -> Result<Vec<&str>, &'static str> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' if inside => return Err("found '(' inside of brackets"),
            '(' => inside = true,
            ')' if !inside => return Err("found ')' without '('"),
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err("found no ')'");
    }
    parts.push(&text[start..]);
    Ok(parts)
}

impl Requirement {
    fn of(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (key, wanted) = if let Some(key) = text.strip_prefix('!') {
            (key.trim(), Wanted::Absent)
        } else if let Some(at) = text.find(['=', '!', '<', '>']) {
            compared(text, at)?
        } else if let Some(at) = text.find('(') {
            listed(text, at)?
        } else {
            (text, Wanted::Present)
        };
        is_key(key)?;
        Ok(Requirement { key: key.to_owned(), wanted })
    }
}

fn compared(text: &str, at: usize) -> Result<(&str, Wanted), String> {
    let (key, rest) = (text[..at].trim(), &text[at..]);
    let number = |text: &str| text.trim().parse().map_err(|_| format!("{:?} is no whole number", cut(text)));
    let one = |text: &str| is_value(text.trim()).map(|value| vec![value]);
    let wanted = if let Some(value) = rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')) {
        Wanted::OneOf(one(value)?)
    } else if let Some(value) = rest.strip_prefix("!=") {
        Wanted::NoneOf(one(value)?)
    } else if let Some(value) = rest.strip_prefix('>') {
        Wanted::MoreThan(number(value)?)
    } else if let Some(value) = rest.strip_prefix('<') {
        Wanted::LessThan(number(value)?)
    } else {
        return Err(format!("found {:?}, expected an operator", cut(rest)));
    };
    Ok((key, wanted))
}

fn listed(text: &str, at: usize) -> Result<(&str, Wanted), String> {
    let inner = text[at + 1..].trim_end().strip_suffix(')').ok_or("found words behind ')'")?;
    let values = inner.split(',').map(|value| is_value(value.trim())).collect::<Result<Vec<_>, _>>()?;
    let mut words = text[..at].split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(key), Some("in"), None) => Ok((key, Wanted::OneOf(values))),
        (Some(key), Some("notin"), None) => Ok((key, Wanted::NoneOf(values))),
        _ => Err("expected 'in' or 'notin' before '('".to_owned()),
    }
}

fn is_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_prefix = prefix.is_none_or(|prefix| prefix.parse::<Name>().is_ok());
    if is_prefix && !name.is_empty() && is_label(name) {
        return Ok(());
    }
    Err(format!("{:?} is not the key of a label", cut(key)))
}

fn is_value(value: &str) -> Result<String, String> {
    if value.is_empty() || is_label(value) {
        return Ok(value.to_owned());
    }
    Err(format!("{:?} is not the value of a label", cut(value)))
}

fn is_label(text: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_BYTES_MAX
        && bytes.iter().all(inner)
        && [bytes.first(), bytes.last()].iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
}

impl Wanted {
    fn holds(&self, value: Option<&str>) -> bool {
        let listed =
            |values: &[String]| value.is_some_and(|value| values.iter().any(|listed| listed == value));
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Wanted::Present => value.is_some(),
            Wanted::Absent => value.is_none(),
            Wanted::OneOf(values) => listed(values),
            Wanted::NoneOf(values) => !listed(values),
            Wanted::MoreThan(bound) => number().is_some_and(|number| number > *bound),
            Wanted::LessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// `fieldSelector`: every requirement must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldRequirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRequirement {
    field: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Reads a selector: `a=b`, `a==b`, `a!=b`, joined by commas; `\` takes the meaning from `,`, `=` and itself.
    ///
    /// # Errors
    /// 400 for what is none, and for fields by which objects of this kind cannot be picked.
    pub fn of(kind: KindName, text: &str) -> Result<Self, Status> {
        let mut requirements = Vec::new();
        for part in split_unescaped(text, ',').into_iter().filter(|part| !part.is_empty()) {
            let requirement = FieldRequirement::of(part).ok_or_else(|| {
                Status::bad_request(format!(
                    "invalid selector: {:?}; can't understand {:?}",
                    cut(text),
                    cut(part)
                ))
            })?;
            if !fields(kind).any(|known| known == requirement.field) {
                let known: Vec<String> = fields(kind).map(|field| format!("{field:?}")).collect();
                return Err(Status::bad_request(format!(
                    "{:?} is not a known field selector: only {}",
                    cut(&requirement.field),
                    known.join(", ")
                )));
            }
            requirements.push(requirement);
        }
        Ok(FieldSelector(requirements))
    }

    /// Whether it picks an object.
    #[must_use]
    pub fn matches(&self, resource: &Resource) -> bool {
        let mut tree = None; // most selectors ask for no more than the name
        self.0.iter().all(|requirement| {
            let equal = match requirement.field.as_str() {
                "metadata.name" => resource.key.name == *requirement.value,
                "metadata.namespace" => resource.namespace() == requirement.value,
                field => {
                    let tree = tree.get_or_insert_with(|| resource.written.value());
                    let found = tree.pointer(&format!("/{}", field.replace('.', "/")));
                    found.and_then(Value::as_str).unwrap_or_default() == requirement.value
                }
            };
            equal == requirement.equal
        })
    }

    /// The one name that it picks, if it is that narrow.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let named =
            self.0.iter().find(|requirement| requirement.equal && requirement.field == "metadata.name");
        named.map(|requirement| requirement.value.as_str())
    }
}

/// Fields by which objects of a kind can be picked.
fn fields(kind: KindName) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = match kind {
        KindName::Secret => &["type"],
        KindName::Namespace => &["status.phase"],
        KindName::Pod => &["spec.nodeName", "spec.serviceAccountName", "status.phase", "status.podIP"],
        KindName::Service => &["spec.clusterIP", "spec.type"],
        KindName::Workload => &["spec.address", "spec.serviceAccount"],
        KindName::ApiVersion => &["spec.api", "spec.state"],
        KindName::ApiRevision => &["spec.api", "spec.version"],
        KindName::ApiBinding => &["spec.version"],
        KindName::ApiProduct => &["spec.state"],
        KindName::Plan => &["spec.product", "spec.state"],
        KindName::Application => &["spec.team", "status.state"],
        KindName::Subscription => &["spec.application", "spec.product", "spec.plan", "status.state"],
        KindName::Credential => &["spec.application", "spec.type", "status.state"],
        KindName::Team | KindName::Developer => &["status.state"],
        KindName::ConfigMap
        | KindName::EndpointSlice
        | KindName::GatewayClass
        | KindName::Gateway
        | KindName::HttpRoute
        | KindName::TcpRoute
        | KindName::ReferenceGrant
        | KindName::BackendTlsPolicy
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::TelemetryPolicy
        | KindName::AuthorizationPolicy
        | KindName::Backend
        | KindName::GatewayParameters
        | KindName::Mesh
        | KindName::Role
        | KindName::ClusterRole
        | KindName::RoleBinding
        | KindName::ClusterRoleBinding
        | KindName::AccessToken
        | KindName::JoinToken
        | KindName::TrustBundle
        | KindName::Api => &[],
    };
    ["metadata.name", "metadata.namespace"].into_iter().chain(own.iter().copied())
}

impl FieldRequirement {
    fn of(text: &str) -> Option<Self> {
        let (field, rest) = match split_unescaped(text, '=').as_slice() {
            [field, "", value] => (*field, *value), // ==
            [field, value] => (*field, *value),
            _ => return None,
        };
        let (field, equal) = field.strip_suffix('!').map_or((field, true), |field| (field, false));
        Some(FieldRequirement { field: unescaped(field)?, value: unescaped(rest)?, equal })
    }
}

fn split_unescaped(text: &str, at: char) -> Vec<&str> {
    let mut escaped = false;
    text.split(|letter| {
        let splits = !escaped && letter == at;
        escaped = !escaped && letter == '\\';
        splits
    })
    .collect()
}

fn unescaped(text: &str) -> Option<String> {
    let (mut plain, mut letters) = (String::with_capacity(text.len()), text.trim().chars());
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' {
            letters.next().filter(|next| matches!(next, '\\' | ',' | '='))?
        } else {
            letter
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use model::yaml;
    use serde_json::json;

    use super::*;

    fn picks(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        LabelSelector::of(selector).expect(selector).matches(&labels)
    }

    #[test]
    fn every_form_of_a_label_selector_picks_what_it_says() {
        let labels = [("app", "cart"), ("tier", "front"), ("example.com/size", "5")];
        for selector in [
            "",
            " ",
            "app=cart",
            "app==cart",
            "app != shop",
            "missing!=x",
            "app in (shop, cart)",
            "app notin (shop),tier in (front,back)",
            "missing notin (a)",
            "app",
            "!missing",
            "example.com/size>4",
            "example.com/size < 6",
            "app=cart,tier=front,!missing",
        ] {
            assert!(picks(selector, &labels), "{selector}");
        }
        for selector in
            ["app=shop", "app!=cart", "missing", "!app", "app in (shop)", "app notin (cart)", "app=", "app>1"]
        {
            assert!(!picks(selector, &labels), "{selector}");
        }
    }

    #[test]
    fn what_is_no_label_selector_is_refused() {
        for selector in [
            "=a",
            "a=b=c",
            "a in b",
            "a in (b",
            "a in b)",
            "a (b)",
            "a b",
            ",",
            "a,,b",
            "a!b",
            "a>b",
            "a==b c",
            "-a",
            "a/b/c",
            "a in ((b))",
            "a in (b) c",
            "a=\u{e9}",
        ] {
            let status = LabelSelector::of(selector).expect_err(selector);
            assert_eq!((status.code(), status.reason()), (400, "BadRequest"));
        }
    }

    fn secret() -> Resource {
        yaml::read_value(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "a,b", "metadata": {"name": "key", "namespace": "shop"},
        }))
        .expect("a secret")
    }

    #[test]
    fn fields_are_compared_as_text() {
        let picks = |text: &str| FieldSelector::of(KindName::Secret, text).expect(text).matches(&secret());

        assert!(
            picks("") && picks("metadata.name=key") && picks("metadata.name==key,metadata.namespace=shop")
        );
        assert!(picks("metadata.name!=other") && picks("type=a\\,b"));
        assert!(!picks("metadata.name=other") && !picks("metadata.namespace!=shop"));
        let narrow =
            FieldSelector::of(KindName::Secret, "metadata.namespace=a,metadata.name=key").expect("reads");
        assert_eq!(narrow.name(), Some("key"));
    }

    #[test]
    fn a_field_that_is_not_known_is_named_with_those_that_are() {
        let status = FieldSelector::of(KindName::HttpRoute, "spec.x=1").expect_err("not known");

        assert_eq!(
            (status.code(), status.message()),
            (400, r#""spec.x" is not a known field selector: only "metadata.name", "metadata.namespace""#)
        );
        assert_eq!(FieldSelector::of(KindName::Secret, "type").map_err(|status| status.code()), Err(400));
    }
}
