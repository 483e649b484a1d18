//! Identities of the mesh, made by a real control plane and judged by other people's programs.

mod certificates;
mod keeping;
mod plane;
mod refused;
mod rotation;
