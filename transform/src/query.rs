//! Reading and editing a query string, and forms, which are written alike. Pairs that nobody edits keep their bytes.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// An escape in a query or form that is not two hex digits, or does not decode to UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value of the query or form has an invalid percent-escape")]
pub(crate) struct InvalidEscape;

/// What stands in a query or form as it is: the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as a name or value of a query.
pub(crate) fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, UNRESERVED)
}

/// The text that a raw name or value stands for; `+` is a space.
pub(crate) fn decode(raw: &str) -> Result<Cow<'_, str>, InvalidEscape> {
    if !raw.contains(['%', '+']) {
        return Ok(Cow::Borrowed(raw));
    }
    let bytes = raw.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let broken = |at: usize| bytes[at] == b'%' && !(digit(at + 1) && digit(at + 2));
    if (0..bytes.len()).any(broken) {
        return Err(InvalidEscape);
    }
    let spaced = raw.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|text| Cow::Owned(text.into_owned())).map_err(|_| InvalidEscape)
}

/// Raw names and values.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn is_named(raw: &str, name: &str) -> bool {
    raw == name || decode(raw).is_ok_and(|decoded| decoded == name)
}

/// All values of a name.
pub(crate) fn all<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = Result<Cow<'a, str>, InvalidEscape>> {
    pairs(query).filter(move |(raw, _)| is_named(raw, name)).map(|(_, value)| decode(value))
}

/// The first value of a name.
pub(crate) fn first<'a>(query: &'a str, name: &'a str) -> Option<Result<Cow<'a, str>, InvalidEscape>> {
    all(query, name).next()
}

/// The names in the order of their first appearance; a name that does not decode is left out.
pub(crate) fn names(query: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (raw, _) in pairs(query) {
        if let Ok(name) = decode(raw)
            && !names.iter().any(|known| *known == name)
        {
            names.push(name.into_owned());
        }
    }
    names
}

/// A query under edit: raw pairs.
#[derive(Debug)]
pub(crate) struct QueryEditor {
    pairs: Vec<String>,
}

impl QueryEditor {
    pub(crate) fn new(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or("").split('&').filter(|pair| !pair.is_empty());
        Self { pairs: pairs.map(str::to_owned).collect() }
    }

    fn name(pair: &str) -> &str {
        pair.split_once('=').map_or(pair, |(name, _)| name)
    }

    /// Puts values in place of all that a name has, where the first of them stood.
    pub(crate) fn set(&mut self, name: &str, values: &[String]) {
        let at = self.pairs.iter().position(|pair| is_named(Self::name(pair), name)).unwrap_or(self.pairs.len());
        self.pairs.retain(|pair| !is_named(Self::name(pair), name));
        self.pairs.splice(at..at, values.iter().map(|value| Self::pair(name, value)));
    }

    /// Adds a value after all others.
    pub(crate) fn append(&mut self, name: &str, value: &str) {
        self.pairs.push(Self::pair(name, value));
    }

    /// Removes the names that a test picks.
    pub(crate) fn remove(&mut self, picks: impl Fn(&str) -> bool) {
        self.pairs.retain(|pair| !decode(Self::name(pair)).is_ok_and(|name| picks(&name)));
    }

    /// The query; none when nothing is left.
    pub(crate) fn finish(self) -> Option<String> {
        (!self.pairs.is_empty()).then(|| self.pairs.join("&"))
    }

    fn pair(name: &str, value: &str) -> String {
        format!("{}={}", encode(name), encode(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(query: &str, edit: impl FnOnce(&mut QueryEditor)) -> Option<String> {
        let mut editor = QueryEditor::new(Some(query));
        edit(&mut editor);
        editor.finish()
    }

    #[test]
    fn reads_names_and_values_decoded() {
        let query = "a=1&b%20c=x+y&a=2&d&e=%C3%A9";
        assert_eq!(names(query), ["a", "b c", "d", "e"]);
        assert_eq!(first(query, "b c"), Some(Ok("x y".into())));
        assert_eq!(first(query, "d"), Some(Ok("".into())));
        assert_eq!(first(query, "e"), Some(Ok("é".into())));
        assert_eq!(all(query, "a").collect::<Vec<_>>(), [Ok("1".into()), Ok("2".into())]);
        assert_eq!(first(query, "z"), None);
    }

    #[test]
    fn an_invalid_escape_is_only_an_error_for_who_reads_it() {
        let query = "good=1&bad=%zz&cut=%4&bytes=%ff";
        assert_eq!(first(query, "good"), Some(Ok("1".into())));
        for name in ["bad", "cut", "bytes"] {
            assert_eq!(first(query, name), Some(Err(InvalidEscape)), "{name}");
        }
        assert_eq!(edited(query, |query| query.append("more", "2")).unwrap(), format!("{query}&more=2"));
    }

    #[test]
    fn set_replaces_every_value_where_the_first_stood() {
        let set = |query| edited(query, |query| query.set("page", &["1&2".to_owned()]));
        assert_eq!(set("a=x&page=7&b=%7e&pag%65=8").unwrap(), "a=x&page=1%262&b=%7e");
        assert_eq!(set("").unwrap(), "page=1%262");
    }

    #[test]
    fn remove_leaves_no_empty_query() {
        assert_eq!(edited("debug=1&debug", |query| query.remove(|name| name == "debug")), None);
        assert_eq!(edited("debug=1&q", |query| query.remove(|name| name == "debug")).unwrap(), "q");
    }
}
