//! Judges one listener by itself: its protocol, the kinds it takes, its certificates.

use std::sync::Arc;

use model::Resources;
use model::kinds::gateway::{FromNamespaces, Gateway, Listener, Protocol, RouteNamespaces, TlsMode};
use model::kinds::references::ObjectRef;
use model::kinds::{CORE_GROUP, GATEWAY_GROUP, KindName};
use model::labels::LabelSelector;
use model::resources::{Referred, Referrer, Typed};

use super::callers::{self, Caller};
use super::certificates::{Certificates, Remembered};
use super::frontend;
use super::resilience::GatewaySide;
use crate::config::{ClientValidation, KeyPair};
use crate::matching::HostPattern;
use crate::status::{GroupKind, Reason};

/// What routes need to know of a listener. Equal views mean that no route has to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenerView {
    /// What routes call it by.
    pub(super) parent: ParentKind,
    /// Namespace of the Gateway.
    pub(super) namespace: Arc<str>,
    /// Name of the Gateway.
    pub(super) gateway: Arc<str>,
    /// Name within the Gateway.
    pub(super) name: Arc<str>,
    /// `namespace/gateway/listener`.
    pub(super) unique: Arc<str>,
    pub(super) hostname: HostPattern,
    pub(super) port: u16,
    /// Whether TLS ends here.
    pub(super) tls: bool,
    /// The kinds of routes that may attach.
    pub(super) takes: &'static [KindName],
    pub(super) from: RouteSource,
    /// The Gateway, where it shows backends a certificate of its own.
    pub(super) caller: Option<Caller>,
    /// Whether traffic is taken.
    pub(super) served: bool,
    /// What policies for the Gateway say of its requests.
    pub(super) says: GatewaySide,
}

/// What the parent of a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParentKind {
    /// A Gateway; its listeners are views.
    Gateway,
    /// A Service, before whose callers a proxy stands; its ports are views.
    Service,
}

/// From which namespaces routes may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RouteSource {
    All,
    Same,
    Nowhere,
    Selector(LabelSelector),
    /// From this one, which is not the parent's own.
    Only(Arc<str>),
}

/// A listener with everything found out about it.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) view: ListenerView,
    pub(super) family: Family,
    pub(super) supported_kinds: Vec<GroupKind>,
    /// Why it takes no traffic.
    pub(super) refused: Option<(Reason, String)>,
    /// Whether the reason is a conflict with another listener.
    pub(super) conflict: Option<(Reason, String)>,
    /// References that do not resolve.
    pub(super) unresolved: Option<(Reason, String)>,
    pub(super) certificates: Vec<Arc<KeyPair>>,
    /// What is asked of clients.
    pub(super) client_validation: Option<Arc<ClientValidation>>,
}

/// What listeners must share to share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// HTTP in cleartext.
    Http,
    /// HTTP behind a TLS handshake.
    Https,
    /// Bytes behind a TLS handshake.
    Tls,
    /// Bytes.
    Tcp,
    /// HTTP between members of the mesh.
    Mesh,
    /// Datagrams, which share nothing with TCP ports.
    Udp,
    /// A protocol nobody knows; it is never listened on.
    Unknown,
}

/// What certificates are looked up with.
pub(super) struct Lookup<'a> {
    pub(super) resources: &'a Resources,
    pub(super) remembered: &'a mut Remembered,
    pub(super) certificates: &'a mut dyn Certificates,
}

