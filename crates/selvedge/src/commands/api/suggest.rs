//! `selvedge api diff --suggest-shim`: a binding with a shim, as far as two descriptions say what has become of what.

use apis::Description;
use apis::shim::{self, Suggestion};
use model::kinds::KindName;
use serde_json::{Value, json};

use super::prove;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::product::publication::Publication;

/// Name of a file that says nothing about the API, so that its title does.
const NAMELESS: &str = "openapi.yaml";

/// Suggests, proves and prints. What is to be looked at stands in front, as comments.
pub fn run(old: &Description, new: &Description) -> Result<Exit, Failure> {
    let name = |of: &Description| Publication::new(of, NAMELESS, "").version();
    let (before, after) = (name(old), name(new));
    let Suggestion { shim, doubts } = shim::suggest(&after, &old.operations, &new.operations);
    if shim.operations.is_empty() {
        output::note("no operation that is in both needs a shim");
    } else {
        for doubt in &doubts {
            output::data(format_args!("# {}", one_line(&doubt.to_string())));
        }
        output::data(model::yaml::write(&binding(&before, &after, &shim)).trim_end());
    }
    let both = (&old.operations[..], &new.operations[..]);
    let proof =
        shim::prove("the suggested shim", &shim, both, &[]).map_err(|wrong| prove::refused(&wrong))?;
    if shim.operations.is_empty() {
        doubts.iter().for_each(output::note);
    }
    output::note(prove::summary(&proof));
    if !proof.holds() {
        output::note("`selvedge api prove` with the shim in a file shows each of them");
    }
    Ok(if proof.holds() { Exit::Success } else { Exit::Unmet })
}

/// What somebody completes: the Service is a name that has to be filled in.
fn binding(version: &str, other: &str, shim: &model::kinds::shim::Shim) -> Value {
    let kind = KindName::ApiBinding;
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.as_str(),
        "metadata": { "name": version },
        "spec": {
            "version": version,
            "default": { "backendRefs": [{ "name": other, "port": 80 }], "shim": shim },
        },
    })
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
