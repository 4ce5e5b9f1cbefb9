//! Text of the configuration that knows where each part of it was written.

use std::{borrow::Cow, fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

/// The name of the newtype by which [`Text`] asks a deserializer for a scalar as it is written.
///
/// A deserializer that knows the name answers `deserialize_newtype_struct` of it with `visit_seq`, whatever the scalar's
/// type: first the text (`str`), then start, line, column and 0 or 1 for each [`Run`] (`u32` each). Any other answers
/// with `visit_newtype_struct`.
pub const TEXT: &str = "$callgate::TemplateText";

/// A part of a text that is written in one go: its characters stand side by side in one line of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The byte of the text at which the part begins.
    pub start: u32,
    /// The line of its first character, from 1.
    pub line: u32,
    /// The column of its first character, from 1.
    pub column: u32,
    /// Whether the document has a reference here, which gave the part. Such a part is text and never syntax.
    pub given: bool,
}

impl Run {
    /// Line and column of a byte of a text; none before the first run.
    #[must_use]
    pub fn place(runs: &[Self], text: &str, offset: usize) -> Option<(u32, u32)> {
        let after = runs.partition_point(|run| run.start as usize <= offset);
        let run = runs.get(after.checked_sub(1)?)?;
        let before = if run.given { "" } else { text.get(run.start as usize..offset).unwrap_or("") };
        Some((run.line, run.column.saturating_add(u32::try_from(before.chars().count()).unwrap_or(u32::MAX))))
    }

    /// The runs of what stands behind a byte of a text.
    #[must_use]
    pub fn behind(runs: &[Self], text: &str, offset: usize) -> Vec<Self> {
        let start = u32::try_from(offset).unwrap_or(u32::MAX);
        let after = runs.partition_point(|run| run.start <= start);
        let cut = after.checked_sub(1).and_then(|cut| runs.get(cut)).map(|cut| {
            let (line, column) = Self::place(runs, text, offset).unwrap_or((cut.line, cut.column));
            Self { start: 0, line, column, given: cut.given }
        });
        let rest = runs.get(after..).unwrap_or_default();
        cut.into_iter().chain(rest.iter().map(|run| Self { start: run.start - start, ..*run })).collect()
    }
}

/// A scalar that is used as text: `5` and `"5"` are the same.
#[derive(Clone, Default)]
pub struct Text {
    text: String,
    runs: Arc<[Run]>,
}

impl Text {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands behind a byte of the text; nothing where no character begins there.
    #[must_use]
    pub fn behind(&self, offset: usize) -> Self {
        let text = self.text.get(offset..).unwrap_or_default().to_owned();
        Self { text, runs: Run::behind(&self.runs, &self.text, offset).into() }
    }

    /// Where its parts are written; empty when the configuration's reader knew no places.
    #[must_use]
    pub fn runs(&self) -> &Arc<[Run]> {
        &self.runs
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, runs: Arc::default() }
    }
}

/// A text is what it says, wherever it is written.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or true or false")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        let text = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &"a text"))?;
        let mut runs = Vec::new();
        while let Some(start) = parts.next_element()? {
            let mut number = || parts.next_element::<u32>()?.ok_or_else(|| A::Error::invalid_length(1, &"4 numbers"));
            runs.push(Run { start, line: number()?, column: number()?, given: number()? == 1 });
        }
        Ok(Text { text, runs: runs.into() })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(text.to_owned().into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
        Ok(text.into())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Text, E> {
        Ok(value.to_string().into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Text, E> {
        Ok(value.to_string().into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Text, E> {
        Ok(value.to_string().into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Text, E> {
        Ok(value.to_string().into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Text, E> {
        Ok(value.to_string().into())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT, TextVisitor)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

#[cfg(test)]
impl Text {
    /// A text of parts in one line, of which some were given by references.
    pub(crate) fn of_parts(parts: &[(&str, bool)]) -> Self {
        let (mut text, mut runs) = (String::new(), Vec::new());
        for (part, given) in parts {
            let start = u32::try_from(text.len()).unwrap();
            runs.push(Run { start, line: 1, column: start + 1, given: *given });
            text.push_str(part);
        }
        Self { text, runs: runs.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_text_keeps_its_places() {
        let text = Text::of_parts(&[("https://a/", false), ("{{ x }}", true), ("/b", false)]);
        let behind = text.behind(8);
        assert_eq!(behind.as_str(), "a/{{ x }}/b");
        let runs: Vec<_> = behind.runs().iter().map(|run| (run.start, run.column, run.given)).collect();
        assert_eq!(runs, [(0, 9, false), (2, 11, true), (9, 18, false)]);
        let given = text.behind(12);
        assert_eq!(given.runs().first().map(|run| (run.start, run.column, run.given)), Some((0, 11, true)));
        assert_eq!(text.behind(99).as_str(), "");
    }

    #[test]
    fn a_byte_has_the_place_of_its_run() {
        let run = |start, line, column, given| Run { start, line, column, given };
        let runs = [run(0, 4, 9, false), run(5, 4, 14, true), run(9, 5, 3, false)];
        let text = "aé{{ SECR b";
        let place = |offset| Run::place(&runs, text, offset);
        assert_eq!(place(0), Some((4, 9)));
        assert_eq!(place(3), Some((4, 11)), "columns count characters");
        assert_eq!(place(7), Some((4, 14)), "what a reference gave is where the reference is");
        assert_eq!(place(10), Some((5, 4)));
        assert_eq!(Run::place(&runs[1..], text, 1), None);
    }
}
