//! Which kubeconfig is meant.
//!
//! What is named on the command line comes first, then the environment, then the one of a control plane with its data
//! in the folder for data of this user. The one in `~/.kube` is not looked at: it most likely leads to a cluster of
//! somebody's company, and nobody should change that by forgetting a flag.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::Error;

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// This file.
    pub kubeconfig: Option<PathBuf>,
    /// The file that a control plane with this data directory has written.
    pub data: Option<PathBuf>,
    /// This context of it.
    pub context: Option<String>,
}

/// What the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `KUBECONFIG`: files, separated by colons.
    pub kubeconfig: Option<OsString>,
    /// `XDG_DATA_HOME`
    pub data_home: Option<PathBuf>,
    /// `HOME`
    pub home: Option<PathBuf>,
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Environment {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Environment {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            data_home: path("XDG_DATA_HOME").filter(|path| path.is_absolute()),
            home: path("HOME"),
        }
    }

    /// Where a control plane of this user is looked for when none is named.
    #[must_use]
    pub fn data_directory(&self) -> Option<PathBuf> {
        let beside_home = || Some(self.home.as_ref()?.join(".local/share"));
        Some(self.data_home.clone().or_else(beside_home)?.join("selvedge"))
    }

    /// The kubeconfig it writes there.
    #[must_use]
    pub fn default_kubeconfig(&self) -> Option<PathBuf> {
        Some(self.data_directory()?.join(FILE_NAME))
    }
}

/// Name of the kubeconfig that a control plane writes into its data directory.
const FILE_NAME: &str = "admin.kubeconfig";

/// The files to read, in the order of their say.
pub(super) fn files(wanted: &Wanted, environment: &Environment) -> Result<Vec<PathBuf>, Error> {
    if let Some(file) = &wanted.kubeconfig {
        return Ok(vec![file.clone()]);
    }
    if let Some(data) = &wanted.data {
        return Ok(vec![data.join(FILE_NAME)]);
    }
    if let Some(list) = &environment.kubeconfig {
        let named: Vec<PathBuf> =
            std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
        let present: Vec<PathBuf> = named.iter().filter(|path| path.exists()).cloned().collect();
        // When none exists, reading the first one gives the reason.
        return Ok(if present.is_empty() { named.into_iter().take(1).collect() } else { present });
    }
    match environment.default_kubeconfig() {
        Some(file) if file.exists() => Ok(vec![file]),
        Some(file) => Err(Error::config(
            format!("no control plane is known: `{}` does not exist", file.display()),
            "start one with `selvedge control --data DIR` or `selvedge up`, which says where it is, and name it with --data DIR",
        )),
        None => Err(Error::config(
            "no control plane is known: neither KUBECONFIG nor HOME is set",
            "name a kubeconfig with --kubeconfig",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_comes_before_the_environment() {
        let environment = Environment { kubeconfig: Some("/a:/b".into()), ..Environment::default() };
        let named = Wanted { kubeconfig: Some("/c".into()), data: Some("/d".into()), context: None };
        let data = Wanted { kubeconfig: None, ..named.clone() };

        assert_eq!(files(&named, &environment).expect("a file"), [PathBuf::from("/c")]);
        assert_eq!(files(&data, &environment).expect("a file"), [PathBuf::from("/d/admin.kubeconfig")]);
        assert_eq!(files(&Wanted::default(), &environment).expect("a file"), [PathBuf::from("/a")]);
    }

    #[test]
    fn without_any_word_it_is_the_file_that_up_writes() {
        let home = tempfile::tempdir().expect("a directory");
        let environment = Environment { home: Some(home.path().to_owned()), ..Environment::default() };
        let file = home.path().join(".local/share/selvedge/admin.kubeconfig");

        let missing = files(&Wanted::default(), &environment).expect_err("no such file");
        assert!(missing.hint().contains("selvedge control"), "{missing}");

        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(&file, "").expect("a file");
        assert_eq!(files(&Wanted::default(), &environment).expect("a file"), [file]);
    }
}
