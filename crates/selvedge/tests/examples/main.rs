//! Examples whose processes one command starts: they open, do what their pages say, and take everything with them.

mod mesh;
mod open;
#[path = "../plane/mod.rs"]
mod plane;
mod product;
#[path = "../scene/mod.rs"]
mod scene;
#[path = "../sidecars/mod.rs"]
mod sidecars;
