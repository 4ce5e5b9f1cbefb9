//! A tree of templates that becomes JSON.

use std::cell::RefCell;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    ser::{Error, SerializeMap, SerializeSeq},
};

use crate::{
    engine::{self, Reads},
    error::{Side, TransformError},
    flaw::{Flaw, Flaws},
    json::JsonOf,
    position::Position,
    scope::Scope,
    source::Source,
    template::{Escaping, Expression, Template},
    text::Text,
    tree::{Branch, Tree},
};

/// A compiled tree of templates. Its output is JSON by construction: it is written by a serializer, never spliced.
///
/// Deserializing compiles at once, for a request's values.
#[derive(Clone, Debug)]
pub struct Shape {
    root: Part,
    reads: Reads,
}

#[derive(Clone, Debug)]
enum Part {
    Constant(serde_json::Value),
    /// A lone expression, which keeps its type.
    Value(Expression),
    Text(Template),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Shape {
    /// Compiles a tree over a request's values.
    ///
    /// # Errors
    /// Every template in it that is wrong.
    pub fn new(tree: &Tree) -> Result<Self, Vec<Flaw>> {
        Self::compile(tree, Side::Request)
    }

    /// The request's body as it is, of every media type that templates can read.
    ///
    /// # Errors
    /// None in truth: the tree is this crate's own.
    pub fn of_body() -> Result<Self, Vec<Flaw>> {
        let value = Branch::Text("{{ body }}".to_owned().into());
        Self::new(&Tree { value, at: Position::default() })
    }

    pub(crate) fn compile(tree: &Tree, side: Side) -> Result<Self, Vec<Flaw>> {
        let (mut flaws, mut reads) = (Flaws::default(), Reads::NOTHING);
        let root = part(tree, side, &mut reads, &mut flaws);
        flaws.finish(Self { root, reads })
    }

    /// The JSON value for a message.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render(&self, scope: &Scope) -> Result<serde_json::Value, TransformError> {
        fill(&self.root, scope, |filled| serde_json::to_value(filled))
    }

    /// The JSON text for a message.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_bytes(&self, scope: &Scope) -> Result<Vec<u8>, TransformError> {
        fill(&self.root, scope, |filled| serde_json::to_vec(filled))
    }

    /// Whether the body has to be read whole for it.
    #[must_use]
    pub const fn reads_body(&self) -> bool {
        self.reads.body
    }

    /// The value that is rendered for every message, when it is always the same.
    #[must_use]
    pub const fn as_constant(&self) -> Option<&serde_json::Value> {
        self.root.as_constant()
    }

    pub(crate) const fn reads(&self) -> Reads {
        self.reads
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Tree::deserialize(deserializer)?;
        Self::new(&tree).map_err(|flaws| {
            let messages: Vec<_> = flaws.iter().map(Flaw::to_string).collect();
            serde::de::Error::custom(messages.join("; "))
        })
    }
}

fn part(tree: &Tree, side: Side, reads: &mut Reads, flaws: &mut Flaws) -> Part {
    let constant = |value| Part::Constant(value);
    match &tree.value {
        Branch::Null => constant(serde_json::Value::Null),
        Branch::Bool(value) => constant((*value).into()),
        Branch::Number(value) => constant(serde_json::Value::Number(value.clone())),
        Branch::Text(text) => text_part(text, tree, side, reads, flaws),
        Branch::List(items) => {
            let item =
                |(index, item)| flaws.meanwhile(|flaw| flaw.within_item(index), |flaws| part(item, side, reads, flaws));
            let parts: Vec<_> = items.iter().enumerate().map(item).collect();
            match parts.iter().map(Part::as_constant).collect::<Option<Vec<_>>>() {
                Some(values) => constant(values.into_iter().cloned().collect()),
                None => Part::List(parts),
            }
        }
        Branch::Map(entries) => {
            for (key, value) in entries {
                if engine::looks_like_template(key) {
                    let flaw = Flaw::new(value.at, "a key cannot be a template");
                    flaws.push(flaw.with_hint("build the mapping in an expression: `{{ {name: value} }}`"));
                }
            }
            let entry = |(key, value): &(String, Tree)| {
                let value = flaws.meanwhile(|flaw| flaw.within(key), |flaws| part(value, side, reads, flaws));
                (key.clone(), value)
            };
            let parts: Vec<_> = entries.iter().map(entry).collect();
            let values = parts.iter().map(|(key, part)| Some((key.clone(), part.as_constant()?.clone())));
            match values.collect::<Option<serde_json::Map<_, _>>>() {
                Some(map) => constant(map.into()),
                None => Part::Map(parts),
            }
        }
    }
}

fn text_part(text: &Text, tree: &Tree, side: Side, reads: &mut Reads, flaws: &mut Flaws) -> Part {
    let nothing = Part::Constant(serde_json::Value::Null);
    let Some(source) = flaws.keep(Source::template(text, tree.at)) else { return nothing };
    if let Some(lone) = engine::is_lone_expression(source.as_str()).filter(|_| !source.is_constant()) {
        let Some(expression) = flaws.keep(Expression::compile(source.cut(lone), side)) else { return nothing };
        *reads = reads.and(expression.reads());
        return Part::Value(expression);
    }
    let Some(template) = flaws.keep(Template::of_source(source, side, Escaping::None)) else { return nothing };
    *reads = reads.and(template.reads());
    match template.as_constant() {
        Some(text) => Part::Constant(text.into()),
        None => Part::Text(template),
    }
}

impl Part {
    const fn as_constant(&self) -> Option<&serde_json::Value> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Value(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// A part with the scope that fills it, and a place for why it could not be filled.
struct Filled<'a> {
    part: &'a Part,
    scope: &'a Scope,
    failure: &'a RefCell<Option<TransformError>>,
}

impl Filled<'_> {
    fn within<'b>(&'b self, part: &'b Part) -> Filled<'b> {
        Filled { part, ..*self }
    }

    /// Lets the serializer stop, and keeps the reason.
    fn stop<E: Error>(&self, failure: TransformError) -> E {
        self.failure.replace(Some(failure));
        E::custom("a template failed")
    }
}

impl Serialize for Filled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.part {
            Part::Constant(value) => value.serialize(serializer),
            Part::Value(expression) => {
                let value = expression.eval(self.scope).map_err(|failure| self.stop::<S::Error>(failure))?;
                JsonOf(&value).serialize(serializer).map_err(|error| {
                    self.stop(TransformError::new(self.scope.side(), expression.at(), error.to_string()))
                })
            }
            Part::Text(template) => {
                let text = template.render_cow(self.scope).map_err(|failure| self.stop::<S::Error>(failure))?;
                serializer.serialize_str(&text)
            }
            Part::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&self.within(item)))?;
                list.end()
            }
            Part::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, part)| map.serialize_entry(key, &self.within(part)))?;
                map.end()
            }
        }
    }
}

/// Serializes a part; a template's failure comes back whole.
fn fill<T>(
    part: &Part,
    scope: &Scope,
    write: impl FnOnce(&Filled<'_>) -> Result<T, serde_json::Error>,
) -> Result<T, TransformError> {
    let failure = RefCell::new(None);
    let written = write(&Filled { part, scope, failure: &failure });
    written.map_err(|error| {
        let unexplained = || TransformError::new(scope.side(), Position::default(), error.to_string());
        failure.take().unwrap_or_else(unexplained)
    })
}
