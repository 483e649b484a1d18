//! Gives back the code that ran once.
//!
//! Most of the program's code reads command lines, checks schemas and compiles configurations; it runs at the start
//! and stays in memory as long as nobody else needs the room. An idle proxy beside every replica should not look
//! three times as large as it is, so once it serves, the pages of its code are let go of, and those that are still
//! needed come back from the file one by one.

use std::fs;
use std::io;

use rustix::mm::{Advice, madvise};

/// Lets go of the pages of the program's own code. What runs next is read again, from the page cache.
///
/// # Errors
/// The memory map of this process cannot be read; nothing was done then.
pub fn let_go_of_code() -> io::Result<()> {
    let program = fs::read_link("/proc/self/exe")?;
    let Some(program) = program.to_str() else { return Ok(()) };
    let maps = fs::read_to_string("/proc/self/maps")?;
    for (begin, end) in maps.lines().filter_map(|line| code_of(line, program)) {
        let start = std::ptr::with_exposed_provenance_mut::<std::ffi::c_void>(begin);
        // SAFETY: the range is a private mapping of the program's file that may be executed and not be written, so
        // nothing in it can differ from the file; the kernel reads it again when it is touched.
        unsafe { madvise(start, end - begin, Advice::LinuxDontNeed) }?;
    }
    Ok(())
}

/// The addresses of a line of the map, when it is code of the program that nothing can have written to.
fn code_of(line: &str, program: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let path = rest.splitn(5, ' ').last()?.trim_start();
    if !rest.starts_with("r-xp ") || path != program {
        return None;
    }
    let (begin, end) = range.split_once('-')?;
    Some((usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_program_itself_is_let_go_of() {
        let line = |rights: &str, path: &str| {
            format!("55d0e8a00000-55d0e8c00000 {rights} 00001000 08:01 42   {path}")
        };

        assert_eq!(
            code_of(&line("r-xp", "/bin/a b"), "/bin/a b"),
            Some((0x55d0_e8a0_0000, 0x55d0_e8c0_0000))
        );
        assert_eq!(code_of(&line("r--p", "/bin/a b"), "/bin/a b"), None, "it may have been relocated");
        assert_eq!(code_of(&line("rwxp", "/bin/a b"), "/bin/a b"), None, "it may have been written");
        assert_eq!(code_of(&line("r-xp", "/lib/libc.so"), "/bin/a b"), None);
        assert_eq!(code_of("", "/bin/a b"), None);
    }

    #[test]
    fn the_program_runs_on() {
        let_go_of_code().expect("a map of memory");

        assert_eq!(format!("{:?}", vec![1, 2, 3]), "[1, 2, 3]");
    }
}
