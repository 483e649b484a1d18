//! An application that lives and dies with this process.
//!
//! The kernel ends it when we end without a word: a service whose proxy is gone would go on without its identity and
//! its policies, and nobody would notice. It is waited for by number, so that a process that is the first of its
//! container can also collect the orphans that the kernel hands it.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::UnshareFlags;

/// The application as a child of this process.
#[derive(Debug)]
pub struct Application {
    pid: Pid,
    ended: Option<Ended>,
    /// Whether everybody's orphans come to us.
    adopts: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal with this number.
    Signalled(u8),
}

impl Ended {
    /// The code that a shell would report: its own, or 128 and the signal's number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Ended::Exited(code) => code,
            Ended::Signalled(number) => number.saturating_add(128),
        }
    }
}

/// A file that only the application sees in place of another.
#[derive(Clone, Debug)]
pub struct InPlaceOf {
    /// What it sees.
    pub shown: PathBuf,
    /// Where it sees it. It must exist.
    pub place: PathBuf,
}

impl InPlaceOf {
    /// Both paths as system calls take them.
    fn for_the_kernel(self) -> io::Result<(CString, CString)> {
        let path = |path: PathBuf| CString::new(path.into_os_string().into_vec()).map_err(io::Error::other);
        Ok((path(self.shown)?, path(self.place)?))
    }
}

impl Application {
    /// Starts it. The calling thread must live as long as this process: when it ends, the application is killed.
    ///
    /// # Errors
    /// The program cannot be run, or `instead` needs a privilege that we lack (`CAP_SYS_ADMIN`).
    pub fn start(mut command: Command, instead: Option<InPlaceOf>) -> io::Result<Application> {
        let parent = rustix::process::getpid();
        let instead = instead.map(InPlaceOf::for_the_kernel).transpose()?;
        let before_exec = move || {
            die_with(parent)?;
            instead.as_ref().map_or(Ok(()), |(shown, place)| show_instead(shown, place))
        };
        // SAFETY: what runs between fork and exec are system calls and nothing else: no allocation, no lock, no drop.
        unsafe { command.pre_exec(before_exec) };
        let child = command.spawn()?;
        // Waiting is ours from here on; the standard library's handle neither waits nor kills when it is dropped.
        let pid = Pid::from_child(&child);
        Ok(Application { pid, ended: None, adopts: rustix::process::getpid().is_init() })
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends it a signal. One that has ended is not sent any: its number may be somebody else's.
    ///
    /// # Errors
    /// The number is none of a signal, or the application changed its user and may not be signalled.
    pub fn signal(&mut self, number: i32) -> io::Result<()> {
        if self.collect()?.is_some() {
            return Ok(());
        }
        let signal = Signal::from_named_raw(number).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(rustix::process::kill_process(self.pid, signal)?)
    }

    /// How it ended, if it has. To be asked whenever a child of this process may have ended (`SIGCHLD`).
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub fn collect(&mut self) -> io::Result<Option<Ended>> {
        while self.ended.is_none() || self.adopts {
            let found = match self.adopts {
                true => rustix::process::wait(WaitOptions::NOHANG),
                false => rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG),
            };
            match found {
                Ok(Some((pid, status))) if pid == self.pid => {
                    let number = |raw: i32| u8::try_from(raw).unwrap_or(u8::MAX);
                    let exited = status.exit_status().map(|code| Ended::Exited(number(code)));
                    let killed = status.terminating_signal().map(|signal| Ended::Signalled(number(signal)));
                    self.ended = exited.or(killed);
                }
                Ok(Some(_orphan)) => {}
                Ok(None) => break,
                Err(Errno::INTR) => {}
                Err(Errno::CHILD) if self.ended.is_some() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.ended)
    }
}

/// Whether we are in the foreground of a terminal, with whoever else is of our group: what is typed there goes to all.
#[must_use]
pub fn shares_terminal() -> bool {
    // Fails where standard input is no terminal, or not the one that controls us.
    rustix::termios::tcgetpgrp(rustix::stdio::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Asks the kernel to kill us when the thread that forked us ends, and sees whether it has already.
fn die_with(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    match rustix::process::getppid() == Some(parent) {
        true => Ok(()),
        false => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Leaves everybody else's view of the file system and mounts one file over another. A link is followed, so that it
/// works where the file is a link into another file system.
fn show_instead(shown: &CStr, place: &CStr) -> io::Result<()> {
    // SAFETY: only the mount table stops being shared; no descriptor and no memory is.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
    // What is mounted from here on must not come back to where we were forked.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(mount_bind(shown, place)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn end_of(mut application: Application) -> Ended {
        loop {
            if let Some(ended) = application.collect().expect("a child of ours") {
                return ended;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_code_is_the_applications_or_that_of_the_signal_that_ended_it() {
        let exits = Application::start(shell("exit 7"), None).expect("a shell");
        assert_eq!(end_of(exits), Ended::Exited(7));

        let mut killed = Application::start(shell("exec sleep 60"), None).expect("a shell");
        killed.signal(15).expect("a signal");
        let ended = end_of(killed);
        assert_eq!((ended, ended.code()), (Ended::Signalled(15), 143));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_not_a_child_that_ended() {
        let error = Application::start(Command::new("/nonexistent/cart"), None).expect_err("no program");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_can_stand_in_place_of_another_for_the_application_alone() {
        let folder = std::env::temp_dir().join(format!("selvedge-os-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (shown, place) = (folder.join("shown"), folder.join("place"));
        std::fs::write(&shown, "ours").expect("a file");
        std::fs::write(&place, "theirs").expect("a file");
        let script = format!("test \"$(cat {})\" = ours", place.display());

        let instead = InPlaceOf { shown, place: place.clone() };
        match Application::start(shell(&script), Some(instead)) {
            Ok(application) => assert_eq!(end_of(application), Ended::Exited(0)),
            // Where mounts are not allowed, it is refused and nothing runs without what was asked for.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }

        assert_eq!(std::fs::read_to_string(&place).expect("a file"), "theirs");
        std::fs::remove_dir_all(folder).ok();
    }

    #[test]
    fn one_that_has_ended_is_sent_nothing() {
        let mut application = Application::start(shell("true"), None).expect("a shell");
        while application.collect().expect("a child of ours").is_none() {
            std::thread::yield_now();
        }
        application.signal(9).expect("nothing happens");
        assert_eq!(application.collect().expect("known"), Some(Ended::Exited(0)));
    }
}
