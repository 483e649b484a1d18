//! A request for a certificate, from who asks to what is given.
//!
//! In this order, so that each step is worth doing: who asks, how often, for whom, with which key; then a token is used
//! up, and then signed. Everything that is refused or given is told in the audit log.

use std::sync::Arc;

use model::spiffe::SpiffeId;
use model::units::Moment;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::attest::attest;
use super::join::{JoinError, JoinTokens, Ticket};
use super::rate::Rate;
use super::settings;
use super::sign::sign;
use super::trust::{GATEWAY, GATEWAY_ACCOUNT};
use super::{Authorities, Opened};
use crate::api::Authenticator;
use crate::api::access::{Audit, Credentials, Wish};
use crate::api::home::GATEWAYS;
use crate::api::tls::Member;
use crate::clock::Clock;
use crate::objects::status::Status;
use crate::store::AuditEntry;

/// What the audit log calls a certificate that was asked for.
const WHAT: &str = "certificates.mesh.selvedge.dev";

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// A certificate request (RFC 2986), PEM. Only its key counts.
    pub csr: String,
    /// The replica: `namespace/name`.
    pub workload: String,
    /// The Gateway that a proxy with a token for gateways is of: `namespace/name`.
    #[serde(default)]
    pub gateway: Option<String>,
}

/// What somebody is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certified {
    /// The chain, leaf first, PEM.
    pub certificate: String,
    /// The roots that are trusted now, PEM.
    pub bundle: String,
    /// The trust domain that they count for.
    pub trust_domain: Arc<str>,
    /// Who the certificate says one is.
    pub identity: SpiffeId,
    /// Its last moment, RFC 3339.
    pub not_after: String,
}

/// Who asks, and by what that is known.
#[derive(Debug)]
enum Sender {
    Holder(Box<Ticket>),
    /// Somebody who may follow these Gateways; `None` for all.
    Gateway(Option<Vec<Arc<str>>>),
    Member(Member),
}

impl Sender {
    /// What is shown, which nobody chooses by himself.
    fn holds(&self) -> String {
        match self {
            Sender::Holder(ticket) => format!("token {}", ticket.place()),
            Sender::Gateway(None) => "gateways".to_owned(),
            Sender::Gateway(Some(gateways)) => format!("gateways {}", gateways.join(" ")),
            Sender::Member(member) => format!("member {} {}", member.id, member.workload),
        }
    }
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject {
    namespace: String,
    name: String,
    account: String,
}

/// Gives certificates.
#[derive(Debug)]
pub struct Certifier {
    authorities: Arc<Authorities>,
    tokens: JoinTokens,
    /// Knows the tokens of gateways.
    users: Arc<dyn Authenticator>,
    rate: Rate,
    clock: Clock,
    audit: Audit,
}

impl Certifier {
    /// Gives certificates of these authorities.
    #[must_use]
    pub fn new(
        authorities: Arc<Authorities>,
        users: Arc<dyn Authenticator>,
        clock: Clock,
        audit: Audit,
    ) -> Certifier {
        let (tokens, rate) = (JoinTokens::default(), Rate::new(Instant::now()));
        Certifier { authorities, tokens, users, rate, clock, audit }
    }

    /// Whether somebody may ask at all, told before anything of the request is read.
    ///
    /// # Errors
    /// 401 for who shows nothing that is good.
    pub(super) fn knows(&self, bearer: Option<&str>, member: Option<&Member>) -> Result<(), Status> {
        self.sender(bearer, member).map(drop).inspect_err(|status| {
            self.tell("system:anonymous", "", &format!("denied: {}", status.message()));
        })
    }

    /// Gives a certificate, or says why not.
    ///
    /// # Errors
    /// 400 for a request that is none, 401 and 403 for who may not, 429 for who asks too often, 503 while there is no
    /// authority.
    pub async fn certify(
        &self,
        bearer: Option<&str>,
        member: Option<&Member>,
        request: &CertificateRequest,
    ) -> Result<Certified, Status> {
        let answer = self.given(bearer, member, request).await;
        if let Err(status) = &answer {
            let who = member.map_or("system:anonymous", |member| member.name.user.as_str());
            let asked: String = request.workload.chars().take(128).flat_map(char::escape_debug).collect();
            self.tell(who, &asked, &format!("denied: {}", status.message()));
        }
        answer
    }

