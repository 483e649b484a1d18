//! What a condition may speak of: one table, from which checks, evaluation and documentation come.

/// Types of facts and of what is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Yes or no.
    Bool,
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A list of texts.
    Texts,
    /// The header fields, which can only be asked for one by one.
    Headers,
    /// What a token claims, likewise.
    Claims,
}

impl Type {
    pub(super) fn words(self) -> &'static str {
        match self {
            Type::Bool => "a yes or no",
            Type::Text => "text",
            Type::Int => "a number",
            Type::Texts => "a list of texts",
            Type::Headers => "the headers",
            Type::Claims => "the claims",
        }
    }
}

/// One fact.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// `object.field`, or `object.part.field`.
    pub name: &'static str,
    /// Its type.
    pub found: Type,
    /// Whether it may be absent. A condition that asks for an absent fact cannot be evaluated; `has` tells.
    pub may_be_absent: bool,
    /// Whether there is one on connections that carry bytes.
    pub of_connections: bool,
    /// What it is, for people.
    pub about: &'static str,
}

const fn row(
    name: &'static str,
    found: Type,
    may_be_absent: bool,
    of_connections: bool,
    about: &'static str,
) -> Fact {
    Fact { name, found, may_be_absent, of_connections, about }
}

/// Every fact.
#[rustfmt::skip] // the table is the point
pub const FACTS: &[Fact] = &[
    //  name                       type           absent connections about
    row("request.method",          Type::Text,    false, false, "the method as received"),
    row("request.host",            Type::Text,    false, false, "the host in lower case, without port"),
    row("request.path",            Type::Text,    false, false, "the path in its canonical spelling"),
    row("request.query",           Type::Text,    true,  false, "everything behind the first `?`, as received"),
    row("request.headers",         Type::Headers, false, false, "header fields by lower-case name; several values are joined with `, `"),
    row("request.auth.principal",  Type::Text,    true,  false, "who the caller was found to be by an AuthenticationPolicy"),
    row("request.auth.claims",     Type::Claims,  false, false, "what the caller's token claims, by name: text, whole numbers, yes or no, and lists of texts, of which `scope` is one"),
    row("source.address",          Type::Text,    true,  true,  "the client's IP address, as far as trusted proxies vouch for it"),
    row("source.identity",         Type::Text,    true,  true,  "the caller's verified SPIFFE ID"),
    row("source.trustDomain",      Type::Text,    true,  true,  "the trust domain of that ID"),
    row("source.namespace",        Type::Text,    true,  true,  "the namespace in that ID"),
    row("source.serviceAccount",   Type::Text,    true,  true,  "the service account in that ID"),
    row("source.workload",         Type::Text,    true,  true,  "the caller's replica, `namespace/name`"),
    row("source.principal",        Type::Text,    true,  true,  "who the caller was found to be by an AuthenticationPolicy"),
    row("destination.port",        Type::Int,     false, true,  "the port that was asked"),
    row("destination.serverName",  Type::Text,    true,  true,  "the server name of the TLS handshake"),
];

/// The fact with a name.
#[must_use]
pub(super) fn fact(name: &str) -> Option<&'static Fact> {
    FACTS.iter().find(|fact| fact.name == name)
}