impl Judged {
    pub(super) fn new(gateway: Typed<'_, Gateway>, listener: &Listener, lookup: &mut Lookup<'_>) -> Judged {
        let namespace: Arc<str> = gateway.resource.namespace().into();
        let name: Arc<str> = gateway.resource.key.name.to_arc();
        let (family, tls, carried) = match listener.protocol {
            Protocol::Http => (Family::Http, false, Some(KindName::HttpRoute)),
            Protocol::Https => (Family::Https, true, Some(KindName::HttpRoute)),
            Protocol::Tls => (Family::Tls, true, Some(KindName::TcpRoute)),
            Protocol::Tcp => (Family::Tcp, false, Some(KindName::TcpRoute)),
            Protocol::Udp => (Family::Udp, false, None),
            Protocol::Mesh => (Family::Mesh, false, Some(KindName::HttpRoute)),
            Protocol::Other(_) => (Family::Unknown, false, None),
        };
        let (supported_kinds, invalid_kinds) = kinds(listener, carried);
        let mut judged = Judged {
            view: ListenerView {
                parent: ParentKind::Gateway,
                unique: format!("{namespace}/{name}/{}", listener.name).into(),
                namespace,
                gateway: name,
                name: listener.name.clone(),
                hostname: HostPattern::new(listener.hostname.as_ref().map(AsRef::as_ref)),
                port: listener.port,
                tls,
                takes: match carried {
                    Some(KindName::HttpRoute) if !supported_kinds.is_empty() => &[KindName::HttpRoute],
                    Some(KindName::TcpRoute) if !supported_kinds.is_empty() => &[KindName::TcpRoute],
                    Some(_) | None => &[],
                },
                from: source(&listener.allowed_routes.namespaces),
                caller: callers::caller(gateway),
                served: false,
                says: GatewaySide::default(),
            },
            family,
            supported_kinds,
            refused: None,
            conflict: None,
            unresolved: invalid_kinds,
            certificates: Vec::new(),
            client_validation: None,
        };
        judged.judge_protocol(listener, carried.is_some());
        judged.judge_membership(lookup.resources);
        if tls {
            judged.judge_certificates(gateway, listener, lookup);
            judged.judge_clients(gateway, lookup);
        }
        judged
    }

    fn judge_protocol(&mut self, listener: &Listener, served: bool) {
        let protocol = listener.protocol.as_str();
        if !served {
            let message = format!(
                "protocol `{protocol}` is not served; use HTTP, HTTPS, TCP, TLS or {}",
                Protocol::Mesh.as_str()
            );
            self.refused = Some((Reason::UnsupportedProtocol, message));
            return;
        }
        if !self.view.tls {
            return;
        }
        if listener.tls.as_ref().is_none_or(|tls| tls.mode == TlsMode::Passthrough) {
            let message = format!(
                "a listener for {protocol} ends TLS: `tls.mode` must be Terminate, with certificates"
            );
            self.refused = Some((Reason::UnsupportedValue, message));
        }
    }

    /// Without a mesh nobody could show who they are, and nobody would get in.
    fn judge_membership(&mut self, resources: &Resources) {
        if self.family == Family::Mesh && resources.mesh().is_none() {
            let message =
                format!("`{}` is for members of a Mesh, and there is none", Protocol::Mesh.as_str());
            self.refused = Some((Reason::UnsupportedProtocol, message));
        }
    }

    /// A listener that is to verify its clients and cannot must not open without asking.
    fn judge_clients(&mut self, gateway: Typed<'_, Gateway>, lookup: &mut Lookup<'_>) {
        let Some(asked) = frontend::asked(gateway.content, self.view.port) else { return };
        let (validation, problems) = frontend::resolve(gateway.resource.namespace(), asked, lookup);
        let unresolved = join(problems);
        if validation.is_none() && self.refused.is_none() {
            let text = unresolved.as_ref().map_or("there are no references", |(_, text)| text);
            self.refused =
                Some((Reason::NoValidCACertificate, format!("no client could be verified: {text}")));
        }
        self.client_validation = validation;
        if self.unresolved.is_none() {
            self.unresolved = unresolved;
        }
    }

    fn judge_certificates(
        &mut self,
        gateway: Typed<'_, Gateway>,
        listener: &Listener,
        lookup: &mut Lookup<'_>,
    ) {
        let references = listener.tls.as_ref().map_or(&[][..], |tls| &tls.certificate_refs);
        let mut problems: Vec<(Reason, String)> = Vec::new();
        for reference in references {
            match certificate(gateway.resource.namespace(), reference, lookup) {
                Ok((pair, problem)) => {
                    self.certificates.extend(pair);
                    problems.extend(problem.map(|text| (Reason::InvalidCertificateRef, text)));
                }
                Err(problem) => problems.push(problem),
            }
        }
        if references.is_empty() {
            problems.push((Reason::InvalidCertificateRef, "`tls.certificateRefs` is empty".to_owned()));
        }
        if self.unresolved.is_none() {
            self.unresolved = join(problems);
        }
    }
}