    async fn given(
        &self,
        bearer: Option<&str>,
        member: Option<&Member>,
        request: &CertificateRequest,
    ) -> Result<Certified, Status> {
        let sender = self.sender(bearer, member)?;
        let subject = self.subject(&sender, request)?;
        let asks = format!("{}/{} {}", subject.namespace, subject.name, subject.account);
        self.rate.take(&sender.holds(), &asks, Instant::now()).map_err(|wait| {
            Status::too_many_requests(wait.as_secs() + 1).because("certificates are asked for too often")
        })?;
        self.may_be(&subject)?;
        let opened = self.opened(&sender)?;
        let id =
            SpiffeId::of_service_account(&opened.settings.trust_domain, &subject.namespace, &subject.account)
                .map_err(|problem| Status::bad_request(problem.problem))?;
        let replica = format!("{}.{}.{}", subject.name, subject.namespace, opened.settings.trust_domain);
        let attested = attest(&request.csr, &id, &replica)
            .map_err(|refused| Status::bad_request(refused.to_string()))?;
        let place = format!("{}/{}", subject.namespace, subject.name);
        let used_up = self.entry(id.as_str(), &place, "allowed: the join token was used");
        if let Sender::Holder(ticket) = sender {
            let now = Moment(self.clock.seconds());
            let taken = ticket.take(self.authorities.world(), &subject.name, &attested.digest, now, used_up);
            taken.await.map_err(|error| refused(&error))?;
        }
        self.signed(&opened, &id, &replica, &place, &attested.key)
    }

    fn signed(
        &self,
        opened: &Opened,
        id: &SpiffeId,
        replica: &str,
        place: &str,
        key: &rcgen::SubjectPublicKeyInfo,
    ) -> Result<Certified, Status> {
        let Opened { settings, state, .. } = opened;
        let root = state.signer().ok_or_else(|| Status::internal_error("no authority of the mesh signs"))?;
        let issued = sign(root, key, id, replica, self.clock.now(), settings.lifetime)
            .map_err(|problem| Status::service_unavailable(&problem.to_string(), 5))?;
        let since = issued.not_after.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
        let not_after = Moment(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)).to_string();
        let outcome = format!("allowed: serial {} of root {} until {not_after}", issued.serial, root.id);
        self.tell(id.as_str(), place, &outcome);
        Ok(Certified {
            certificate: issued.chain,
            bundle: state.roots.iter().map(|root| root.anchor.as_str()).collect(),
            trust_domain: Arc::clone(&settings.trust_domain),
            identity: id.clone(),
            not_after,
        })
    }

    /// A token counts before a certificate, and a wrong one is not made good by one.
    fn sender(&self, bearer: Option<&str>, member: Option<&Member>) -> Result<Sender, Status> {
        let Some(token) = bearer else {
            let member = member.ok_or_else(|| {
                Status::unauthorized().because("show a join token, or the certificate that is to be renewed")
            })?;
            return Ok(Sender::Member(member.clone()));
        };
        let resources = self.authorities.world().now().resources;
        match self.tokens.ticket(&resources, token, Moment(self.clock.seconds())) {
            Ok(ticket) => Ok(Sender::Holder(Box::new(ticket))),
            Err(error) => self.gateway(token).ok_or_else(|| refused(&error)),
        }
    }

    fn gateway(&self, token: &str) -> Option<Sender> {
        let user = self.users.authenticate(&Credentials { bearer: Some(token), certificate: None })?;
        if user.is_in(GATEWAYS) {
            return Some(Sender::Gateway(None));
        }
        let named: Vec<Arc<str>> =
            user.groups.iter().filter_map(|group| group.strip_prefix(GATEWAY)).map(Into::into).collect();
        (!named.is_empty()).then_some(Sender::Gateway(Some(named)))
    }

