//! `metadata.managedFields`: who owns which fields, how they came by them, and when.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use model::units::Moment;
use serde_json::{Map, Value};

use super::fields::Fields;

/// Most entries of managers that write without applying. The oldest are folded into one: a program that calls itself
/// by another name on every start must not make every object grow.
pub const UPDATERS_MAX: usize = 10;
/// Who owns what the oldest wrote.
const ANCIENT: &str = "ancient-changes";

/// How a manager writes. The order is that of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By applying: it says all that it wants each time.
    Apply,
    /// In any other way: it owns what it changed.
    Update,
}

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Name.
    pub name: String,
    /// How.
    pub operation: Operation,
    /// The version of the kind that was written.
    pub api_version: String,
    /// `status`, or empty.
    pub subresource: String,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub manager: Manager,
    /// When it last changed.
    pub time: Option<Moment>,
    /// What it owns.
    pub fields: Fields,
}

/// All owners of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers(pub Vec<Entry>);

impl Manager {
    /// Whether both are one owner. Who applies is one owner whatever the version.
    pub fn is(&self, other: &Manager) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }
}

impl Managers {
    /// The entries of an object; what cannot be read is left out, as if nobody owned it.
    pub fn of(object: &Value) -> Managers {
        let entries =
            object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
        Managers(entries.filter_map(Entry::read).collect())
    }

    /// The set that a manager owns.
    pub fn fields(&self, manager: &Manager) -> Fields {
        self.find(manager).map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    /// The entry of a manager.
    pub fn find(&self, manager: &Manager) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.manager.is(manager))
    }

    /// All entries but that of a manager.
    pub fn others<'a>(&'a self, manager: &'a Manager) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(|entry| !entry.manager.is(manager))
    }

    /// Takes fields from all but one manager.
    pub fn take_from_others(&mut self, manager: &Manager, taken: &Fields) {
        for entry in self.0.iter_mut().filter(|entry| !entry.manager.is(manager)) {
            entry.fields = entry.fields.difference(taken);
        }
    }

    /// Sets what a manager owns.
    pub fn set(&mut self, manager: Manager, fields: Fields, now: Moment) {
        let before = self.0.iter().position(|entry| entry.manager.is(&manager)).map(|at| self.0.remove(at));
        let time = match &before {
            Some(before) if before.fields == fields => before.time,
            Some(_) | None => Some(now),
        };
        self.0.push(Entry { manager, time, fields });
    }

    /// Writes the entries into an object.
    pub fn write(mut self, metadata: &mut Map<String, Value>) {
        self.0.retain(|entry| !entry.fields.is_empty());
        self.fold_oldest();
        let key = |entry: &Entry| {
            let Manager { name, operation, api_version, subresource } = entry.manager.clone();
            (operation, entry.time, name, api_version, subresource)
        };
        self.0.sort_by_cached_key(key);
        let entries: Vec<Value> = self.0.iter().map(Entry::written).collect();
        metadata.shift_remove("managedFields");
        if !entries.is_empty() {
            metadata.insert("managedFields".to_owned(), entries.into());
        }
    }

    fn fold_oldest(&mut self) {
        let is_updater = |entry: &Entry| entry.manager.operation == Operation::Update;
        let is_ancient = |entry: &Entry| entry.manager.name == ANCIENT;
        let updaters = self.0.iter().filter(|entry| is_updater(entry)).count();
        if updaters <= UPDATERS_MAX {
            return;
        }
        let room_for_fold = usize::from(!self.0.iter().any(is_ancient));
        let excess = updaters - UPDATERS_MAX + room_for_fold;
        let (mut young, others): (Vec<Entry>, Vec<Entry>) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|entry| is_updater(entry) && !is_ancient(entry));
        young.sort_by_key(|entry| entry.time);
        self.0 = others;
        self.0.extend(young.split_off(excess.min(young.len())));
        let mut folded: BTreeMap<(String, String), Entry> = BTreeMap::new();
        for mut entry in young {
            entry.manager.name = ANCIENT.to_owned();
            let key = (entry.manager.api_version.clone(), entry.manager.subresource.clone());
            match folded.entry(key) {
                Slot::Vacant(slot) => {
                    slot.insert(entry);
                }
                Slot::Occupied(mut slot) => slot.get_mut().absorb(&entry.fields),
            }
        }
        for fold in folded.into_values() {
            match self.0.iter_mut().find(|entry| entry.manager.is(&fold.manager)) {
                Some(ancient) => ancient.absorb(&fold.fields),
                None => self.0.push(fold),
            }
        }
    }
}

impl Entry {
    fn absorb(&mut self, fields: &Fields) {
        self.fields = std::mem::take(&mut self.fields).union(fields);
    }

    fn read(value: &Value) -> Option<Entry> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let operation = match text("operation").as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let manager = Manager {
            name: text("manager"),
            operation,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
        };
        Some(Entry {
            manager,
            time: text("time").parse().ok(),
            fields: Fields::read(value.get("fieldsV1")?)?,
        })
    }

    fn written(&self) -> Value {
        let Manager { name, operation, api_version, subresource } = &self.manager;
        let operation = match operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut entry = Map::new();
        let mut put = |field: &str, value: Value| drop(entry.insert(field.to_owned(), value));
        put("manager", name.as_str().into());
        put("operation", operation.into());
        put("apiVersion", api_version.as_str().into());
        if let Some(time) = self.time {
            put("time", time.to_string().into());
        }
        put("fieldsType", "FieldsV1".into());
        put("fieldsV1", self.fields.written());
        if !subresource.is_empty() {
            put("subresource", subresource.as_str().into());
        }
        Value::Object(entry)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn updater(name: &str) -> Manager {
        Manager {
            name: name.to_owned(),
            operation: Operation::Update,
            api_version: "v1".to_owned(),
            subresource: String::new(),
        }
    }

    #[test]
    fn the_oldest_updaters_are_folded_into_one() {
        let mut managers = Managers::default();
        for number in 0..12 {
            let fields = Fields::read(&json!({format!("f:{number}"): {}})).expect("a set");
            managers.set(updater(&format!("m{number}")), fields, Moment(number));
        }
        let mut metadata = Map::new();

        managers.write(&mut metadata);

        let object = json!({"metadata": metadata});
        let managers = Managers::of(&object);
        assert_eq!(managers.0.len(), UPDATERS_MAX);
        assert_eq!(
            managers.fields(&updater("ancient-changes")).written(),
            json!({"f:0": {}, "f:1": {}, "f:2": {}})
        );
    }

    #[test]
    fn entries_are_written_in_one_order_and_read_back() {
        let mut managers = Managers::default();
        let fields = Fields::read(&json!({"f:a": {}})).expect("a set");
        let applier =
            Manager { operation: Operation::Apply, subresource: "status".to_owned(), ..updater("b") };
        managers.set(updater("c"), fields.clone(), Moment(0));
        managers.set(applier, fields.clone(), Moment(60));
        managers.set(updater("empty"), Fields::new(), Moment(0));
        let mut metadata = Map::new();

        managers.write(&mut metadata);

        assert_eq!(
            metadata["managedFields"],
            json!([
                {
                    "manager": "b", "operation": "Apply", "apiVersion": "v1", "time": "1970-01-01T00:01:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:a": {}}, "subresource": "status",
                },
                {
                    "manager": "c", "operation": "Update", "apiVersion": "v1", "time": "1970-01-01T00:00:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:a": {}},
                },
            ])
        );
        assert_eq!(Managers::of(&json!({"metadata": metadata})).0.len(), 2);
    }
}
