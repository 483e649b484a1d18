//! Which ports this process may listen on.

/// Whether ports below 1024 are open to it: it is root, or the system gives them to everybody.
#[must_use]
pub fn may_listen_on_low_ports() -> bool {
    let first_free = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let free_for_all = first_free.is_ok_and(|first| first.trim().parse().is_ok_and(|first: u32| first <= 1));
    free_for_all || rustix::process::geteuid().is_root()
}