/// The first reason with all sentences.
pub(super) fn join(problems: Vec<(Reason, String)>) -> Option<(Reason, String)> {
    let reason = problems.first()?.0;
    let texts: Vec<String> = problems.into_iter().map(|(_, text)| text).collect();
    Some((reason, texts.join("; ")))
}

/// Why something does not work, in one word and in a sentence.
pub(super) type Problem = (Reason, String);
/// A pair to show, and what is wrong with the Secret it came from.
type Found = (Option<Arc<KeyPair>>, Option<String>);

/// The pair in a Secret that a Gateway refers to.
pub(super) fn certificate(
    namespace: &str,
    reference: &ObjectRef,
    lookup: &mut Lookup<'_>,
) -> Result<Found, Problem> {
    let ObjectRef { group, kind, name, namespace: elsewhere } = reference;
    if **group != *CORE_GROUP || **kind != *KindName::Secret.as_str() {
        let message = format!("a certificate cannot be a `{kind}`; use a Secret of type kubernetes.io/tls");
        return Err((Reason::InvalidCertificateRef, message));
    }
    let target = elsewhere.as_deref().unwrap_or(namespace);
    let from = Referrer { group: GATEWAY_GROUP, kind: "Gateway", namespace };
    let to = Referred { group: CORE_GROUP, kind: "Secret", namespace: target, name };
    if !lookup.resources.may_refer(from, to) {
        let message =
            format!("no ReferenceGrant in `{target}` lets Gateways of `{namespace}` use Secret `{name}`");
        return Err((Reason::RefNotPermitted, message));
    }
    let Some(secret) = lookup.resources.secret(target, name) else {
        return Err((Reason::InvalidCertificateRef, format!("no Secret `{target}/{name}` exists")));
    };
    let state = lookup.remembered.pair(secret, lookup.certificates);
    let kept = if state.usable.is_some() { "; the last good pair is served" } else { "" };
    let problem = state.problem.map(|text| format!("Secret `{target}/{name}`: {text}{kept}"));
    Ok((state.usable, problem))
}

fn source(namespaces: &RouteNamespaces) -> RouteSource {
    match (namespaces.from, &namespaces.selector) {
        (FromNamespaces::All, _) => RouteSource::All,
        (FromNamespaces::Same, _) => RouteSource::Same,
        (FromNamespaces::None, _) | (FromNamespaces::Selector, None) => RouteSource::Nowhere,
        (FromNamespaces::Selector, Some(selector)) => RouteSource::Selector(selector.clone()),
    }
}

/// Kinds a listener takes, and what is wrong with those it asks for.
fn kinds(listener: &Listener, carried: Option<KindName>) -> (Vec<GroupKind>, Option<Problem>) {
    let kind = |name: KindName| GroupKind { group: name.group().into(), kind: name.as_str().into() };
    let possible: Vec<GroupKind> = carried.map(kind).into_iter().collect();
    if listener.allowed_routes.kinds.is_empty() {
        return (possible, None);
    }
    let asked = listener.allowed_routes.kinds.iter();
    let asked = asked.map(|kind| GroupKind { group: kind.group.clone(), kind: kind.kind.clone() });
    let (mut valid, invalid): (Vec<GroupKind>, Vec<GroupKind>) =
        asked.partition(|kind| possible.contains(kind));
    valid.dedup();
    let names: Vec<&str> = invalid.iter().map(|kind| &*kind.kind).collect();
    let problem = (!invalid.is_empty()).then(|| {
        let message =
            format!("a listener for {} cannot take {}", listener.protocol.as_str(), names.join(", "));
        (Reason::InvalidRouteKinds, message)
    });
    (valid, problem)
}
