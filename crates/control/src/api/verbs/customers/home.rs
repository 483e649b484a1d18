//! A namespace in which customers are is not deleted: they are not part of what goes with it, and keys that nobody sees
//! any more would go on letting somebody in.

use model::kinds::KindName;

use super::{failed, rows};
use crate::api::state::State;
use crate::objects::status::{About, Status};
use crate::store::customers::Page;

/// Who has a life of their own; subscriptions and credentials go with their application.
const SETTLERS: [KindName; 3] = [KindName::Application, KindName::Developer, KindName::Team];

/// Refuses to delete a namespace while customers are in it.
pub async fn refuse_while_inhabited(state: &State, namespace: &str) -> Result<(), Status> {
    // A store without customers has none in any namespace.
    let Ok(rows) = rows(state) else { return Ok(()) };
    for kind in SETTLERS {
        let page = Page { kind, namespace: Some(namespace.into()), after: None, limit: 1 };
        let (_, found) = rows.page(page).await.map_err(failed)?;
        if let Some(row) = found.first() {
            let why = format!(
                "{} `{}` is in it; delete its applications, developers and teams first",
                kind.as_str(),
                row.name
            );
            return Err(Status::conflict(About::new(KindName::Namespace, namespace), &why));
        }
    }
    Ok(())
}
