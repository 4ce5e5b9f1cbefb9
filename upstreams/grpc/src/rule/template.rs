//! Path templates: `/v1/{name=shelves/*}/books/{book}:archive`.

use std::{cmp::Ordering, ops::Range};

use percent_encoding::percent_decode_str;

/// A path with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    text: String,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
    verb: Option<String>,
}

/// Literals come before captures in the order of templates: they are more specific.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    /// `*`: one segment that is not empty.
    One,
    /// `**`: all that remain.
    Rest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    field: String,
    segments: Range<usize>,
}

impl Template {
    /// Reads a template by the grammar of `google.api.HttpRule`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix('/').ok_or("a path begins with `/`")?;
        let (path, verb) = match path.rfind([':', '/', '}']) {
            Some(at) if path[at..].starts_with(':') => (&path[..at], Some(path[at + 1..].to_owned())),
            _ => (path, None),
        };
        let mut template = Self { text: text.to_owned(), segments: Vec::new(), variables: Vec::new(), verb };
        let mut rest = path;
        while !rest.is_empty() {
            let end = if let Some(variable) = rest.strip_prefix('{') {
                let end = variable.find('}').ok_or("a variable has no end")?;
                template.variable(&variable[..end])?;
                end + 2
            } else {
                let end = rest.find('/').unwrap_or(rest.len());
                template.segment(&rest[..end])?;
                end
            };
            rest = match rest.get(end..).unwrap_or_default() {
                "" => "",
                more => match more.strip_prefix('/') {
                    Some("") | None => return Err("its segments are parted by single `/`".to_owned()),
                    Some(more) => more,
                },
            };
        }
        let rest = template.segments.iter().position(|segment| *segment == Segment::Rest);
        if rest.is_some_and(|at| at + 1 < template.segments.len()) {
            return Err("`**` can only stand at the end".to_owned());
        }
        Ok(template)
    }

    fn variable(&mut self, text: &str) -> Result<(), String> {
        let (field, segments) = text.split_once('=').unwrap_or((text, "*"));
        if field.is_empty() {
            return Err("a variable names no field".to_owned());
        }
        let start = self.segments.len();
        for segment in segments.split('/') {
            self.segment(segment)?;
        }
        self.variables.push(Variable { field: field.to_owned(), segments: start..self.segments.len() });
        Ok(())
    }

    fn segment(&mut self, text: &str) -> Result<(), String> {
        self.segments.push(match text {
            "*" => Segment::One,
            "**" => Segment::Rest,
            "" => return Err("a segment is empty".to_owned()),
            text if text.contains(['{', '}', '*']) => return Err(format!("`{text}` is no segment of a path")),
            text => Segment::Literal(text.to_owned()),
        });
        Ok(())
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The fields of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.field.as_str())
    }

    /// The variables' texts, where the template matches the path. In a variable of several segments an escaped slash
    /// stays escaped, as it is none of those between them.
    pub(crate) fn matches(&self, path: &str) -> Option<Vec<String>> {
        let mut path = path.strip_prefix('/')?;
        if let Some(verb) = &self.verb {
            path = path.strip_suffix(verb.as_str())?.strip_suffix(':')?;
        }
        let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        let ends = self.segments.last() != Some(&Segment::Rest);
        let fixed = if ends { self.segments.len() } else { self.segments.len() - 1 };
        if parts.len() < fixed || (ends && parts.len() > fixed) {
            return None;
        }
        for (segment, part) in self.segments.iter().zip(&parts) {
            let fits = match segment {
                Segment::Literal(literal) => decoded(part).is_some_and(|part| part == *literal),
                Segment::One => !part.is_empty(),
                Segment::Rest => true,
            };
            if !fits {
                return None;
            }
        }
        self.variables.iter().map(|variable| self.text_of(variable, &parts)).collect()
    }

    fn text_of(&self, variable: &Variable, parts: &[&str]) -> Option<String> {
        let is_rest = variable.segments.end == self.segments.len() && self.segments.last() == Some(&Segment::Rest);
        let end = if is_rest { parts.len() } else { variable.segments.end };
        let taken = parts.get(variable.segments.start..end)?;
        match (taken, is_rest) {
            ([one], false) => decoded(one),
            (several, _) => {
                let several: Option<Vec<_>> = several.iter().map(|part| unslashed(part)).collect();
                several.map(|several| several.join("/"))
            }
        }
    }

    /// Which of two templates is looked at first: the more specific one.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let verb = other.verb.is_some().cmp(&self.verb.is_some());
        let segments = self.segments.iter().zip(&other.segments).map(|(one, other)| rank(one).cmp(&rank(other)));
        let segments = segments.fold(Ordering::Equal, Ordering::then);
        segments.then(other.segments.len().cmp(&self.segments.len())).then(verb)
    }
}

