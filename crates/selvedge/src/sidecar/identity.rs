//! Who the workload is, as the Workload API tells it: what stands in the proxy, whenever that is replaced.

use std::sync::Arc;

use ::identity::Member;
use ::identity::member::Standing;
use rustls::pki_types::PrivateKeyDer;
use tokio::sync::watch;

use super::workload_api::Identity;

/// Follows a member for as long as it is polled.
pub async fn follow(member: Arc<Member>, told: watch::Sender<Option<Arc<Identity>>>) {
    let mut changes = member.watch();
    loop {
        changes.mark_unchanged();
        let now = of(&member.standing()).map(Arc::new);
        told.send_if_modified(|before| {
            let differs = *before != now;
            *before = now;
            differs
        });
        if changes.changed().await.is_err() {
            return;
        }
    }
}

fn of(standing: &Standing) -> Option<Identity> {
    let svid = standing.svid.as_ref()?;
    let id = svid.identity().clone();
    let PrivateKeyDer::Pkcs8(key) = svid.key() else { return None };
    let roots = standing.bundles.of(id.trust_domain()).map(|bundle| bundle.roots().to_vec());
    let others = standing.bundles.iter().filter(|(name, _)| *name != svid.identity().trust_domain());
    Some(Identity {
        id,
        chain: svid.chain().to_vec(),
        key: key.secret_pkcs8_der().to_vec(),
        roots: roots.unwrap_or_default(),
        others: others.map(|(name, bundle)| (name.to_owned(), bundle.roots().to_vec())).collect(),
    })
}
