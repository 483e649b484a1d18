//! Two proxies of one mesh, with real certificates between them.

#[path = "../http2/mod.rs"]
mod http2;
#[path = "../../../identity/tests/issuer/mod.rs"]
mod issuer;
#[path = "../made/mod.rs"]
mod made;
mod multiplexed;
mod openssl;
mod pair;
mod refusals;
mod requests;
mod rotation;
