//! Who asks. A user is a name and some groups; nobody keeps a list of users.

use std::fmt;
use std::sync::Arc;

/// The group of everybody who has shown who they are.
pub const AUTHENTICATED: &str = "system:authenticated";

/// The group whose members may do everything. No binding says so and none can take it away, so that a mistake in the
/// bindings can always be mended.
pub const MASTERS: &str = "system:masters";

/// What the names of users begin with that are ServiceAccounts, followed by namespace and name.
pub const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Somebody who has shown who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their name.
    pub name: Arc<str>,
    /// Their groups, [`AUTHENTICATED`] among them.
    pub groups: Vec<Arc<str>>,
}

impl User {
    /// A user of some groups.
    pub fn new<G: Into<Arc<str>>>(name: impl Into<Arc<str>>, groups: impl IntoIterator<Item = G>) -> User {
        let mut groups: Vec<Arc<str>> = groups.into_iter().map(Into::into).collect();
        groups.push(AUTHENTICATED.into());
        groups.sort();
        groups.dedup();
        User { name: name.into(), groups }
    }

    /// Who shows a client certificate that was verified, as Kubernetes reads it: the common name is the user, each
    /// organisation a group. `None` for a subject without a common name, which is nobody.
    pub fn from_subject<'a>(
        common_name: Option<&str>,
        organisations: impl IntoIterator<Item = &'a str>,
    ) -> Option<User> {
        let name = common_name.filter(|name| !name.is_empty())?;
        Some(User::new(name, organisations))
    }

    /// Whether they belong to a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|known| &**known == group)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user `{}` (groups: {})", self.name, self.groups.join(", "))
    }
}