    /// Whom the certificate is for: what the sender has shown, and the name of the replica as far as that leaves it
    /// open.
    fn subject(&self, sender: &Sender, request: &CertificateRequest) -> Result<Subject, Status> {
        let shape = "`workload` is `namespace/name`, each of at most 63 lower-case letters, digits and `-`";
        let (namespace, name) = request.workload.split_once('/').ok_or_else(|| Status::bad_request(shape))?;
        if !is_label(namespace) || !is_label(name) {
            return Err(Status::bad_request(shape));
        }
        let subject = |account: &str| Subject {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            account: account.to_owned(),
        };
        match sender {
            Sender::Holder(ticket) => {
                ticket.admits(namespace, name).map_err(|error| refused(&error))?;
                Ok(subject(ticket.service_account()))
            }
            Sender::Member(member) if *member.workload == *request.workload => {
                Ok(subject(member.id.service_account().unwrap_or_default()))
            }
            Sender::Member(member) => Err(forbidden(&format!(
                "the certificate that was shown is of workload `{}`, and renews no other",
                member.workload
            ))),
            Sender::Gateway(allowed) => {
                let gateway = self.which_gateway(allowed.as_deref(), request)?;
                let (within, called) = gateway.split_once('/').unwrap_or_default();
                if within != namespace {
                    return Err(forbidden(&format!(
                        "a proxy of Gateway `{gateway}` is a workload of `{within}`"
                    )));
                }
                Ok(subject(&format!("{GATEWAY_ACCOUNT}{called}")))
            }
        }
    }

    fn which_gateway(
        &self,
        allowed: Option<&[Arc<str>]>,
        request: &CertificateRequest,
    ) -> Result<Arc<str>, Status> {
        let gateway: Arc<str> = match (&request.gateway, allowed) {
            (Some(named), None) => named.as_str().into(),
            (Some(named), Some(allowed)) => {
                let known = allowed.iter().find(|allowed| ***allowed == **named).cloned();
                known.ok_or_else(|| forbidden(&format!("the token is not for Gateway `{named}`")))?
            }
            (None, Some([only])) => Arc::clone(only),
            (None, Some(_) | None) => {
                return Err(Status::bad_request(
                    "say which Gateway the proxy is of: `gateway`, `namespace/name`",
                ));
            }
        };
        let (namespace, name) = gateway.split_once('/').unwrap_or_default();
        match self.authorities.world().now().resources.gateway(namespace, name) {
            Some(_) => Ok(gateway),
            None => Err(forbidden(&format!("there is no Gateway `{gateway}`"))),
        }
    }

    /// A name belongs to the service account of the Workload that has it: who could take the name of another account's
    /// replica would be told what concerns that one, and would be let in where it is.
    fn may_be(&self, subject: &Subject) -> Result<(), Status> {
        let Subject { namespace, name, account } = subject;
        let resources = self.authorities.world().now().resources;
        match resources.workload(namespace, name) {
            Some(known) if *known.content.spec.service_account != **account => Err(forbidden(&format!(
                "workload `{namespace}/{name}` runs as another service account than `{account}`; take another name, or a \
                 token for that account"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// The mesh that a member is of; the usual one for who joins.
    fn opened(&self, sender: &Sender) -> Result<Opened, Status> {
        let resources = self.authorities.world().now().resources;
        let settings = match sender {
            Sender::Member(member) => {
                settings::meshes(&resources).into_iter().find(|settings| *settings.mesh == *member.mesh)
            }
            Sender::Holder(_) | Sender::Gateway(_) => settings::usual(&resources),
        };
        let settings = settings.ok_or_else(|| {
            Status::no_such_path().because("there is no Mesh to join, or several and none called `default`")
        })?;
        match self.authorities.open(&resources, &settings) {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => Err(Status::service_unavailable("the authority of the mesh is not made yet", 1)),
            Err(unopened) => Err(Status::internal_error(&unopened.to_string())),
        }
    }

    fn entry(&self, who: &str, place: &str, outcome: &str) -> AuditEntry {
        let wish = Wish { verb: "certify".into(), resource: WHAT.into(), ..Wish::default() };
        let mut entry = self.audit.entry(who, &wish, outcome);
        if !place.is_empty() {
            entry.what = format!("{WHAT} {place}").into();
        }
        entry
    }

    fn tell(&self, who: &str, place: &str, outcome: &str) {
        self.audit.keep(self.entry(who, place, outcome));
    }
}

fn refused(error: &JoinError) -> Status {
    match error {
        JoinError::Unknown | JoinError::Expired | JoinError::Used(_) => {
            Status::unauthorized().because(&error.to_string())
        }
        JoinError::Workload { .. } | JoinError::Account(_) => forbidden(&error.to_string()),
        JoinError::Unavailable => Status::service_unavailable(&error.to_string(), 1),
    }
}

fn forbidden(why: &str) -> Status {
    Status::forbidden_path(why)
}

/// One DNS label (RFC 1123).
fn is_label(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}
