//! The plainest expressions, `body.items[0].sku` and `headers['x-tenant']`, evaluated without the engine.
//!
//! Most templates are a text with a few of them, and setting the engine up costs more than they do.

use std::sync::Arc;

use minijinja::{Error, ErrorKind, Value, value::ValueKind};

use crate::{
    engine,
    plain::Plain,
    scope::{Context, is_missing},
};

/// A name in reach and the keys to follow from there.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    root: Box<str>,
    keys: Box<[Key]>,
    /// What it is, where its text can be had without a value.
    plain: Option<Plain>,
}

#[derive(Clone, Debug)]
enum Key {
    Name(Box<str>),
    Index(usize),
}

impl Lookup {
    /// Reads an expression that is a mere lookup; none when it is anything more, which is for the engine.
    pub(crate) fn parse(expression: &str, names: &[&str]) -> Option<Self> {
        let (root, mut rest) = identifier(expression.trim())?;
        if !names.contains(&root) {
            return None;
        }
        let mut keys = Vec::new();
        while !rest.is_empty() {
            let (key, after) = match rest.strip_prefix('.') {
                Some(rest) => identifier(rest).map(|(name, after)| (Key::Name(name.into()), after))?,
                None => subscript(rest.strip_prefix('[')?)?,
            };
            keys.push(key);
            rest = after;
        }
        let plain = match &keys[..] {
            [] => Plain::of(root, None),
            [Key::Name(name)] => Plain::of(root, Some(name)),
            _ => None,
        };
        Some(Self { root: root.into(), keys: keys.into(), plain })
    }

    /// Writes the value's text.
    ///
    /// # Errors
    /// As [`eval`](Self::eval), and a value that is undefined or has no text.
    pub(crate) fn write(&self, context: &Arc<Context>, out: &mut String) -> Result<(), Error> {
        if self.plain.as_ref().is_some_and(|plain| plain.write(context, out)) {
            return Ok(());
        }
        out.push_str(&engine::text_of(&self.eval(context)?)?);
        Ok(())
    }

    /// The value, which may be undefined.
    ///
    /// # Errors
    /// What the engine says too: a key of what is undefined, and a value that cannot be read.
    pub(crate) fn eval(&self, context: &Arc<Context>) -> Result<Value, Error> {
        let (mut value, mut followed) = match self.keys.first() {
            Some(Key::Name(name)) if let Some(member) = context.member(&self.root, name) => (member, 1),
            _ => (context.named(&self.root), 0),
        };
        loop {
            if value.kind() == ValueKind::Invalid {
                return Err(engine::unreadable(&value));
            }
            let Some(key) = self.keys.get(followed) else { return Ok(value) };
            if is_missing(&value) {
                return Err(Error::new(ErrorKind::UndefinedError, format!("`{}` is undefined", self.shown(followed))));
            }
            value = match key {
                Key::Name(name) => value.get_attr(name)?,
                Key::Index(index) => value.get_item_by_index(*index)?,
            };
            followed += 1;
        }
    }

    /// The lookup up to a key, as an error names it.
    fn shown(&self, keys: usize) -> String {
        let mut shown = self.root.to_string();
        for key in &self.keys[..keys.max(1).min(self.keys.len())] {
            match key {
                Key::Name(name) if identifier(name).is_some_and(|(_, rest)| rest.is_empty()) => {
                    shown.push('.');
                    shown.push_str(name);
                }
                Key::Name(name) => shown.push_str(&format!("['{name}']")),
                Key::Index(index) => shown.push_str(&format!("[{index}]")),
            }
        }
        shown
    }
}

fn identifier(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(text.len());
    let first = *text.as_bytes().first()?;
    (end > 0 && !first.is_ascii_digit()).then(|| text.split_at(end))
}

/// A key in brackets, of which the first is consumed, and what follows.
fn subscript(text: &str) -> Option<(Key, &str)> {
    let (inner, rest) = match text.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let (inner, rest) = text[1..].split_once(char::from(*quote))?;
            (Key::Name((!inner.contains('\\')).then(|| inner.into())?), rest)
        }
        _ => {
            let end = text.find(|char: char| !char.is_ascii_digit())?;
            (Key::Index(text[..end].parse().ok()?), &text[end..])
        }
    };
    Some((inner, rest.strip_prefix(']')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["body", "headers"];

    #[test]
    fn takes_mere_lookups_only() {
        for plain in ["body", " body.a_b.c1 ", "headers['x-a']", "headers[\"x\"].y[0][12].z"] {
            assert!(Lookup::parse(plain, NAMES).is_some(), "{plain}");
        }
        for more in [
            "",
            "1",
            "other.x",
            "body.",
            "body.1",
            "body[",
            "body[a]",
            "body['a'",
            "body['a\\n']",
            "body[-1]",
            "body + 1",
            "body.a()",
            "body | upper",
            "body .a",
            "not body",
            "body[99999999999999999999999]",
        ] {
            assert!(Lookup::parse(more, NAMES).is_none(), "{more}");
        }
    }
}
