//! A section of the reference: a heading, a few words, and tables.

use std::collections::BTreeSet;

use super::{
    shape::{Object, Reader},
    table::{Row, rows},
};

/// A heading with what stands below it.
#[derive(Debug, Default)]
pub(super) struct Section<'a> {
    /// 2 or 3.
    pub(super) level: usize,
    pub(super) title: String,
    /// What stands below the heading.
    pub(super) text: String,
    pub(super) tables: Vec<Table<'a>>,
    /// What stands at the end.
    pub(super) end: String,
}

/// The fields of a value.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    /// A line above it.
    pub(super) caption: String,
    /// The objects of which the value is one.
    pub(super) objects: Vec<Object<'a>>,
    /// The fields that are told elsewhere.
    pub(super) without: BTreeSet<&'a str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(level: usize, title: &str, text: impl Into<String>) -> Self {
        Self { level, title: title.to_owned(), text: text.into(), ..Self::default() }
    }

    /// With a table of these objects.
    pub(super) fn table(mut self, caption: &str, objects: Vec<Object<'a>>, without: &BTreeSet<&'a str>) -> Self {
        self.tables.push(Table { caption: caption.to_owned(), objects, without: without.clone() });
        self
    }

    pub(super) fn anchor(&self) -> String {
        anchor(&self.title)
    }

    pub(super) fn markdown(&self, reader: &mut Reader<'a>) -> String {
        reader.here = self.anchor();
        let mut text = format!("{} {}\n", "#".repeat(self.level), self.title);
        paragraph(&mut text, &self.text);
        for table in &self.tables {
            let rows = rows(&table.objects, &table.without, reader);
            paragraph(&mut text, &table.caption);
            if !rows.is_empty() {
                text.push_str("\n| field | takes | default | |\n|---|---|---|---|\n");
                rows.iter().for_each(|row| text.push_str(&line(row)));
            }
        }
        paragraph(&mut text, &self.end);
        text
    }
}

fn paragraph(text: &mut String, paragraph: &str) {
    if !paragraph.is_empty() {
        text.push_str(&format!("\n{paragraph}\n"));
    }
}

fn line(Row { field, takes, default, meaning }: &Row) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    format!("| `{field}` | {} | {} | {} |\n", cell(takes), cell(default), cell(meaning))
}

/// The anchor that a heading gets.
pub(super) fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|char| char.is_alphanumeric() || [' ', '-', '_'].contains(char));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
