//! Identities of the mesh, made by a real control plane and judged by other people's programs.

mod calling;
mod certificates;
mod following;
mod keeping;
#[path = "../../../proxy/tests/made/mod.rs"]
mod made;
mod names;
mod plane;
mod refused;
mod rotation;
