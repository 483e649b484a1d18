//! The one binary. Everything it does is in the library, so that specs can do it in-process.

use std::process::ExitCode;

/// Workers allocate on their own threads only; mimalloc keeps that free of shared locks. It is built without huge
/// pages: they round a heap of a few megabytes up to several times its size.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    selvedge::cli::main()
}
