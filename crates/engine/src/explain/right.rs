//! What must have been subscribed to, in words that outlive the config they were said in.

use std::fmt;

use serde::Serialize;

use crate::config::{Access, ProductTerms};

/// What gives the right to ask for an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Right {
    /// The products of which one is enough.
    pub products: Vec<ProductRight>,
    /// The plan on which everybody has it.
    pub keyless: Option<String>,
}

/// A product that gives a right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductRight {
    /// `namespace/name` of the APIProduct.
    pub name: String,
    /// Its plans that hold, each with what it gives.
    pub plans: Vec<PlanRight>,
}

/// What a plan gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanRight {
    /// `namespace/name` of the Plan.
    pub name: String,
    /// Its limits as they are called.
    pub limits: Vec<String>,
}

impl Right {
    /// A demand in words.
    #[must_use]
    pub fn new(access: &Access) -> Right {
        Right {
            products: access.products.iter().map(|product| ProductRight::new(product)).collect(),
            keyless: access.keyless.as_ref().map(|keyless| keyless.plan.name.to_string()),
        }
    }
}

impl ProductRight {
    fn new(product: &ProductTerms) -> ProductRight {
        let plans = product.plans.iter().map(|plan| PlanRight {
            name: plan.name.to_string(),
            limits: plan.rates.iter().map(|rate| rate.name.to_string()).collect(),
        });
        ProductRight { name: product.name.to_string(), plans: plans.collect() }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plan) = &self.keyless {
            return write!(f, "anybody, on plan {plan}");
        }
        let products: Vec<String> = self.products.iter().map(ToString::to_string).collect();
        write!(f, "a subscription to {}", products.join(", or to "))
    }
}

impl fmt::Display for ProductRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plans.is_empty() {
            return write!(f, "{}, which nobody can have: it has no plan that holds", self.name);
        }
        let plans = self.plans.iter().map(|plan| match plan.limits.is_empty() {
            true => plan.name.clone(),
            false => format!("{} {}", plan.name, plan.limits.join(" ")),
        });
        write!(f, "{} ({})", self.name, plans.collect::<Vec<_>>().join("; "))
    }
}
