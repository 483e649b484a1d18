//! `RoleBinding` and `ClusterRoleBinding`: who has a role, and where.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A RoleBinding: gives a Role of its namespace, or a ClusterRole, within its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleBinding {
    /// Who has the role.
    #[serde(default)]
    pub subjects: Vec<BindingSubject>,
    /// Which role.
    pub role_ref: RoleRef,
}

/// A ClusterRoleBinding: gives a ClusterRole everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRoleBinding {
    /// Who has the role.
    #[serde(default)]
    pub subjects: Vec<BindingSubject>,
    /// Which role.
    pub role_ref: RoleRef,
}

/// The role that a binding gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleRef {
    /// The API group of roles.
    pub api_group: Arc<str>,
    /// Whether it is a role of the namespace.
    pub kind: RoleKind,
    /// Its name.
    pub name: Arc<str>,
}

/// What a binding may refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleKind {
    /// A Role in the namespace of the binding.
    Role,
    /// A ClusterRole.
    ClusterRole,
}

/// Somebody who has a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingSubject {
    /// What the name is of.
    pub kind: SubjectKind,
    /// The name.
    pub name: Arc<str>,
    /// Where a ServiceAccount is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubjectKind {
    /// One user.
    User,
    /// All members of a group.
    Group,
    /// A user whose name is made of a namespace and a name.
    ServiceAccount,
}
