//! `selvedge api publish`

use std::path::PathBuf;

use clap::Args;

use super::{Place, documents};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::product::publication::Publication;
use crate::product::publish::{Outcome, publish};
use crate::product::read_overlaid;
use crate::remote::block_on;

/// Publish a description: a new API, answered by a mock, or a new revision of one that is there
///
/// What answers, plans and states stay as they are when the version is there already.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A description of an API: OpenAPI 3.0 or 3.1, YAML or JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    overlays: documents::Overlays,
    /// Name of the API [default: that of the file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What people call the version [default: `v` and the first number of the description's version]
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Gateway at which it is called: its name, or NAMESPACE/NAME
    #[arg(long, value_name = "GATEWAY", default_value = "selvedge")]
    gateway: String,
    #[command(flatten)]
    place: Place,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let overlays = self.overlays.read()?;
        let (document, description) = read_overlaid(&self.file, &overlays)?;
        let (client, namespace) = self.place.open()?;
        let mut publication = Publication::new(&description, &document.name, &document.text);
        publication.overlays = overlays;
        publication.namespace = namespace;
        publication.gateway.clone_from(&self.gateway);
        if let Some(name) = &self.name {
            publication.api.clone_from(name);
        }
        if let Some(label) = &self.label {
            publication.label.clone_from(label);
        }
        let outcome = block_on(publish(&client, &publication))?;
        let (version, revision) = (publication.version(), publication.revision());
        output::data(match outcome {
            Outcome::New => {
                format!("apiversion/{version} published at {}, answered by a mock", publication.base())
            }
            Outcome::Revised => format!("apiversion/{version} is described by {revision} now"),
            Outcome::Unchanged => format!("apiversion/{version} unchanged"),
        });
        Ok(Exit::Success)
    }
}
