//! The fields of an object as rows of a table, with those of the objects within it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::shape::{Object, Place, Reader, Shape};

/// A field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The path to it.
    pub(super) field: String,
    /// What it takes.
    pub(super) takes: String,
    /// What holds without it.
    pub(super) default: String,
    /// What it means.
    pub(super) meaning: String,
}

/// The rows of objects of which a value is one.
pub(super) fn rows<'a>(objects: &[Object<'a>], without: &BTreeSet<&str>, reader: &mut Reader<'a>) -> Vec<Row> {
    let mut rows = Vec::new();
    add(objects, "", without, reader, &mut rows);
    rows
}

fn add<'a>(objects: &[Object<'a>], path: &str, without: &BTreeSet<&str>, reader: &mut Reader<'a>, rows: &mut Vec<Row>) {
    let several = objects.len() > 1;
    for object in objects {
        let required: Vec<_> = object.schema["required"].as_array().into_iter().flatten().collect();
        let properties = object.schema["properties"].as_object().into_iter().flatten();
        for (name, schema) in properties.filter(|(name, _)| !without.contains(name.as_str())) {
            let beneath = format!("{path}{}", object.at);
            let field = if beneath.is_empty() { name.clone() } else { format!("{beneath}.{name}") };
            let shape = reader.shape(schema);
            // Of several objects each is what its one field says.
            let alternative = several && required.len() == 1;
            let described = if alternative { object.schema["description"].as_str() } else { None };
            let described = described.or_else(|| schema["description"].as_str()).unwrap_or_default();
            let (meaning, told) = parted(&described.replace('\n', " "));
            let meaning = if meaning.is_empty() { of_objects(&shape) } else { meaning };
            let needed = !alternative && required.iter().any(|required| *required == name);
            rows.push(Row {
                takes: shape.words(),
                default: if needed { "required".to_owned() } else { told.unwrap_or_else(|| default(schema, &shape)) },
                meaning: with_choices(meaning, &shape),
                field: field.clone(),
            });
            let mut names = BTreeSet::new();
            for object in shape.objects.iter().filter_map(|object| Some((object.name?, &object.at))) {
                if names.insert(object.0) {
                    let shown = format!("{field}{}", object.1);
                    let place = Place { anchor: reader.here.clone(), shown, again: true };
                    reader.known.insert(object.0.to_owned(), place);
                }
            }
            add(&shape.objects, &field, &BTreeSet::new(), reader, rows);
        }
    }
}

/// What an object says of itself, where its field does not.
fn of_objects(shape: &Shape<'_>) -> String {
    let described = shape.objects.first().and_then(|object| object.schema["description"].as_str());
    parted(&described.unwrap_or_default().replace('\n', " ")).0
}

fn with_choices(mut meaning: String, shape: &Shape<'_>) -> String {
    for (choice, means) in &shape.choices {
        let means = means.replace('\n', " ");
        meaning.push_str(&format!(" {choice}: {}.", lower(means.trim_end_matches('.'))));
    }
    meaning.trim().to_owned()
}

/// A sentence as the continuation of another one: only a word that is written so by itself keeps its capital.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

/// A description without its sentence about the default, and what that says.
fn parted(text: &str) -> (String, Option<String>) {
    let begins = |at: &usize| *at == 0 || text[..*at].ends_with(". ");
    let Some(at) = text.match_indices("Default").map(|(at, _)| at).find(begins) else {
        return (text.to_owned(), None);
    };
    let rest = text[at + "Default".len()..].trim_start_matches(':').trim_start();
    let (default, after) = rest.split_once(". ").unwrap_or_else(|| (rest.strip_suffix('.').unwrap_or(rest), ""));
    let plain =
        default.contains([' ', '`']) || !(default.contains(|c: char| c.is_ascii_digit()) || is_boolean(default));
    let default = if plain { default.to_owned() } else { format!("`{default}`") };
    (format!("{}{after}", &text[..at]).trim().to_owned(), Some(default))
}

fn is_boolean(text: &str) -> bool {
    ["true", "false"].contains(&text)
}

/// What the schema itself says about the default.
fn default(schema: &Value, shape: &Shape<'_>) -> String {
    let not_set = || "–".to_owned();
    match schema.get("default") {
        None | Some(Value::Null) if shape.words() == "boolean" && schema["type"] == "boolean" => "`false`".to_owned(),
        None | Some(Value::Null) => not_set(),
        Some(Value::Object(fields)) if fields.is_empty() || !shape.objects.is_empty() => not_set(),
        Some(Value::Array(items)) if items.is_empty() => not_set(),
        // Of an object that is told elsewhere the fields have defaults there.
        Some(Value::Object(_)) => not_set(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_about_the_default_becomes_the_default() {
        let parts = |text: &str| {
            let (meaning, default) = parted(text);
            (meaning, default.unwrap_or_default())
        };
        assert_eq!(parts("How long. Default: 5s."), ("How long.".to_owned(), "`5s`".to_owned()));
        assert_eq!(parts("How long. Default 5s."), ("How long.".to_owned(), "`5s`".to_owned()));
        assert_eq!(
            parts("Who. Default: the user's. Not more."),
            ("Who. Not more.".to_owned(), "the user's".to_owned())
        );
        assert_eq!(parts("Whether. Default with `ca`: `required`.").1, "with `ca`: `required`");
        assert_eq!(parts("What Default says"), ("What Default says".to_owned(), String::new()));
    }

    #[test]
    fn a_capital_stays_where_it_is_part_of_a_word() {
        assert_eq!(
            [lower("Protobuf"), lower("JSON"), lower("A key"), lower("`x`")],
            ["protobuf", "JSON", "a key", "`x`"]
        );
    }
}
