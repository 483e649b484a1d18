//! The part of a request behind the question mark.

use percent_encoding::percent_decode_str;

use crate::objects::documents::TYPED;
use crate::objects::status::Status;

/// The parameters of a request, in their order.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads them; what is not UTF-8 after decoding is refused, and so is a number or a flag that is none.
    pub fn parse(text: &str) -> Result<Query, Status> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        let query = Query { pairs: pairs.collect::<Result<_, Status>>()? };
        for parameter in TYPED {
            for value in query.all(parameter.name) {
                match parameter.of {
                    "boolean" => drop(flag(parameter.name, value)?),
                    _ => drop(number(parameter.name, value)?),
                }
            }
        }
        Ok(query)
    }

    /// The first value of a parameter; an empty one is as good as none.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a parameter that is not empty.
    pub fn all<'q, 'n>(&'q self, name: &'n str) -> impl Iterator<Item = &'q str> + use<'q, 'n> {
        let of_name = self.pairs.iter().filter(move |(found, value)| found == name && !value.is_empty());
        of_name.map(|(_, value)| value.as_str())
    }

    /// A parameter that is true or false.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Status> {
        self.text(name).map(|text| flag(name, text)).transpose()
    }

    /// A parameter that is a number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Status> {
        self.text(name).map(|text| number(name, text)).transpose()
    }

    /// Whether nothing may be kept. `All` is the only word for it.
    pub fn dry_run(&self) -> Result<bool, Status> {
        let words: Vec<&str> = self.all("dryRun").collect();
        match words.iter().find(|word| **word != "All") {
            Some(other) => Err(Status::bad_request(format!("`dryRun={other}`: use `All`"))),
            None => Ok(!words.is_empty()),
        }
    }
}

fn flag(name: &str, text: &str) -> Result<bool, Status> {
    match text {
        "true" | "True" | "TRUE" | "t" | "T" | "1" => Ok(true),
        "false" | "False" | "FALSE" | "f" | "F" | "0" => Ok(false),
        other => Err(Status::bad_request(format!("`{name}={other}`: use `true` or `false`"))),
    }
}

fn number(name: &str, text: &str) -> Result<u64, Status> {
    text.parse().map_err(|_| Status::bad_request(format!("`{name}={text}`: use a number")))
}

fn decode(text: &str) -> Result<String, Status> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| Status::bad_request("the query is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_empty_ones_are_none() {
        let query = Query::parse("labelSelector=a%3Db%2Cc&limit=&fieldManager=my+tool&flag").expect("sound");

        assert_eq!(query.text("labelSelector"), Some("a=b,c"));
        assert_eq!(query.text("limit"), None);
        assert_eq!(query.text("fieldManager"), Some("my tool"));
        assert_eq!(query.text("flag"), None);
    }

    #[test]
    fn what_is_no_flag_no_number_and_no_dry_run_is_refused() {
        let query = Query::parse("watch=maybe&limit=ten&dryRun=Some").expect("sound");

        assert!(query.flag("watch").is_err());
        assert!(query.number("limit").is_err());
        assert!(query.dry_run().is_err());
        assert!(Query::parse("a=%ff").is_err());
    }

    #[test]
    fn a_dry_run_is_asked_for_by_its_word() {
        assert!(Query::parse("dryRun=All").expect("sound").dry_run().expect("a word"));
        assert!(!Query::parse("dryRun=").expect("sound").dry_run().expect("none"));
    }
}
