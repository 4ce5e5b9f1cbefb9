//! The source of a template: the text that the engine compiles, and where each byte of it was written.

use std::sync::Arc;

use crate::{
    engine::{self, Zone},
    flaw::Flaw,
    position::Position,
    text::{Run, Text},
};

/// A text to compile, or an expression cut out of one. A clone is cheap.
///
/// What references of the document gave is guarded in it: it stands where it stood, as text, whatever it holds.
#[derive(Clone)]
pub(crate) struct Source {
    whole: Arc<Whole>,
    from: usize,
    to: usize,
}

/// A text that is compiled whole.
struct Whole {
    text: Box<str>,
    at: Position,
    runs: Arc<[Run]>,
    /// Whether there is nothing for the engine to do, although the text may look as if there were.
    constant: bool,
}

impl Source {
    /// A text of which only the place of the whole is known.
    pub(crate) fn plain(text: &str, at: Position) -> Self {
        Self::new(text, at, Arc::default(), !engine::looks_like_template(text))
    }

    fn new(text: &str, at: Position, runs: Arc<[Run]>, constant: bool) -> Self {
        Self { whole: Arc::new(Whole { text: text.into(), at, runs, constant }), from: 0, to: text.len() }
    }

    /// The source of a template.
    ///
    /// # Errors
    /// A reference that stands in an expression without quotes and gives no number.
    pub(crate) fn template(text: &Text, at: Position) -> Result<Self, Flaw> {
        Self::guarded(text, at, engine::zones)
    }

    /// The source of an expression, with or without the braces of a template.
    ///
    /// # Errors
    /// As [`template`](Self::template).
    pub(crate) fn expression(text: &Text, at: Position) -> Result<Self, Flaw> {
        let source = Self::guarded(text, at, |masked| match engine::is_lone_expression(masked) {
            Some(_) => engine::zones(masked),
            None => engine::zones_of_code(masked),
        })?;
        Ok(match engine::is_lone_expression(source.as_str()) {
            Some(lone) => source.cut(lone),
            None => source,
        })
    }

    fn guarded(text: &Text, at: Position, zones: impl Fn(&str) -> Vec<Zone>) -> Result<Self, Flaw> {
        let (text, runs) = (text.as_str(), text.runs());
        if !runs.iter().any(|run| run.given) {
            return Ok(Self::new(text, at, Arc::clone(runs), !engine::looks_like_template(text)));
        }
        let masked = masked(text, runs);
        if !engine::looks_like_template(&masked) && zones(&masked).iter().all(|zone| matches!(zone, Zone::Literal(_))) {
            return Ok(Self::new(text, at, Arc::clone(runs), true));
        }
        let before = runs.first().map_or(0, |run| run.start as usize);
        let mut guard =
            Guard { out: text.get(..before).unwrap_or("").to_owned(), runs: Vec::with_capacity(runs.len()) };
        let zones = zones(&masked);
        for (index, run) in runs.iter().enumerate() {
            let start = run.start as usize;
            let end = runs.get(index + 1).map_or(text.len(), |next| next.start as usize);
            let part = text.get(start..end).unwrap_or("");
            if !run.given {
                guard.literal(run, part);
            } else if let Err(()) = guard.given(run, part, Zone::of(&zones, start, end)) {
                let at = Position { source: at.source, line: run.line, column: run.column };
                let flaw = Flaw::new(at, "a reference in an expression is text, and needs quotes");
                return Err(flaw.with_hint("write `'${NAME}'`; a number may stand without quotes"));
            }
        }
        Ok(Self::new(&guard.out, at, guard.runs.into(), false))
    }

    /// The text to compile.
    pub(crate) fn as_str(&self) -> &str {
        self.whole.text.get(self.from..self.to).unwrap_or("")
    }

    /// Whether the text is what it renders.
    pub(crate) fn is_constant(&self) -> bool {
        self.whole.constant
    }

