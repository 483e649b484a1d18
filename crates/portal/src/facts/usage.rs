//! What was used, as the ledger sums it.

use serde_json::Value;

use super::{Lack, Section, Unknown, list, text};
use crate::api::{Asking, Trouble};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Where sums are asked for.
const USAGE: &str = "/usage.selvedge.dev/v1/usage";

/// A sum of the last 30 days.
#[derive(Clone, Debug, Default)]
pub struct Used {
    /// Who called: `namespace/name`; empty for who is not known.
    pub application: String,
    /// What was called.
    pub operation: String,
    /// The version that it is of.
    pub version: String,
    /// On which day, of UTC.
    pub day: String,
    /// Requests that count for a bill.
    pub requests: u64,
    /// Those among them that were answered well.
    pub success: u64,
    /// Those among them whose answer said that the caller or the service was wrong.
    pub errors: u64,
    /// Requests that were refused.
    pub refused: u64,
}

impl Used {
    fn of(item: &Value) -> Used {
        let count = |field: &str| item[field].as_u64().unwrap_or_default();
        Used {
            application: text(&item["application"]),
            operation: text(&item["operation"]),
            version: text(&item["version"]),
            day: text(&item["day"]),
            requests: count("requests"),
            success: count("success"),
            errors: count("clientErrors") + count("serverErrors"),
            refused: count("refused"),
        }
    }
}

/// Of what somebody wants to know it.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// Of everything.
    All,
    /// Of an application, as `namespace/name`.
    Application(&'a str),
    /// Of a product, as `namespace/name`.
    Product(&'a str),
}

/// Sums of the last 30 days, told apart by what `by` lists.
///
/// # Errors
/// When nobody is asking any more.
pub async fn read(asking: Asking<'_>, of: Of<'_>, by: &str) -> Result<Section<Used>, Unknown> {
    let of = match of {
        Of::All => String::new(),
        Of::Application(place) => format!("&application={}", utf8_percent_encode(place, NON_ALPHANUMERIC)),
        Of::Product(place) => format!("&product={}", utf8_percent_encode(place, NON_ALPHANUMERIC)),
    };
    let (items, lack) = match asking.one(&format!("{USAGE}?by={by}{of}")).await {
        Ok(answer) => {
            let lack = (answer["cut"] == Value::Bool(true)).then_some(Lack::Cut);
            (list(&answer["items"]).map(Used::of).collect(), lack)
        }
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied) => (Vec::new(), Some(Lack::Denied)),
        Err(Trouble::Absent) => (Vec::new(), Some(Lack::Failed(USAGE.to_owned()))),
        Err(Trouble::Failed(why)) => (Vec::new(), Some(Lack::Failed(why))),
    };
    Ok(Section { items, revision: String::new(), lack })
}
