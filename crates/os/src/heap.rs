//! Memory that the allocator keeps for what may come.
//!
//! Taking in a thousand objects frees thousands of small pieces, and the thread that did it then waits for hours: what it
//! has freed stays with it, and counts. The allocator gives such pages back when it is asked to, or when it next works.

use libmimalloc_sys as _;

unsafe extern "C" {
    fn mi_collect(force: bool);
}

/// Gives back what this thread has freed and what ended threads have left. Where another allocator serves the program,
/// nothing happens.
pub fn give_back_heap() {
    // SAFETY: it may be called by any thread at any time; it frees nothing that is in use.
    unsafe { mi_collect(true) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_in_use_stays() {
        let kept = vec![7; 4096];

        super::give_back_heap();

        assert!(kept.iter().all(|number| *number == 7));
    }
}
