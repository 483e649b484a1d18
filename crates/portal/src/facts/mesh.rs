//! The mesh as a picture tells of it (`docs/status-api.md`): parties, and who calls whom.

use serde_json::Value;

use super::{list, page, text, texts};

/// The mesh.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Name.
    pub name: String,
    /// Beginning of every identity.
    pub trust_domain: String,
    /// What is asked for where nobody said otherwise: `Strict`, `Permissive` or `Off`.
    pub mtls: String,
    /// What becomes of calls that no policy speaks of: `Allow` or `Deny`.
    pub default_action: String,
    /// How far a change of roots is; empty when none is under way.
    pub rotation: String,
    /// Live proxies.
    pub proxies: u64,
    /// Those of them that run on everything.
    pub programmed: u64,
    /// Whether the control plane that told it leads.
    pub leads: bool,
    /// Version of that control plane.
    pub version: String,
    /// Who is in it.
    pub parties: Vec<Party>,
    /// Who calls whom, the busiest first.
    pub calls: Vec<Call>,
    /// Parties and calls that are left out.
    pub left_out: u64,
}

/// Everybody under one identity.
#[derive(Clone, Debug)]
pub struct Party {
    /// As calls name it.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// SPIFFE ID; empty for who is nobody.
    pub identity: String,
    /// The Services that it answers for.
    pub services: Vec<String>,
    /// Whether everybody may call.
    pub is_open: bool,
    /// Its members.
    pub replicas: Vec<Replica>,
}

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A Gateway.
    Gateway,
    /// Workloads under one service account.
    Workload,
    /// A Service that nobody of the mesh answers for.
    Service,
}

/// A member of a party.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Name.
    pub name: String,
    /// Whether a proxy of the mesh stands there.
    pub has_proxy: bool,
    /// Whether that proxy is heard.
    pub is_connected: bool,
    /// Whether calls are sent to it, where somebody says.
    pub is_ready: Option<bool>,
    /// What its ports ask for.
    pub mtls: Vec<String>,
    /// What it shows.
    pub certificate: Option<Certificate>,
}

/// The certificate of a member.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// For how long it is good; negative when it has ended.
    pub left_seconds: f64,
    /// By when it is renewed.
    pub renews_within_seconds: f64,
    /// Its last moment.
    pub not_after: String,
    /// Why the last renewal failed; empty when it did not.
    pub problem: String,
}

/// From one party to another.
#[derive(Clone, Debug)]
pub struct Call {
    /// The caller; a SPIFFE ID for a stranger.
    pub from: String,
    /// Whom it calls.
    pub to: String,
    /// What is allowed.
    pub may: May,
    /// What says so.
    pub because: Vec<String>,
    /// Whether a connection is open.
    pub is_connected: bool,
    /// Requests a second.
    pub requests: f64,
    /// Those that were answered with 5xx, a second.
    pub errors: f64,
}

/// How much a caller may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Nothing passes.
    Nothing,
    /// Some requests pass.
    Some,
    /// Everything passes.
    Everything,
}

impl Mesh {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Mesh {
        let status = &object["status"];
        let plane = &status["controlPlane"];
        let count = |of: &Value, field: &str| of[field].as_u64().unwrap_or_default();
        Mesh {
            name: text(&object["metadata"]["name"]),
            trust_domain: text(&status["trustDomain"]),
            mtls: text(&status["mtls"]),
            default_action: text(&status["defaultAction"]),
            rotation: text(&status["rotation"]),
            proxies: count(plane, "proxies"),
            programmed: count(plane, "programmed"),
            leads: plane["leader"].as_bool().unwrap_or_default(),
            version: text(&plane["version"]),
            parties: list(&status["parties"]).map(Party::of).collect(),
            calls: list(&status["calls"]).map(Call::of).collect(),
            left_out: count(status, "partiesLeftOut") + count(status, "callsLeftOut"),
        }
    }
}

