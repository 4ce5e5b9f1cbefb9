//! A tree is composed out of the parser's events: aliases expanded, merge keys applied, keys kept unique.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag, options};

use crate::{DocPath, Flaw, Key, Node, Span, Value, layout, scalar};

/// How deep collections may nest, aliases expanded.
const DEPTH: usize = 100;
/// How many nodes all aliases of a file may add, against documents that grow exponentially.
const ALIASED_NODES: usize = 100_000;
/// YAML reads the braces of a template that is not quoted as mappings.
const TEMPLATE_HINT: &str = "a template that begins with its braces must be quoted: \"{{ ... }}\"";

/// Composes the tree of one file and notes what is wrong with it.
///
/// `source` is what its places are given as [`Span::source`]. An empty file is null. A flaw of the syntax ends the composition; repeated keys and wrong tags do not.
pub fn compose(text: &str, source: u32, flaws: &mut Vec<Flaw>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut composer = Composer { source, flaws, frames: Vec::new(), anchors: HashMap::new(), aliased: 0, root: None };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let mark = error.marker();
                let at = Span { source, line: number(mark.line()), column: number(mark.col()) + 1, length: 1 };
                composer.syntax(text, at, &error);
                return None;
            }
        };
        let at = Span {
            source,
            line: number(span.start.line()),
            column: number(span.start.col()) + 1,
            length: number(span.end.index().saturating_sub(span.start.index())),
        };
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                composer.flaw(at, "a file holds one document, and here a second one begins");
                return None;
            }
        }
        let raw = span.start.byte_offset().zip(span.end.byte_offset());
        let raw = raw.and_then(|(start, end)| text.get(start..end)).unwrap_or("");
        composer.event(event, at, raw)?;
    }
    Some(composer.root.take().unwrap_or_else(|| Node::new(Value::Null, Span { source, line: 1, column: 1, length: 0 })))
}

/// Whether a value is of a type of the core schema; every whole number is a `float` too.
fn is_of(kind: &str, value: &Value) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "bool",
        Value::Integer(_) => kind != "null" && kind != "bool",
        Value::Float(_) => kind == "float",
        Value::String(_) | Value::Sequence(_) | Value::Mapping(_) => false,
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

struct Composer<'a> {
    source: u32,
    flaws: &'a mut Vec<Flaw>,
    frames: Vec<Frame>,
    /// Composed nodes by anchor; a missing one is still being composed.
    anchors: HashMap<usize, Anchored>,
    aliased: usize,
    root: Option<Node>,
}

struct Anchored {
    node: Node,
    size: usize,
    depth: usize,
}

/// A collection that is not complete.
struct Frame {
    collection: Collection,
    at: Span,
    anchor: usize,
    path: DocPath,
}

enum Collection {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Key, Node)>, key: Option<Key>, block: bool },
}

