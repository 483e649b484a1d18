//! Gives back the code that ran once.
//!
//! Most of the program's code reads command lines, checks schemas and compiles configurations; it runs at the start
//! and stays in memory as long as nobody else needs the room. An idle proxy beside every replica should not look
//! three times as large as it is, so once it serves, the pages of its code are let go of, and those that are still
//! needed come back from the file one by one.

use std::ffi::{c_int, c_void};

use rustix::mm::{Advice, madvise};

/// Lets go of the pages of the program's own code; libraries are not touched, and nothing is allocated. What runs next
/// is read again, from the page cache. Where it cannot be done, only more memory is in use than need be.
pub fn let_go_of_code() {
    // SAFETY: the callback is called before this returns, with what it expects, and keeps nothing.
    unsafe { libc::dl_iterate_phdr(Some(let_go_of), std::ptr::null_mut()) };
}

/// Told of each loaded object, the program first; another answer than 0 ends it after that one.
///
/// # Safety
/// `info` is what `dl_iterate_phdr` gives.
unsafe extern "C" fn let_go_of(info: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> c_int {
    // SAFETY: as promised by the caller.
    let info = unsafe { &*info };
    // SAFETY: the loader describes as many segments as it says, and they stay as long as the program runs.
    let segments = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    for segment in segments.iter().filter(|segment| is_code(segment)) {
        let begin = (info.dlpi_addr + segment.p_vaddr) as usize;
        let (begin, end) = (begin.next_multiple_of(PAGE), (begin + segment.p_memsz as usize) & !(PAGE - 1));
        let Some(length) = end.checked_sub(begin) else { continue };
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(begin);
        // SAFETY: whole pages of a private mapping of the program's file that may be executed and not be written, so
        // nothing in them can differ from the file; the kernel reads them again when they are touched.
        let _ = unsafe { madvise(start, length, Advice::LinuxDontNeed) };
    }
    1
}

/// A multiple of every page size of the machines we run on.
const PAGE: usize = 65_536;

/// Whether a segment is loaded to be executed and can never have been written to.
fn is_code(segment: &libc::Elf64_Phdr) -> bool {
    let rights = segment.p_flags & (libc::PF_R | libc::PF_W | libc::PF_X);
    segment.p_type == libc::PT_LOAD && rights == libc::PF_R | libc::PF_X
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_runs_on() {
        let_go_of_code();

        assert_eq!(format!("{:?}", vec![1, 2, 3]), "[1, 2, 3]");
    }

    #[test]
    fn what_can_be_written_is_no_code() {
        let segment = |p_type, p_flags| libc::Elf64_Phdr {
            p_type,
            p_flags,
            p_offset: 0,
            p_vaddr: 0,
            p_paddr: 0,
            p_filesz: 0,
            p_memsz: 0,
            p_align: 0,
        };

        assert!(is_code(&segment(libc::PT_LOAD, libc::PF_R | libc::PF_X)));
        assert!(!is_code(&segment(libc::PT_LOAD, libc::PF_R)), "it may have been relocated");
        assert!(!is_code(&segment(libc::PT_LOAD, libc::PF_R | libc::PF_W | libc::PF_X)));
        assert!(!is_code(&segment(libc::PT_DYNAMIC, libc::PF_R | libc::PF_X)));
    }
}
