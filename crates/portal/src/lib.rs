//! The operator's console: what runs, how it does and what is wrong, as pages of a server.
//!
//! It is a client like any other. Everything a page shows was asked of the public API with the token of the person in
//! front, so it can show nobody more than `kubectl` would, and nothing has to be decided here about who may see what.
//! It is handed a way to ask ([`Api`]) and not an address: inside of a control plane the question needs no
//! connection, no trust in a certificate and no second port, and a test answers it from a table. It is not handed a
//! view of the control plane's memory, because that would be a second way in with rules of its own.
//!
//! A page is whole without a script; one small script asks for it again every few seconds. [`facts`] read what the API
//! answers, [`pages`] put it into templates, which escape every value, [`words`] are all sentences in every language.

pub mod api;
mod chart;
mod cookies;
mod doors;
pub mod facts;
mod form;
pub mod language;
mod mesh_picture;
mod pages;
mod picture;
mod respond;
mod sessions;
pub mod words;

pub use api::{Answered, Api};
pub use doors::{Clock, Console, FORM_BYTES_MAX};

/// The mesh as the console shows it, for whoever shows it elsewhere.
pub mod mesh {
    pub use crate::facts::mesh::{Call, Certificate, May, Mesh, Party, Replica, Role};
    pub use crate::mesh_picture::svg;
}
