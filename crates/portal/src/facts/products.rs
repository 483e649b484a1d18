//! What is sold and to whom: products with their plans, applications with what they may call and by what they are
//! recognised.

use serde_json::Value;

use super::{Meta, list, page, text, texts};

/// A product.
#[derive(Clone, Debug)]
pub struct Product {
    /// What all objects have.
    pub meta: Meta,
    /// What people call it.
    pub title: String,
    /// How far along its life it is.
    pub state: String,
    /// URL of the page where a plan of it is chosen; empty when there is none.
    pub plans_page: String,
    /// What belongs to it.
    pub parts: Vec<Part>,
}

/// What belongs to a product of one version.
#[derive(Clone, Debug)]
pub struct Part {
    /// Name of the version.
    pub version: String,
    /// The page about it.
    pub page: String,
    /// Its operations; empty for all.
    pub operations: Vec<String>,
}

impl Product {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Product {
        let meta = Meta::of("APIProduct", object);
        let spec = &object["spec"];
        let part = |one: &Value| {
            let version = text(&one["version"]);
            Part {
                page: page("apis", &meta.namespace, &version),
                version,
                operations: texts(&one["operations"]),
            }
        };
        Product {
            title: text(&spec["title"]),
            state: text(&spec["state"]),
            plans_page: text(&spec["page"]),
            parts: list(&spec["apis"]).map(part).collect(),
            meta,
        }
    }

    /// What people call it; its place when they call it nothing.
    #[must_use]
    pub fn heading(&self) -> String {
        if self.title.is_empty() { self.meta.place() } else { self.title.clone() }
    }

    /// Whether a plan is one of it.
    #[must_use]
    pub fn has(&self, plan: &Plan) -> bool {
        plan.meta.namespace == self.meta.namespace && plan.product == self.meta.name
    }
}

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What all objects have.
    pub meta: Meta,
    /// What people call it; empty when they call it nothing.
    pub title: String,
    /// Name of the product.
    pub product: String,
    /// How far along its life it is.
    pub state: String,
    /// By what subscribers are recognised.
    pub credentials: Vec<String>,
    /// Who lets them in.
    pub approval: String,
    /// URL of the page where it is chosen; empty when there is none. Only the catalogue says it.
    pub chosen_at: String,
    /// What it gives, each as `selvedge plan create` takes it: `60/1m,burst=5`, `1000/Month@Europe/Berlin`.
    pub terms: Vec<String>,
}

impl Plan {
    /// What people call it; its name when they call it nothing.
    #[must_use]
    pub fn heading(&self) -> &str {
        if self.title.is_empty() { &self.meta.name } else { &self.title }
    }

    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Plan {
        let spec = &object["spec"];
        let rates = list(&spec["rates"]).map(|rate| {
            let burst = optional(",burst=", &rate["burst"]);
            format!("{}/{}{burst}", text(&rate["requests"]), text(&rate["per"]))
        });
        let quotas = list(&spec["quotas"]).map(|quota| {
            let soft = if quota["limit"] == "Soft" { ",soft" } else { "" };
            let zone = optional("@", &quota["timeZone"]);
            format!("{}/{}{zone}{soft}", text(&quota["requests"]), text(&quota["per"]))
        });
        Plan {
            meta: Meta::of("Plan", object),
            title: text(&spec["title"]),
            product: text(&spec["product"]),
            state: text(&spec["state"]),
            credentials: texts(&spec["credentials"]),
            approval: text(&spec["approval"]),
            chosen_at: text(&object["page"]),
            terms: rates.chain(quotas).collect(),
        }
    }
}

/// A value behind what leads to it, where there is one.
fn optional(before: &str, value: &Value) -> String {
    match text(value) {
        value if value.is_empty() => value,
        value => format!("{before}{value}"),
    }
}

/// An application.
#[derive(Clone, Debug)]
pub struct Application {
    /// What all objects have.
    pub meta: Meta,
    /// The team that it belongs to.
    pub team: String,
    /// Whether it may call.
    pub state: String,
}

impl Application {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Application {
        Application {
            meta: Meta::of("Application", object),
            team: text(&object["spec"]["team"]),
            state: text(&object["status"]["state"]),
        }
    }
}

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// What all objects have.
    pub meta: Meta,
    /// Name of the application, in the same namespace.
    pub application: String,
    /// The product, as `namespace/name`.
    pub product: String,
    /// Name of the plan, in the namespace of the product.
    pub plan: String,
    /// How far along its life it is.
    pub state: String,
    /// Who holds it.
    pub holds: Vec<String>,
}

impl Subscription {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Subscription {
        let meta = Meta::of("Subscription", object);
        let (spec, status) = (&object["spec"], &object["status"]);
        let product = match text(&spec["product"]) {
            product if product.contains('/') => product,
            product => format!("{}/{product}", meta.namespace),
        };
        Subscription {
            application: text(&spec["application"]),
            product,
            plan: text(&spec["plan"]),
            state: text(&status["state"]),
            holds: texts(&status["holds"]),
            meta,
        }
    }

    /// The page about its application.
    #[must_use]
    pub fn application_page(&self) -> String {
        page("applications", &self.meta.namespace, &self.application)
    }

    /// The page about its product.
    #[must_use]
    pub fn product_page(&self) -> String {
        let (namespace, name) = self.product.split_once('/').unwrap_or(("", &self.product));
        page("products", namespace, name)
    }

    /// Whether calls are let in by it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.holds.is_empty() && matches!(self.state.as_str(), "Active" | "Ending")
    }
}

/// By what an application is recognised.
#[derive(Clone, Debug)]
pub struct Credential {
    /// What all objects have.
    pub meta: Meta,
    /// Name of the application.
    pub application: String,
    /// `APIKey`, `SPIFFE`…
    pub kind: String,
    /// The beginning of a key, or an identity: nothing that lets somebody in.
    pub shown: String,
    /// Whether it is good.
    pub state: String,
    /// Until when; empty for good.
    pub expires: String,
}

impl Credential {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Credential {
        let (spec, status) = (&object["spec"], &object["status"]);
        let shown = [&status["shown"], &spec["identity"], &spec["certificate"]].map(text);
        Credential {
            meta: Meta::of("Credential", object),
            application: text(&spec["application"]),
            kind: text(&spec["type"]),
            shown: shown.into_iter().find(|shown| !shown.is_empty()).unwrap_or_default(),
            state: text(&status["state"]),
            expires: text(&spec["expiresAt"]),
        }
    }

    /// Whether it lets its application in.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state.as_str(), "Active" | "Rotating")
    }
}
