//! What values a schema takes, in words.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a field takes.
#[derive(Debug, Default)]
pub(super) struct Shape<'a> {
    /// What it may be: `duration`, `list of text`.
    words: Vec<String>,
    /// The values that stand for something, and what that is.
    pub(super) choices: Vec<(String, &'a str)>,
    /// The objects among its values whose fields have not been told yet.
    pub(super) objects: Vec<Object<'a>>,
}

/// An object among the values of a field.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    /// The way to it from the field: empty, `[]`, or `.NAME`.
    pub(super) at: String,
    /// What it is known by: its title, or the definition that it is part of.
    pub(super) name: Option<&'a str>,
    pub(super) schema: &'a Value,
}

/// Where the fields of an object are told.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The heading's anchor.
    pub(super) anchor: String,
    /// The object's own name, or the path to its first use.
    pub(super) shown: String,
    /// Whether it is `shown` in a table, where the words have to say that it is the same again.
    pub(super) again: bool,
}

/// Reads schemas with the definitions that they refer to.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    definitions: &'a Value,
    /// The objects that have a place.
    pub(super) known: BTreeMap<String, Place>,
    /// The section that is being written.
    pub(super) here: String,
}

impl<'a> Shape<'a> {
    /// `text, duration or list of text`.
    pub(super) fn words(&self) -> String {
        match &self.words[..] {
            [] => "nothing".to_owned(),
            [one] => one.clone(),
            [others @ .., last] if *last == format!("list of {}", joined(others)) => {
                format!("{}{} or a list of them", joined(others), if others.len() > 1 { "," } else { "" })
            }
            all => joined(all),
        }
    }

    fn word(&mut self, word: impl Into<String>) {
        let word = word.into();
        if !self.words.contains(&word) {
            self.words.push(word);
        }
    }

    /// What is within a list or a map.
    fn within(&mut self, inner: Self, of: &str) {
        self.word(format!("{of} {}", inner.words()));
        for choice in inner.choices {
            // What may be one of them or a list of them is told once.
            if !self.choices.contains(&choice) {
                self.choices.push(choice);
            }
        }
        for object in inner.objects {
            if !self.objects.iter().any(|known| std::ptr::eq(known.schema, object.schema)) {
                self.objects.push(object);
            }
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) const fn new(definitions: &'a Value) -> Self {
        Self { definitions, known: BTreeMap::new(), here: String::new() }
    }

    /// What a schema takes.
    pub(super) fn shape(&self, schema: &'a Value) -> Shape<'a> {
        self.within(schema, None, "")
    }

    fn within(&self, schema: &'a Value, name: Option<&'a str>, at: &str) -> Shape<'a> {
        let mut shape = Shape::default();
        self.add(schema, name, at, &mut shape);
        shape
    }

    fn add(&self, schema: &'a Value, name: Option<&'a str>, at: &str, into: &mut Shape<'a>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            let definition = &self.definitions[name];
            return match scalar(name, definition) {
                Some(word) => into.word(word),
                None => self.add(definition, Some(name), at, into),
            };
        }
        if schema["properties"].is_object() {
            return self
                .add_object(Object { at: at.to_owned(), name: schema["title"].as_str().or(name), schema }, into);
        }
        let description = schema["description"].as_str().unwrap_or_default();
        let alone = schema.get("const").into_iter().chain(schema["enum"].as_array().into_iter().flatten());
        let before = into.words.len();
        for value in alone.filter(|value| !value.is_null()) {
            let shown = format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            if !description.is_empty() && schema.get("const").is_some_and(Value::is_string) {
                into.choices.push((shown.clone(), description));
            }
            into.word(shown);
        }
        if into.words.len() > before || schema.get("const").is_some() {
            return;
        }
        let mut forms = ["anyOf", "oneOf"].into_iter().filter_map(|form| schema[form].as_array()).flatten().peekable();
        if forms.peek().is_some() {
            forms.for_each(|form| self.add(form, name, at, into));
            return;
        }
        self.add_types(schema, name, at, into);
    }

    fn add_object(&self, object: Object<'a>, into: &mut Shape<'a>) {
        match object.name.and_then(|name| self.known.get(name)) {
            Some(Place { anchor, shown, again: true }) if *anchor == self.here => into.word(format!("like `{shown}`")),
            Some(Place { anchor, shown, again: true }) => into.word(format!("like [`{shown}`](#{anchor})")),
            Some(Place { anchor, shown, again: false }) => into.word(format!("[{shown}](#{anchor})")),
            None => {
                into.word("object");
                into.objects.push(object);
            }
        }
    }

    fn add_types(&self, schema: &'a Value, name: Option<&'a str>, at: &str, into: &mut Shape<'a>) {
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => return into.word("anything"),
        };
        for one in &types {
            match *one {
                "string" => into.word("text"),
                // They are taken for the text that they are written as.
                "number" | "boolean" if types.contains(&"string") => {}
                "boolean" => into.word("boolean"),
                "integer" => into.word(format!("whole number{}", range(schema))),
                "number" => into.word(format!("number{}", range(schema))),
                "array" => into.within(self.within(&schema["items"], name, &format!("{at}[]")), "list of"),
                "object" => match &schema["additionalProperties"] {
                    inner @ Value::Object(_) => into.within(self.within(inner, name, &format!("{at}.NAME")), "map of"),
                    Value::Bool(false) => into.word("`{}`"),
                    _ => into.word("map of anything"),
                },
                _ => {}
            }
        }
    }
}

fn joined(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

/// The word for a definition that is a text of a certain form.
fn scalar(name: &str, definition: &Value) -> Option<&'static str> {
    let text = definition["type"] == "string" && definition.get("const").is_none() && definition.get("enum").is_none();
    text.then(|| SCALARS.iter().find(|(known, _)| *known == name).map_or("text", |(_, word)| word))
}

/// The forms of texts that have a word of their own, by their definitions.
pub(super) const SCALARS: [(&str, &str); 8] = [
    ("Period", "duration"),
    ("Size", "size"),
    ("Rate", "rate"),
    ("Percent", "percentage"),
    ("Secret", "secret"),
    ("Address", "address"),
    ("IpRange", "range of addresses"),
    ("Origin", "origin"),
];

/// The bounds of a number, where they say more than its type does.
fn range(schema: &Value) -> String {
    let (least, most) = (schema["minimum"].as_i64().unwrap_or(0), schema["maximum"].as_i64());
    match most.filter(|most| *most != i64::from(u16::MAX)) {
        Some(most) => format!(", {least} to {most}"),
        None if least > 0 => format!(", at least {least}"),
        None => String::new(),
    }
}
