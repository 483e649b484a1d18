//! Memory and time of this process, as the kernel counts them.

use std::path::Path;
use std::time::Duration;

/// What `/proc` counts time in.
const TICK: Duration = Duration::from_millis(10);

/// Resident memory of this process in KiB, the program's own code excepted.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// User and system time of this process.
pub fn cpu() -> Duration {
    name_and_cpu(Path::new("/proc/self")).expect("this process").1
}

/// The same of its threads of this name.
pub fn cpu_of_threads(name: &str) -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("/proc");
    threads
        .filter_map(|thread| name_and_cpu(&thread.ok()?.path()))
        .filter_map(|(called, cpu)| (called == name).then_some(cpu))
        .sum()
}

/// Of a process or of a thread, by its folder; nothing of one that has ended.
fn name_and_cpu(folder: &Path) -> Option<(String, Duration)> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some((name.to_owned(), TICK * ticks))
}
