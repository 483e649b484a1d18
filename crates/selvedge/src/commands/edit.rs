//! `selvedge edit`
//!
//! Nothing a person typed is ever lost: what is refused is shown again with the reasons at its top, and what cannot
//! be saved in the end stays in its file, whose name is told.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use clap::Args;
use client::{Collection, Error, Object, WriteOptions};
use model::yaml;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, block_on, failure, target, told};

/// Edit an object in your editor
///
/// The object is saved when the editor ends, unless somebody else changed it meanwhile. What is refused comes back
/// into the editor with the reasons; ending it without another change gives up and keeps the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge edit httproute checkout -n shop
  EDITOR='code --wait' selvedge edit gw/edge
The editor is $SELVEDGE_EDITOR, $VISUAL or $EDITOR, else vi.")]
pub struct Arguments {
    /// KIND NAME or KIND/NAME
    #[arg(value_name = "KIND NAME", required = true)]
    what: Vec<String>,
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Times that the editor is opened for one object. An editor that is a program would otherwise never end.
const ATTEMPTS_MAX: usize = 100;
/// Lines that begin so are ours and not part of the object.
const OURS: &str = "#|";

/// Opens the editor until the object is saved, or the person gives up.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let targets = target::parse(&arguments.what)?;
    let (collection, name) = match targets.as_slice() {
        [target::Target { kind, name: Some(name) }] => (kind, name.clone()),
        _ => {
            return Err(Failure::new(Exit::Usage, "one object can be edited at a time", "write KIND NAME"));
        }
    };
    let client = arguments.connection.open()?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
    let collection = Collection::within(collection.clone(), &namespace);
    let before = block_on(async { client.get(&collection, &name).await.map_err(failure) })?;
    let before = before.without_managers().in_order();
    let save = |object: &Value| {
        block_on(async { Ok(client.replace(&collection, &name, object, WriteOptions::default()).await) })
    };
    edit(&before, &editor(), save)
}

/// What the person wants to edit with: a program and its arguments.
fn editor() -> OsString {
    let named = ["SELVEDGE_EDITOR", "VISUAL", "EDITOR"].iter().filter_map(std::env::var_os);
    named.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "vi".into())
}

fn edit(
    before: &Object,
    editor: &OsString,
    mut save: impl FnMut(&Value) -> Result<Result<Object, Error>, Failure>,
) -> Result<Exit, Failure> {
    let first = yaml::write(&before.0);
    let file = Draft::new(&first)?;
    let mut last = first.clone();
    let shown = format!("{} {}", before.kind(), before.place());
    for _ in 0..ATTEMPTS_MAX {
        let text = match file.edit(editor) {
            Ok(text) => text,
            Err(failure) if last == first => return Err(failure),
            Err(failure) => return Err(file.kept(failure)),
        };
        if text == first || text.trim().is_empty() {
            output::note(format_args!("nothing was changed: {shown} stays as it is"));
            return Ok(Exit::Success);
        }
        let reasons = match understood(&text, before) {
            Err(reasons) => reasons,
            Ok(object) => match save(&object)? {
                Ok(_) => {
                    output::data(format_args!("{shown} edited"));
                    return Ok(Exit::Success);
                }
                Err(error) if error.status().is_some_and(client::Status::is_invalid) => told(&error),
                Err(error) => return Err(file.kept(failure(error))),
            },
        };
        if text == last {
            let failure = Failure::new(Exit::Refused, reasons, "");
            return Err(file.kept(failure));
        }
        file.explain(&reasons, &text)?;
        last = text;
    }
    let gave_up = Failure::new(Exit::Refused, format!("refused {ATTEMPTS_MAX} times"), "");
    Err(file.kept(gave_up))
}

/// The object that the text says, if it is one and still the same.
fn understood(text: &str, before: &Object) -> Result<Value, String> {
    let value = yaml::read_plain(text).map_err(|problem| problem.to_string())?;
    let object = Object(value);
    if object.kind() != before.kind() || object.place() != before.place() {
        return Err(format!(
            "this is no longer {} {}; to make another object, use `selvedge apply -f`",
            before.kind(),
            before.place()
        ));
    }
    Ok(object.0)
}

/// The file in the editor.
struct Draft(NamedTempFile);

impl Draft {
    fn new(text: &str) -> Result<Draft, Failure> {
        let file = tempfile::Builder::new().prefix("selvedge-edit-").suffix(".yaml").tempfile();
        let draft = Draft(file.map_err(|error| unwritable(&error))?);
        draft.write(text)?;
        Ok(draft)
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        // Editors may have replaced the file, so it is opened anew by its name.
        let write = |path: &Path| std::fs::File::create(path)?.write_all(text.as_bytes());
        write(self.0.path()).map_err(|error| unwritable(&error))
    }

