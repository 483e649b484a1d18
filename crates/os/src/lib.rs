//! System calls: the only crate that may contain `unsafe` code, each use with its reason.
//!
//! What the standard library and `socket2` offer safely is used as it is; this crate is for the rest.
#![allow(unsafe_code)]

mod allocations;
mod application;
mod code;
mod heap;
mod listen;
mod pipe;
mod ports;
mod private_socket;
mod shutdown;
mod words;

pub use allocations::CountingAllocator;
pub use application::{Application, Ended, InPlaceOf, shares_terminal};
pub use code::let_go_of_code;
pub use heap::give_back_heap;
pub use listen::{ListenOptions, listen};
pub use pipe::Pipe;
pub use ports::may_listen_on_low_ports;
pub use private_socket::{PrivateSocket, SOCKET_PATH_BYTES_MAX};
pub use shutdown::{End, shutdown};
pub use words::Words;
