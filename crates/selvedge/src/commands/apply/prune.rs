//! `--prune`: what was applied before and is no longer in the files.
//!
//! Only objects that `selvedge apply` made are ever deleted, and of those only the ones that the user's labels choose:
//! files of another folder, or of another person, are safe.

use client::{Client, Collection, DeleteOptions, FIELD_MANAGER, ListOptions, Object};
use model::Resource;
use model::kinds::KindName;

use crate::exit::Failure;
use crate::output;
use crate::remote::failure;
use crate::remote::files::rank;

/// The objects to delete, those that refer to others first.
pub async fn doomed(client: &Client, resources: &[Resource], selector: &str) -> Result<Vec<Object>, Failure> {
    let options = ListOptions { labels: Some(selector.to_owned()), fields: None };
    let mut doomed = Vec::new();
    let mut kinds = KindName::ALL.to_vec();
    kinds.sort_by_key(|kind| std::cmp::Reverse(rank(*kind)));
    for kind in kinds {
        let listed = match client.list(&Collection::everywhere(kind), &options).await {
            Ok(listed) => listed,
            Err(error) if error.status().is_some_and(|status| status.code == 403) => continue,
            Err(error) => return Err(failure(error)),
        };
        doomed.extend(listed.objects.into_iter().filter(|object| is_left_over(object, resources)));
    }
    Ok(doomed)
}

fn is_left_over(object: &Object, resources: &[Resource]) -> bool {
    object.is_applied_by(FIELD_MANAGER)
        && !resources
            .iter()
            .any(|resource| *resource.key.kind == *object.kind() && resource.key.place() == object.place())
}

/// Deletes one, and not a newer one of its name.
pub async fn delete(client: &Client, object: &Object, dry_run: bool) -> Result<(), Failure> {
    let Some(kind) = KindName::ALL.iter().copied().find(|kind| kind.as_str() == object.kind()) else {
        return Ok(());
    };
    let collection = Collection::within(kind, object.namespace().unwrap_or_default());
    let uid = Some(object.text("/metadata/uid").to_owned()).filter(|uid| !uid.is_empty());
    client.delete(&collection, object.name(), &DeleteOptions { uid, dry_run }).await.map_err(failure)?;
    let note = if dry_run { " (dry run)" } else { "" };
    output::data(format_args!("{} {} deleted{note}", object.kind(), object.place()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use control::files::SourceFile;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_applied_and_is_no_longer_written_is_left_over() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: { name: kept, namespace: shop }\nspec: { ports: [{ port: 80 }] }\n";
        let file = SourceFile { name: "a.yaml".into(), text: text.into() };
        let resources = crate::remote::files::parse(&[file]).expect("sound");
        let object = |name: &str, manager: &str| {
            Object(json!({ "kind": "Service", "metadata": { "name": name, "namespace": "shop",
                "managedFields": [{ "manager": manager, "operation": "Apply" }] } }))
        };

        assert!(is_left_over(&object("gone", "selvedge"), &resources));
        assert!(!is_left_over(&object("kept", "selvedge"), &resources));
        assert!(!is_left_over(&object("gone", "file"), &resources), "somebody else applied it");
    }
}
