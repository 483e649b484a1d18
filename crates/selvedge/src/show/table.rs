//! Columns that line up.

use serde_json::Value;

use super::visible;
use crate::output::{BOLD, styled};

/// Rows under a header. The widths stay when rows are added, so that a watch goes on below.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(columns: &[&str]) -> Table {
        Table { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| visible(cell)).collect());
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What a server shows: its columns of priority 0, or all when `wide`; the namespace before them when `spread`.
    /// `None` when this is no table.
    #[must_use]
    pub fn of_server(answer: &Value, wide: bool, spread: bool) -> Option<Table> {
        let definitions = answer["columnDefinitions"].as_array().filter(|_| answer["kind"] == "Table")?;
        let shown: Vec<usize> = (0..definitions.len())
            .filter(|at| wide || definitions[*at]["priority"].as_i64().unwrap_or(0) == 0)
            .collect();
        let name = |at: &usize| definitions[*at]["name"].as_str().unwrap_or_default().to_uppercase();
        let namespace = spread.then(|| "NAMESPACE".to_owned());
        let columns = namespace.into_iter().chain(shown.iter().map(name)).collect();
        let mut table = Table { columns, rows: Vec::new() };
        for row in answer["rows"].as_array().into_iter().flatten() {
            let cells = shown.iter().map(|at| cell(&row["cells"][*at]));
            let namespace = spread.then(|| cell(&row["object"]["metadata"]["namespace"]));
            table.row(namespace.into_iter().chain(cells).collect());
        }
        Some(table)
    }

    /// The lines, the header first when wanted.
    #[must_use]
    pub fn lines(&self, header: bool) -> Vec<String> {
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        let header = header.then(|| styled(BOLD, line(&self.columns, &widths)));
        header.into_iter().chain(self.rows.iter().map(|row| line(row, &widths))).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).chain(self.columns.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("   ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "kind": "Table",
            "columnDefinitions": [
                { "name": "Name", "priority": 0 }, { "name": "Class", "priority": 1 }, { "name": "Age" },
            ],
            "rows": [
                { "cells": ["edge", "selvedge", "3m"], "object": { "metadata": { "namespace": "shop" } } },
                { "cells": ["\u{1b}[31m", null, ["a", "b"]] },
            ],
        })
    }

    fn plain(table: &Table) -> String {
        anstream::adapter::strip_str(&table.lines(true).join("\n")).to_string()
    }

    #[test]
    fn columns_line_up_and_control_characters_are_shown() {
        let table = Table::of_server(&answer(), false, false).expect("a table");
        assert_eq!(plain(&table), "NAME         AGE\nedge         3m\n\\u{1b}[31m   a,b");
    }

    #[test]
    fn wide_shows_every_column_and_all_namespaces_show_theirs() {
        let table = Table::of_server(&answer(), true, true).expect("a table");
        let text = plain(&table);
        assert!(text.starts_with("NAMESPACE   NAME         CLASS      AGE\nshop        edge"), "{text}");
        assert!(Table::of_server(&json!({ "kind": "ServiceList" }), true, true).is_none());
    }
}
