//! Reads OpenAPI 3.0 and 3.1.
//!
//! What a proxy or a reader must rely on is checked here, all of it in one go: references that lead somewhere, paths
//! that can be told apart, parameters that have a place. What is only bad taste is lint's business.

mod content;
mod operations;
mod parameters;
mod security;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::description::{Description, Dialect, Server, Tag};
use crate::limits::PARTS_MAX;
use crate::operation::{Example, Media};
use crate::problem::{Problem, quoted};
use crate::schema::SchemaId;
use crate::schema::read::Schematics;
use crate::source::{Findings, Node, References, Upload};

/// What every part of a description is read with.
pub(crate) struct Reader<'a> {
    pub references: References<'a>,
    pub schematics: Schematics<'a>,
    pub findings: Findings,
    pub warnings: Findings,
    pub schemes: security::Schemes,
    /// Bodies that were read already, by the place they stand at: references lead there again and again.
    pub contents: HashMap<usize, Arc<[Media]>>,
    /// Examples, likewise.
    pub examples: HashMap<usize, Arc<[Example]>>,
    /// Texts, likewise.
    texts: HashMap<usize, Arc<str>>,
    parts_left: usize,
}

impl<'a> Reader<'a> {
    /// What a value stands for.
    pub fn follow(&mut self, node: Node<'a>) -> Option<Node<'a>> {
        self.references.follow(node, &mut self.findings)
    }

    /// The number of a schema.
    pub fn schema(&mut self, node: Node<'a>) -> SchemaId {
        self.schematics.number(node, &mut self.references, &mut self.findings)
    }

    /// The text of a field, shared by all who refer to its place.
    pub fn text(&mut self, node: Node<'a>, name: &str) -> Option<Arc<str>> {
        let value = node.value.get(name)?;
        let text = value.as_str()?;
        let address = std::ptr::from_ref(value) as usize;
        Some(self.texts.entry(address).or_insert_with(|| text.into()).clone())
    }

    /// Whether one part more may be read; past the bound it is a problem.
    pub fn takes_part(&mut self, node: Node<'_>) -> bool {
        match self.parts_left.checked_sub(1) {
            Some(left) => self.parts_left = left,
            None => {
                let what = format!("is one of more than {PARTS_MAX} parameters, answers, headers and bodies");
                self.problem(node, what, "split the API into several");
                return false;
            }
        }
        true
    }

    pub fn problem(&mut self, node: Node<'_>, what: impl Into<String>, fix: impl Into<String>) {
        self.findings.add(node, what, fix);
    }

    pub fn warning(&mut self, node: Node<'_>, what: impl Into<String>, fix: impl Into<String>) {
        self.warnings.add(node, what, fix);
    }
}

/// Reads an upload.
pub fn read(upload: &Upload) -> Result<Description, Vec<Problem>> {
    let (root, dialect) = root(upload)?;
    let mut reader = Reader {
        references: References::new(upload),
        schematics: Schematics::new(dialect),
        findings: Findings::default(),
        warnings: Findings::default(),
        schemes: security::Schemes::default(),
        contents: HashMap::new(),
        examples: HashMap::new(),
        texts: HashMap::new(),
        parts_left: PARTS_MAX,
    };
    let mut description = describe(root, dialect, &mut reader);
    let Reader { mut references, schematics, mut findings, mut warnings, schemes, .. } = reader;
    let schemas = Arc::new(schematics.finish(&mut references, &mut findings, &mut warnings));
    description.warnings = warnings.settle(upload);
    if !findings.is_empty() {
        return Err(findings.settle(upload));
    }
    description.schemes = schemes.all();
    for operation in &mut description.operations {
        // Nobody else has it yet.
        if let Some(operation) = Arc::get_mut(operation) {
            operation.schemas = schemas.clone();
        }
    }
    description.schemas = schemas;
    Ok(description)
}

/// The document that is the description: the first that says `openapi`.
fn root(upload: &Upload) -> Result<(Node<'_>, Dialect), Vec<Problem>> {
    let refuse = |document: usize, line: u32, pointer: &str, what: String, fix: &str| {
        let file = upload.trees[document].name.clone();
        Err(vec![Problem { file, line, pointer: pointer.to_owned(), what, fix: fix.to_owned() }])
    };
    let roots = (0..upload.trees.len()).map(|document| upload.root(document));
    let Some(root) = roots.clone().find(|root| root.field("openapi").is_some()) else {
        if roots.clone().any(|root| root.field("swagger").is_some()) {
            let what = "is a description in Swagger 2.0, which is not read".to_owned();
            return refuse(0, 1, "/swagger", what, "convert it to OpenAPI 3.0 or 3.1");
        }
        let fix = "begin the description with `openapi: 3.1.0`";
        return refuse(0, 0, "", "is no OpenAPI description: there is no `openapi`".to_owned(), fix);
    };
    let version = root.field("openapi").unwrap_or(root);
    let text = match version.value {
        Value::String(text) => text.clone(),
        other => other.to_string(), // `openapi: 3.0` is a number to YAML
    };
    match text.split('.').take(2).collect::<Vec<_>>()[..] {
        ["3", "0"] => Ok((root, Dialect::OpenApi30)),
        ["3", "1"] => Ok((root, Dialect::OpenApi31)),
        _ => {
            let what = format!("has the version {}, which is not read", quoted(&text));
            refuse(
                root.document,
                version.line(),
                "/openapi",
                what,
                "write `openapi: 3.0.3` or `openapi: 3.1.0`",
            )
        }
    }
}

fn describe<'a>(root: Node<'a>, dialect: Dialect, reader: &mut Reader<'a>) -> Description {
    let info = root.field("info");
    let text = |name| info.and_then(|info| info.field(name)).map(|node| words(node.value));
    if info.is_none() {
        reader.problem(root, "has no `info`", "add `info:` with `title:` and `version:`");
    }
    if let Some(schemas) = root.field("components").and_then(|components| components.field("schemas")) {
        for (name, node) in schemas.fields() {
            let id = reader.schema(node);
            reader.schematics.name(id, name);
        }
    }
    security::schemes(root, reader);
    let servers = root.field("servers").into_iter().flat_map(|servers| servers.items());
    let servers = servers.filter_map(|node| server(node, reader)).collect();
    let tags = root.field("tags").into_iter().flat_map(|tags| tags.items()).filter_map(|tag| {
        Some(Tag {
            name: tag.text_of("name")?.into(),
            description: tag.text_of("description").map(Into::into),
        })
    });
    Description {
        dialect,
        title: text("title").unwrap_or_default().into(),
        version: text("version").unwrap_or_default().into(),
        about: info.and_then(|info| info.text_of("description")).map(Into::into),
        servers,
        operations: operations::read(root, reader),
        tags: tags.collect(),
        schemes: Box::default(),
        schemas: Arc::default(),
        warnings: Vec::new(),
    }
}

/// A title or version; `version: 1.0` is a number to YAML.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn server<'a>(node: Node<'a>, reader: &mut Reader<'a>) -> Option<Server> {
    let Some(url) = node.text_of("url") else {
        reader.problem(node, "has no `url`", "add `url: /`");
        return None;
    };
    let mut filled = url.to_owned();
    for (name, variable) in node.field("variables").into_iter().flat_map(|variables| variables.fields()) {
        if let Some(default) = variable.field("default") {
            filled = filled.replace(&format!("{{{name}}}"), &words(default.value));
        }
    }
    Some(Server { url: filled.into(), description: node.text_of("description").map(Into::into) })
}