impl Composer<'_> {
    /// Takes an event in, with how it is written; nothing when the composition cannot go on.
    fn event(&mut self, event: Event<'_>, at: Span, raw: &str) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let mut node = self.scalar(&text, style, tag.as_deref(), at);
                let runs = layout::runs(raw, &text, at);
                if runs != layout::plain(at, !node.plain) {
                    node.runs = Some(runs.into());
                }
                self.complete(node, anchor)
            }
            Event::Alias(id) => self.alias(id, at),
            Event::SequenceStart(_, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", at);
                self.open(Collection::Sequence(Vec::new()), anchor, at)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", at);
                let block = style == StructureStyle::Block;
                self.open(Collection::Mapping { entries: Vec::new(), key: None, block }, anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at),
            // Everything else is presentation.
            _ => Some(()),
        }
    }

    fn open(&mut self, collection: Collection, anchor: usize, at: Span) -> Option<()> {
        if self.frames.len() >= DEPTH {
            self.flaw(at, format!("collections nest deeper than {DEPTH} levels"));
            return None;
        }
        if let Some(Frame { collection: Collection::Mapping { key: None, .. }, .. }) = self.frames.last() {
            let flaw = Flaw::error(at, &self.path(), "a key must be text, not a collection");
            self.flaws.push(flaw.with_hint(TEMPLATE_HINT));
            return None;
        }
        let path = self.path();
        self.frames.push(Frame { collection, at, anchor, path });
        Some(())
    }

    fn close(&mut self, end: Span) -> Option<()> {
        let Frame { collection, at, anchor, path } = self.frames.pop()?;
        let node = match collection {
            Collection::Sequence(items) => Node::new(Value::Sequence(items), at),
            Collection::Mapping { entries, block, .. } => {
                let at = match entries.first() {
                    Some((key, _)) if block => key.at,
                    // A flow mapping in one line is underlined whole.
                    _ if end.line == at.line => Span { length: end.column + end.length - at.column, ..at },
                    _ => at,
                };
                let entries = self.unique(entries, &path);
                Node::new(Value::Mapping(self.merged(entries, &path)), at)
            }
        };
        self.complete(node, anchor)
    }

    fn alias(&mut self, id: usize, at: Span) -> Option<()> {
        let Some(anchored) = self.anchors.get(&id) else {
            self.flaw(at, "an alias cannot stand inside of the node that it names");
            return None;
        };
        self.aliased += anchored.size;
        if self.aliased > ALIASED_NODES || self.frames.len() + anchored.depth > DEPTH {
            self.flaw(at, format!("aliases expand to more than {ALIASED_NODES} nodes or {DEPTH} levels"));
            return None;
        }
        let runs = anchored.node.scalar_text().map(|_| anchored.node.runs());
        let node = Node { at, runs, ..anchored.node.clone() };
        self.complete(node, 0)
    }

    /// Puts a complete node where it belongs: a key, a value, an item or the root.
    fn complete(&mut self, node: Node, anchor: usize) -> Option<()> {
        if anchor != 0 {
            let (size, depth) = (node.size(), node.depth());
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, depth });
        }
        match self.frames.last_mut().map(|frame| &mut frame.collection) {
            None => self.root = Some(node),
            Some(Collection::Sequence(items)) => items.push(node),
            Some(Collection::Mapping { entries, key, .. }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => match node.scalar_text() {
                    Some(text) => *key = Some(Key { text: text.into(), at: node.at }),
                    None => {
                        self.flaw(node.at, "a key must be text, not a collection");
                        return None;
                    }
                },
            },
        }
        Some(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Span) -> Node {
        let plain = style == ScalarStyle::Plain;
        let resolved = || scalar::resolve(text);
        let string = || Value::String(text.to_owned());
        let (value, plain) = match tag {
            None if plain => (resolved(), true),
            None => (string(), false),
            Some(tag) => match tag.core_suffix() {
                Some("str") => (string(), false),
                Some(kind @ ("null" | "bool" | "int" | "float")) => {
                    let value = resolved();
                    if !is_of(kind, &value) {
                        let message = format!("`{text}` is not of the type `!!{kind}`");
                        let flaw = Flaw::error(at, &self.path(), message);
                        self.flaws.push(flaw);
                    }
                    (value, true)
                }
                _ if tag.handle().is_empty() && tag.suffix() == "!" => (string(), false),
                _ => {
                    self.tag_flaw(tag, at);
                    (string(), false)
                }
            },
        };
        let text = (!matches!(value, Value::String(_))).then(|| text.into());
        Node { text, plain, ..Node::new(value, at) }
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, expected: &str, at: Span) {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema_tag(expected)) {
            self.tag_flaw(tag, at);
        }
    }

    fn tag_flaw(&mut self, tag: &Tag, at: Span) {
        let message = format!("the tag `{}` has no meaning here", tag.original());
        let flaw = Flaw::error(at, &self.path(), message)
            .with_hint("leave it out; `!!str`, `!!int`, `!!float`, `!!bool` and `!!null` are understood");
        self.flaws.push(flaw);
    }

    /// Drops a key that the mapping has already, and says so.
    fn unique(&mut self, entries: Vec<(Key, Node)>, path: &DocPath) -> Vec<(Key, Node)> {
        let mut first: HashMap<Box<str>, Span> = HashMap::with_capacity(entries.len());
        let mut unique = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if let Some(at) = first.get(&key.text) {
                let flaw = Flaw::error(key.at, path, format!("the key `{}` is there twice", key.text))
                    .with_related(*at, "it is there first");
                self.flaws.push(flaw);
                continue;
            }
            first.insert(key.text.clone(), key.at);
            unique.push((key, value));
        }
        unique
    }

    /// Applies `<<`: entries of the mappings that it names, unless the mapping has the key itself.
    fn merged(&mut self, entries: Vec<(Key, Node)>, path: &DocPath) -> Vec<(Key, Node)> {
        if !entries.iter().any(|(key, _)| &*key.text == "<<") {
            return entries;
        }
        let mut own = Vec::with_capacity(entries.len());
        let mut inherited = Vec::new();
        for (key, value) in entries {
            match (&*key.text, value.value) {
                ("<<", Value::Mapping(entries)) => inherited.extend(entries),
                ("<<", Value::Sequence(items)) if items.iter().all(|item| matches!(item.value, Value::Mapping(_))) => {
                    inherited.extend(items.into_iter().flat_map(|item| item.entries().to_vec()));
                }
                ("<<", _) => self.flaws.push(
                    Flaw::error(value.at, path, "`<<` merges a mapping or a list of mappings")
                        .with_hint("name one by its alias: `<<: *name`"),
                ),
                (_, inner) => own.push((key, Node { value: inner, ..value })),
            }
        }
        for (key, value) in inherited {
            if !own.iter().any(|(known, _)| known.text == key.text) {
                own.push((key, value));
            }
        }
        own
    }

    /// The path of the node that comes next.
    fn path(&self) -> DocPath {
        match self.frames.last() {
            None => DocPath::root(),
            Some(Frame { collection, path, .. }) => match collection {
                Collection::Sequence(items) => path.index(items.len()),
                Collection::Mapping { key: Some(key), .. } => path.key(&key.text),
                Collection::Mapping { key: None, .. } => path.clone(),
            },
        }
    }

    fn syntax(&mut self, text: &str, at: Span, error: &ScanError) {
        let message = format!("this is not valid YAML: {}", error.kind());
        let flaw = Flaw::error(at, &self.path(), message);
        let line = text.split('\n').nth(at.line.saturating_sub(1) as usize).unwrap_or("");
        self.flaws.push(if line.contains("${") {
            flaw.with_hint("within `{...}` and `[...]` a reference must be quoted: \"${NAME}\"")
        } else if line.contains("/{") {
            flaw.with_hint("within `{...}` and `[...]` a path with braces must be quoted: \"GET /items/{id}\"")
        } else if line.contains('\t') {
            flaw.with_hint("indent with spaces, not with tabs")
        } else if line.contains("{{") {
            flaw.with_hint(TEMPLATE_HINT)
        } else {
            flaw
        });
    }

    fn flaw(&mut self, at: Span, message: impl Into<String>) {
        let at = Span { source: self.source, ..at };
        let flaw = Flaw::error(at, &self.path(), message);
        self.flaws.push(flaw);
    }
}