impl Party {
    fn of(value: &Value) -> Party {
        Party {
            name: text(&value["name"]),
            role: match value["role"].as_str() {
                Some("Gateway") => Role::Gateway,
                Some("Service") => Role::Service,
                _ => Role::Workload,
            },
            identity: text(&value["identity"]),
            services: texts(&value["services"]),
            is_open: value["open"].as_bool().unwrap_or_default(),
            replicas: list(&value["replicas"]).map(Replica::of).collect(),
        }
    }

    /// Its name without what it is.
    #[must_use]
    pub fn place(&self) -> &str {
        self.name.rsplit(' ').next().unwrap_or_default()
    }

    /// Members to which calls are sent, or which are heard where nobody says more.
    #[must_use]
    pub fn serving(&self) -> usize {
        let serves = |replica: &&Replica| {
            replica.is_ready.unwrap_or(replica.is_connected || !replica.has_proxy) && !replica.is_lost()
        };
        self.replicas.iter().filter(serves).count()
    }

    /// Whether something about it is not as one hopes.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        self.serving() < self.replicas.len() || self.replicas.iter().any(Replica::is_troubled)
    }

    /// What its ports ask for, each once.
    #[must_use]
    pub fn mtls(&self) -> Vec<&str> {
        let mut modes: Vec<&str> =
            self.replicas.iter().flat_map(|replica| &replica.mtls).map(String::as_str).collect();
        modes.sort_unstable();
        modes.dedup();
        modes
    }

    /// The certificate among its members' that ends first.
    #[must_use]
    pub fn first_to_end(&self) -> Option<&Certificate> {
        let all = self.replicas.iter().filter_map(|replica| replica.certificate.as_ref());
        all.min_by(|one, other| one.left_seconds.total_cmp(&other.left_seconds))
    }

    /// The page about it; empty when there is none.
    #[must_use]
    pub fn page(&self) -> String {
        match (self.role, self.place().split_once('/')) {
            (Role::Gateway, Some((namespace, name))) => page("gateways", namespace, name),
            (Role::Gateway | Role::Workload | Role::Service, _) => String::new(),
        }
    }
}

impl Replica {
    fn of(value: &Value) -> Replica {
        let flag = |field: &str| value[field].as_bool().unwrap_or_default();
        let certificate = |held: &Value| Certificate {
            left_seconds: held["leftSeconds"].as_f64().unwrap_or_default(),
            renews_within_seconds: held["renewsWithinSeconds"].as_f64().unwrap_or_default(),
            not_after: text(&held["notAfter"]),
            problem: text(&held["problem"]),
        };
        Replica {
            name: text(&value["name"]),
            has_proxy: flag("proxied"),
            is_connected: flag("connected"),
            is_ready: value["ready"].as_bool(),
            mtls: texts(&value["mtls"]),
            certificate: Some(&value["certificate"]).filter(|held| held.is_object()).map(certificate),
        }
    }

    /// Whether its proxy should be heard and is not.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.has_proxy && !self.is_connected
    }

    fn is_troubled(&self) -> bool {
        let ended = |held: &Certificate| held.left_seconds <= 0.0 || !held.problem.is_empty();
        self.is_lost() || self.certificate.as_ref().is_some_and(ended)
    }
}

impl Call {
    fn of(value: &Value) -> Call {
        Call {
            from: text(&value["from"]),
            to: text(&value["to"]),
            may: match value["may"].as_str() {
                Some("Nothing") => May::Nothing,
                Some("Some") => May::Some,
                _ => May::Everything,
            },
            because: texts(&value["because"]),
            is_connected: value["connected"].as_bool().unwrap_or_default(),
            requests: value["requestsPerSecond"].as_f64().unwrap_or_default(),
            errors: value["errorsPerSecond"].as_f64().unwrap_or_default(),
        }
    }

    /// Whether somebody calls now.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.is_connected || self.requests > 0.0
    }
}
