//! The authorities of a mesh from the inside: single requests, and several control planes on one store.

mod planes;
mod requests;