    /// A part of this source; `part` is a slice of its text.
    pub(crate) fn cut(&self, part: &str) -> Self {
        let from = self.from + self.offset(part);
        Self { whole: Arc::clone(&self.whole), from, to: from + part.len() }
    }

    /// Where a slice of the text begins in it; at the beginning when it is no slice of it.
    pub(crate) fn offset(&self, part: &str) -> usize {
        let offset = part.as_ptr().addr().wrapping_sub(self.as_str().as_ptr().addr());
        if offset + part.len() <= self.as_str().len() { offset } else { 0 }
    }

    /// Where the whole scalar is written.
    pub(crate) fn at(&self) -> Position {
        self.whole.at
    }

    /// Where a byte of the text is written; the scalar's place when nothing more is known.
    pub(crate) fn place(&self, offset: usize) -> Position {
        let Whole { text, at, runs, .. } = &*self.whole;
        match Run::place(runs, text, self.from + offset) {
            Some((line, column)) => Position { source: at.source, line, column },
            None => *at,
        }
    }
}

/// The text with letters in place of what references gave, so that only the document's own syntax is seen in it.
fn masked(text: &str, runs: &[Run]) -> String {
    let mut masked = String::with_capacity(text.len());
    for (index, run) in runs.iter().enumerate() {
        let end = runs.get(index + 1).map_or(text.len(), |next| next.start as usize);
        let part = text.get(run.start as usize..end).unwrap_or("");
        if index == 0 {
            masked.push_str(text.get(..run.start as usize).unwrap_or(""));
        }
        if run.given { masked.extend(std::iter::repeat_n('x', part.len())) } else { masked.push_str(part) }
    }
    masked
}

/// A text under construction in which what references gave cannot be mistaken for syntax.
struct Guard {
    out: String,
    runs: Vec<Run>,
}

impl Guard {
    fn begin(&mut self, run: &Run) {
        self.runs.push(Run { start: u32::try_from(self.out.len()).unwrap_or(u32::MAX), ..*run });
    }

    fn literal(&mut self, run: &Run, part: &str) {
        self.begin(run);
        self.out.push_str(part);
    }

    fn given(&mut self, run: &Run, part: &str, zone: Option<&Zone>) -> Result<(), ()> {
        match zone {
            _ if part.is_empty() => self.begin(run),
            // A comment, or what the engine refuses anyway.
            None => self.begin(run),
            Some(Zone::Raw(_)) if part.contains('{') || self.opens(part) => {
                self.begin(run);
                self.out.push_str("{% endraw %}");
                self.expression(part);
                self.out.push_str("{% raw %}");
            }
            Some(Zone::Literal(_)) if part.contains('{') || self.opens(part) => {
                let brace = self.out.ends_with('{');
                if brace {
                    self.out.pop();
                }
                self.begin(run);
                if brace { self.expression(&format!("{{{part}")) } else { self.expression(part) }
            }
            Some(Zone::Literal(_) | Zone::Raw(_)) => self.literal(run, part),
            Some(Zone::Quoted(quote, _)) => {
                self.begin(run);
                if (self.out.len() - self.out.trim_end_matches('\\').len()) % 2 == 1 {
                    self.out.push('\\');
                }
                self.quoted(part, *quote);
            }
            Some(Zone::Code(_)) if is_number(part) => self.literal(run, part),
            Some(Zone::Code(_)) => return Err(()),
        }
        Ok(())
    }

    /// Whether a tag would begin where the part is put.
    fn opens(&self, part: &str) -> bool {
        self.out.ends_with('{') && part.starts_with(['%', '#'])
    }

    /// The part as an expression that renders it as it is.
    fn expression(&mut self, part: &str) {
        self.out.push_str("{{ \"");
        self.quoted(part, '"');
        self.out.push_str("\" | safe }}");
    }

