//! Gives memory back that the heap keeps in case it is wanted again.
//!
//! To read and compile a configuration takes several times the memory of its result. The allocator would keep that
//! for the next time, on the thread that used it; the next time may be tomorrow.

/// Returns what the calling thread's heap holds and nobody uses to the system. It takes about a millisecond: for the
/// end of something rare, not for the path of requests.
///
/// Without effect in programs that use another allocator.
pub fn give_back() {
    // SAFETY: the function takes no pointer, may be called from any thread at any time, and frees only pages in which
    // no block is in use.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