fn rank(segment: &Segment) -> u8 {
    match segment {
        Segment::Literal(_) => 0,
        Segment::One => 1,
        Segment::Rest => 2,
    }
}

fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// A segment decoded, but for its escaped slashes.
fn unslashed(part: &str) -> Option<String> {
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(at) = [rest.find("%2F"), rest.find("%2f")].into_iter().flatten().min() {
        out.push_str(&decoded(&rest[..at])?);
        out.push_str(&rest[at..at + 3]);
        rest = &rest[at + 3..];
    }
    out.push_str(&decoded(rest)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(template: &str, path: &str) -> Option<Vec<String>> {
        Template::parse(template).unwrap().matches(path)
    }

    fn some(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn variables_take_segments() {
        assert_eq!(matched("/v1/say/{name}", "/v1/say/Ann%20B%2FC"), some(&["Ann B/C"]));
        assert_eq!(matched("/v1/{name=shelves/*}/books/{book.id}", "/v1/shelves/1/books/2"), some(&["shelves/1", "2"]));
        assert_eq!(matched("/v1/{name=shelves/*}", "/v1/shelves/a%2fb%20c"), some(&["shelves/a%2fb c"]));
        assert_eq!(matched("/v1/{path=**}", "/v1/a/b/c"), some(&["a/b/c"]));
        assert_eq!(matched("/v1/{path=**}", "/v1"), some(&[""]));
        assert_eq!(matched("/v1/{path=files/**}", "/v1/files/%20/%2F%2f"), some(&["files/ /%2F%2f"]));
        assert_eq!(matched("/v1/*/x", "/v1/anything/x"), some(&[]));
        assert_eq!(matched("/", "/"), some(&[]));
    }

    #[test]
    fn a_verb_ends_the_path() {
        assert_eq!(matched("/v1/{name}:cancel", "/v1/7:cancel"), some(&["7"]));
        assert_eq!(matched("/v1/{name}:cancel", "/v1/7"), None);
        assert_eq!(matched("/v1/{name}", "/v1/7:cancel"), some(&["7:cancel"]));
        assert_eq!(matched("/v1/things:list", "/v1/things:list"), some(&[]));
    }

    #[test]
    fn what_does_not_match_does_not() {
        for (template, path) in [
            ("/v1/say/{name}", "/v1/say/"),
            ("/v1/say/{name}", "/v1/say/a/b"),
            ("/v1/say/{name}", "/v2/say/a"),
            ("/v1/{name=shelves/*}", "/v1/books/1"),
            ("/v1", "/v1/"),
            ("/v1/{a}", "/v1/%ff"),
        ] {
            assert_eq!(matched(template, path), None, "{template} {path}");
        }
    }

    #[test]
    fn what_is_no_template_is_told() {
        for wrong in ["v1", "/v1/{a", "/v1/{}", "/v1//a", "/v1/a/", "/v1/{a=**}/b", "/v1/a{b}", "/v1/x*"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn literals_come_before_variables() {
        let parse = |text| Template::parse(text).unwrap();
        let mut all = ["/v1/{a=**}", "/v1/{a}", "/v1/{a}:x", "/v1/b", "/v1/{a}/c"].map(parse);
        all.sort_by(Template::order);
        let order: Vec<_> = all.iter().map(Template::text).collect();
        assert_eq!(order, ["/v1/b", "/v1/{a}/c", "/v1/{a}:x", "/v1/{a}", "/v1/{a=**}"]);
    }
}
