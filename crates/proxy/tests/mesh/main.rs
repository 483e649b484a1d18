//! Two proxies of one mesh, with real certificates between them.

mod certomancer;
mod envoy;
#[path = "../http2/mod.rs"]
mod http2;
#[path = "../../../identity/tests/issuer/mod.rs"]
mod issuer;
mod multiplexed;
mod openssl;
mod pair;
mod refusals;
mod requests;
mod rotation;
mod traffic;

use http2::made;
