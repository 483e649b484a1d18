//! The files of an API server in the data folder of its control plane.
//!
//! `pki/` holds its authority, `tokens` the digests of bearer tokens, and `admin.kubeconfig` lets whoever may read the
//! folder do everything. The token in there is kept as long as it is good, so a copy of the file outlives a restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use discovery::TokenFile;

use super::access::authenticate::{ADMINS, Certificates, FirstOf};
use super::access::tokens::TokensError;
use super::access::{Authenticator, Tokens, User};
use super::kubeconfig;
use super::tls::authority::write_private;
use super::tls::{Authority, AuthorityError};

/// Name of the administrator whom the first start makes.
pub const ADMIN: &str = "admin";
/// The token file of gateways.
const GATEWAY_TOKEN: &str = "gateway.token";
/// Name of the user whom it stands for.
const GATEWAY_USER: &str = "gateway";
/// Members of this group may follow every Gateway.
pub const GATEWAYS: &str = "selvedge:gateways";
/// The administrator's kubeconfig.
const ADMIN_KUBECONFIG: &str = "admin.kubeconfig";

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The kubeconfig.
    #[error("cannot write `{}`: {fault}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
}

/// The files, opened.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
    /// The authority.
    pub authority: Arc<Authority>,
    /// The tokens.
    pub tokens: Arc<Tokens>,
}

impl Home {
    /// Opens the files of a data folder, and makes those that are not there yet.
    ///
    /// # Errors
    /// When they cannot be read, written or used.
    pub fn open(folder: &Path, now: SystemTime) -> Result<Home, HomeError> {
        let authority = Arc::new(Authority::open(&folder.join("pki"), now)?);
        let tokens = Arc::new(Tokens::open(&folder.join("tokens"))?);
        Ok(Home { folder: folder.to_owned(), authority, tokens })
    }

    /// Bearer tokens and client certificates of this folder.
    #[must_use]
    pub fn authenticator(&self) -> Arc<dyn Authenticator> {
        let tokens: Arc<dyn Authenticator> = Arc::clone(&self.tokens) as Arc<dyn Authenticator>;
        Arc::new(FirstOf(vec![tokens, Arc::new(Certificates)]))
    }

    /// Writes the administrator's kubeconfig for a server at this address, and tells where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_admin_kubeconfig(&self, server: &str) -> Result<PathBuf, HomeError> {
        let path = self.folder.join(ADMIN_KUBECONFIG);
        let kept = fs::read_to_string(&path).ok().and_then(|text| kubeconfig::token_of(&text));
        let token = match kept.filter(|token| self.tokens.is_of(token, ADMIN)) {
            Some(token) => token,
            None => self.tokens.issue(&User::new(ADMIN, [ADMINS]))?,
        };
        let text = kubeconfig::kubeconfig(server, self.authority.pem(), &token);
        let written = write_private(&path, &text);
        written.map_err(|fault| HomeError::Kubeconfig { path: path.clone(), fault })?;
        Ok(path)
    }

    /// Writes the token file with which a gateway may follow every Gateway, and tells where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_gateway_token(&self) -> Result<PathBuf, HomeError> {
        let path = self.folder.join(GATEWAY_TOKEN);
        let kept = fs::read_to_string(&path).ok().and_then(|text| text.parse::<TokenFile>().ok());
        let file = match kept.filter(|file| self.tokens.is_of(&file.token, GATEWAY_USER)) {
            Some(file) => file,
            None => {
                let token = self.tokens.issue(&User::new(GATEWAY_USER, [GATEWAYS]))?;
                TokenFile::new(&token, self.authority.certificate())
            }
        };
        let written = write_private(&path, &file.to_string());
        written.map_err(|fault| HomeError::Kubeconfig { path: path.clone(), fault })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_kubeconfig_of_the_first_start_is_good_after_the_second_at_another_port() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let token = |path: PathBuf| kubeconfig::token_of(&fs::read_to_string(path).expect("there"));

        let first = Home::open(folder.path(), now).expect("made");
        let first = token(first.write_admin_kubeconfig("https://127.0.0.1:1").expect("written"));
        let second = Home::open(folder.path(), now).expect("read");
        let second = token(second.write_admin_kubeconfig("https://127.0.0.1:2").expect("written"));

        assert!(first.is_some());
        assert_eq!(first, second);
    }
}