    /// What the person left in the file, without the lines that are ours.
    fn edit(&self, editor: &OsString) -> Result<String, Failure> {
        // The editor is a command line, as every tool has it; the shell takes it apart and gets the file apart from it.
        let mut line = editor.clone();
        line.push(" \"$@\"");
        let status = Command::new("sh").arg("-c").arg(line).arg("sh").arg(self.0.path()).status().map_err(
            |error| {
                Failure::machine(format!("cannot start the editor: {error}"), "set EDITOR to one that exists")
            },
        )?;
        if !status.success() {
            return Err(Failure::machine(
                format!("the editor `{}` ended with {status}", editor.to_string_lossy()),
                "set EDITOR to one that exists and ends with 0",
            ));
        }
        let text = std::fs::read_to_string(self.0.path()).map_err(|error| {
            Failure::machine(format!("cannot read what was edited: {error}"), "save it as UTF-8")
        })?;
        let mine = |line: &&str| !line.starts_with(OURS);
        Ok(text.split_inclusive('\n').filter(mine).collect())
    }

    /// Puts the reasons above what was typed.
    fn explain(&self, reasons: &str, text: &str) -> Result<(), Failure> {
        let lines = reasons.lines().map(|line| format!("{OURS} {line}\n")).collect::<String>();
        let hint =
            format!("{OURS} End the editor without another change to give up; the file is kept then.\n");
        self.write(&format!("{lines}{hint}{text}"))
    }

    /// A failure that says where the file is, which stays.
    fn kept(self, failure: Failure) -> Failure {
        match self.0.keep() {
            Ok((_, path)) => failure.and_then_hint(format!(
                "what you wrote is in {0}; `selvedge apply -f {0}` tries it again",
                path.display()
            )),
            Err(_) => failure,
        }
    }
}

fn unwritable(error: &std::io::Error) -> Failure {
    Failure::machine(format!("cannot write a file to edit: {error}"), "set TMPDIR to a directory with room")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use client::Status;
    use serde_json::json;

    use super::*;

    fn before() -> Object {
        Object(
            json!({ "kind": "Service", "metadata": { "name": "cart", "namespace": "shop" }, "spec": { "a": 1 } }),
        )
    }

    /// Edits with a program of the shell; the answers are what the control plane says, one after the other.
    fn edited(program: &str, answers: &[u16]) -> (Result<Exit, Failure>, Vec<Value>) {
        let sent = RefCell::new(Vec::new());
        let editor = OsString::from(format!("sh -c '{program}' editor"));
        let result = edit(&before(), &editor, |object| {
            sent.borrow_mut().push(object.clone());
            let answer = answers.get(sent.borrow().len() - 1).copied().unwrap_or(200);
            let status = Status { code: answer, message: "too small".to_owned(), ..Status::default() };
            Ok(if answer == 200 { Ok(before()) } else { Err(Error::Status(Box::new(status))) })
        });
        (result, sent.into_inner())
    }

    #[test]
    fn what_was_changed_is_sent_and_what_was_not_is_not() {
        let (result, sent) = edited("sed -i s/a:.1/a:\\ 2/ $1", &[]);
        assert_eq!(result.expect("saved"), Exit::Success);
        assert_eq!(sent[0]["spec"]["a"], 2);

        let (result, sent) = edited("true", &[]);
        assert_eq!((result.expect("nothing to do"), sent.len()), (Exit::Success, 0));
    }

    #[test]
    fn what_is_refused_comes_back_and_is_kept_when_the_person_gives_up() {
        let (result, sent) = edited("sed -i s/a:.1/a:\\ 2/ $1", &[422, 422]);

        let failure = result.expect_err("given up");
        assert_eq!((failure.exit(), sent.len()), (Exit::Refused, 2));
        let said = failure.to_string();
        let (_, rest) = said.split_once("what you wrote is in ").expect("a file");
        let path = rest.split(';').next().expect("a path");
        let kept = std::fs::read_to_string(path).expect("it is there");
        std::fs::remove_file(path).expect("ours");
        assert!(kept.starts_with("#| too small\n") && kept.contains("a: 2"), "{kept}");
    }

    #[test]
    fn a_second_attempt_may_succeed_without_the_lines_that_are_ours() {
        let (result, sent) = edited("sed -i -e s/a:.2/a:\\ 3/ -e s/a:.1/a:\\ 2/ $1", &[422, 200]);

        assert_eq!(result.expect("saved"), Exit::Success);
        assert_eq!(sent.iter().map(|object| &object["spec"]["a"]).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_program_that_never_gets_it_right_ends() {
        let (result, sent) = edited("echo \\# >> $1", &[422; ATTEMPTS_MAX]);

        let said = result.expect_err("it gave up").to_string();
        assert!(said.contains("refused 100 times") && sent.len() == ATTEMPTS_MAX, "{said}");
        let path = said.split("what you wrote is in ").nth(1).and_then(|rest| rest.split(';').next());
        std::fs::remove_file(path.expect("a path")).expect("it is there");
    }

    #[test]
    fn a_conflict_keeps_the_file() {
        let (result, _) = edited("sed -i s/a:.1/a:\\ 2/ $1", &[409]);

        let said = result.expect_err("a conflict").to_string();
        let path = said.split("what you wrote is in ").nth(1).and_then(|rest| rest.split(';').next());
        std::fs::remove_file(path.expect("a path")).expect("it is there");
    }

    #[test]
    fn another_object_cannot_come_of_an_edit() {
        let other = "kind: Service\nmetadata:\n  name: other\n  namespace: shop\n";
        assert!(understood(other, &before()).expect_err("another").contains("no longer Service shop/cart"));
        assert!(understood("kind: [", &before()).expect_err("no YAML").contains("line 1"));
    }
}
