//! The control plane of one process: what was accepted, and what it was compiled to.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use engine::compile::{CompileOptions, Compiler};
use identity::Keyring;
use model::Resources;
use model::kinds::Secret;
use model::kinds::gateway_class::CONTROLLER_NAME;
use model::violation::Violations;

use crate::apply;
use crate::files::SourceFile;
use crate::snapshot::Snapshot;
use crate::sources::Sources;

/// What a control plane must know from the start.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where Gateways listen that name no address.
    pub bind: IpAddr,
}

/// Accepts changes and keeps the last good snapshot.
#[derive(Debug)]
pub struct ControlPlane {
    bind: IpAddr,
    compiler: Compiler,
    keyring: Keyring,
    current: Arc<Snapshot>,
}

impl ControlPlane {
    /// A control plane without resources.
    #[must_use]
    pub fn new(options: Options) -> ControlPlane {
        let Options { bind } = options;
        let compile =
            CompileOptions { controller_name: CONTROLLER_NAME.to_owned(), default_binds: vec![bind] };
        let (mut compiler, mut keyring) = (Compiler::new(compile), Keyring::new());
        let compiled = compiler.compile(&Resources::new(), &mut keyring);
        let current = Arc::new(Snapshot {
            change: 0,
            resources: Resources::new(),
            config: compiled.config,
            conditions: compiled.conditions,
            bind,
        });
        ControlPlane { bind, compiler, keyring, current }
    }

    /// Reads files and directories and applies them.
    ///
    /// # Errors
    /// Everything that cannot be read or is not allowed; nothing has changed then.
    pub fn load(&mut self, paths: &[PathBuf]) -> Result<Arc<Snapshot>, Violations> {
        let files = Sources::new(paths.to_vec()).read()?;
        self.apply(&files)
    }

    /// Makes these files the whole of what is wanted.
    ///
    /// # Errors
    /// Everything that is not allowed; nothing has changed then.
    pub fn apply(&mut self, files: &[SourceFile]) -> Result<Arc<Snapshot>, Violations> {
        let resources = apply::apply(&self.current.resources, files)?;
        self.forget_secrets_but_those_of(&resources);
        let compiled = self.compiler.compile(&resources, &mut self.keyring);
        self.current = Arc::new(Snapshot {
            change: self.current.change + 1,
            resources,
            config: compiled.config,
            conditions: compiled.conditions,
            bind: self.bind,
        });
        Ok(self.snapshot())
    }

    /// The last good revision.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current)
    }

    /// Certificates, for warnings about their validity.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn forget_secrets_but_those_of(&mut self, resources: &Resources) {
        self.keyring.retain(|secret| {
            secret
                .split_once('/')
                .is_some_and(|(namespace, name)| resources.find::<Secret>(namespace, name).is_some())
        });
    }
}
