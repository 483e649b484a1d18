//! Two proxies of one mesh, with real certificates between them.

#[path = "../../../identity/tests/issuer/mod.rs"]
mod issuer;
#[path = "../made/mod.rs"]
mod made;
mod pair;
mod refusals;
mod requests;
mod rotation;