    fn quoted(&mut self, part: &str, quote: char) {
        for char in part.chars() {
            if char == quote || char == '\\' {
                self.out.push('\\');
            }
            self.out.push(char);
        }
    }
}

fn is_number(part: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match part.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(part),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::{
        Exchange, Facts, Params, Payload,
        error::Side,
        position::Located,
        scope::Scope,
        template::{Escaping, Expression, Template},
    };

    fn scope() -> Scope {
        let exchange = Exchange::new(Facts {
            route: "r".into(),
            request_id: http::HeaderValue::from_static("i"),
            client_ip: None,
            params: Params::default(),
            claims: None,
        });
        let (parts, ()) = http::Request::new(()).into_parts();
        Scope::of_request(&parts, &Payload::Streaming, &exchange)
    }

    fn rendered(parts: &[(&str, bool)]) -> Result<String, String> {
        let text = Located::nowhere(Text::of_parts(parts));
        let template = Template::compile(&text, Side::Request, Escaping::None).map_err(|flaw| flaw.to_string())?;
        template.render(&scope()).map_err(|error| error.to_string())
    }

    proptest! {
        #[test]
        fn what_a_reference_gives_is_text_wherever_it_stands(given in "[{}%#'\"\\\\ a-z\n-]{0,12}") {
            let given = &*given;
            for (before, after, expected) in [
                ("", "", given.to_owned()),
                ("{{ method }}", "", format!("GET{given}")),
                ("", "{{ method }}", format!("{given}GET")),
                ("{{ '", "' }}", given.to_owned()),
                ("{{ \"a", "b\" }}", format!("a{given}b")),
                ("{% if method == '", "' %}{% else %}no{% endif %}", "no".to_owned()),
                ("{% raw %}a", "b{% endraw %}", format!("a{given}b")),
                ("{# a", "b #}{{ method }}", "GET".to_owned()),
                ("{", " {{ method }}", format!("{{{given} GET")),
                ("{{ method }} ", "{", format!("GET {given}{{")),
            ] {
                prop_assert_eq!(rendered(&[(before, false), (given, true), (after, false)]), Ok(expected), "{} {}", before, after);
            }
            prop_assert_eq!(rendered(&[("{{ method }}", false), (given, true), (given, true)]), Ok(format!("GET{given}{given}")));
        }

        #[test]
        fn no_parts_panic(one in "[{}%#'\"a ]{0,8}", given in "[{}%#'\"a ]{0,8}", two in "[{}%#'\"a ]{0,8}") {
            rendered(&[(&one, false), (&given, true), (&two, false)]).ok();
            let text = Text::of_parts(&[(&one, false), (&given, true), (&two, false)]);
            if let Ok(source) = Source::expression(&text, Position::default()) {
                Expression::compile(source, Side::Request).ok();
            }
            prop_assert!(true);
        }
    }

    #[test]
    fn a_reference_in_an_expression_needs_quotes_unless_it_is_a_number() {
        assert_eq!(rendered(&[("{{ 1 + ", false), ("41", true), (" }}", false)]), Ok("42".to_owned()));
        for given in ["method", "'a'", "1 }}{{ 2", "-1"] {
            let refused = rendered(&[("{{ 1 ~ ", false), (given, true), (" }}", false)]).unwrap_err();
            assert!(refused.contains("needs quotes"), "{given}: {refused}");
        }
    }

    #[test]
    fn an_offset_after_what_was_guarded_is_where_it_was_written() {
        let text = Text::of_parts(&[("{{ a }} ", false), ("{{ b }}", true), (" {{ nope }}", false)]);
        let source = Source::template(&text, Position { source: 3, line: 1, column: 1 }).unwrap();
        let offset = source.as_str().find("nope").unwrap();
        assert_eq!(source.place(offset), Position { source: 3, line: 1, column: 20 });
        let cut = source.cut(&source.as_str()[offset..offset + 4]);
        assert_eq!((cut.as_str(), cut.place(1).column), ("nope", 21));
    }
}
