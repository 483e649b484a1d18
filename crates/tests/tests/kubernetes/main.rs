//! Clients of Kubernetes, as they are, against a control plane that is none.

mod kubectl;
mod libraries;
mod made_up;
