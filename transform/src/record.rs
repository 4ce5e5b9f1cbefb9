//! Templates over records: named values that are no message, such as the line of an access log.

use std::{fmt, sync::Arc};

use minijinja::{Value, value::Serde};
use serde::Serialize;

use crate::{
    engine,
    error::{Side, TransformError},
    flaw::Flaw,
    position::Located,
    source::Source,
    template::{Program, failure, flaw},
    text::Text,
};

/// A text with Jinja tags over the values of a record, compiled. A clone is cheap.
#[derive(Clone)]
pub struct RecordTemplate {
    /// `None` for a text without tags.
    program: Option<Arc<Program>>,
    source: Source,
}

impl RecordTemplate {
    /// Compiles a template over records with these names.
    ///
    /// # Errors
    /// The flaw says what the engine does not understand, or which value, filter or test does not exist.
    pub fn written(text: &Located<Text>, names: &[&str]) -> Result<Self, Flaw> {
        let source = Source::template(&text.value, text.at)?;
        if source.is_constant() {
            return Ok(Self { program: None, source });
        }
        let program = engine::compile_record_text(source.as_str(), names).map_err(|refusal| flaw(refusal, &source))?;
        Ok(Self { program: Some(Arc::new(program)), source })
    }

    /// Renders the text for a record.
    ///
    /// # Errors
    /// A value of the wrong type, or too much work.
    pub fn render(&self, record: &impl Serialize) -> Result<String, TransformError> {
        let Some(program) = &self.program else { return Ok(self.source.as_str().to_owned()) };
        let rendered = program.borrow_dependent().render(Value::from(Serde(record)));
        rendered.map_err(|error| failure(&error, &self.source, Side::Response))
    }
}

/// An expression over the values of a record, compiled. A clone is cheap.
#[derive(Clone)]
pub struct RecordExpression {
    expression: Arc<minijinja::Expression<'static, 'static>>,
    source: Source,
}

impl RecordExpression {
    /// Compiles an expression, with or without the braces of a template, over records with these names.
    ///
    /// # Errors
    /// As [`RecordTemplate::written`].
    pub fn written(text: &Located<Text>, names: &[&str]) -> Result<Self, Flaw> {
        let source = Source::expression(&text.value, text.at)?;
        let compiled = engine::compile_record_expression(source.as_str(), names);
        let expression = Arc::new(compiled.map_err(|refusal| flaw(refusal, &source))?);
        Ok(Self { expression, source })
    }

    /// Whether the expression holds for a record.
    ///
    /// # Errors
    /// As [`RecordTemplate::render`].
    pub fn holds(&self, record: &impl Serialize) -> Result<bool, TransformError> {
        let value = self.expression.eval(Value::from(Serde(record)));
        value.map(|value| value.is_true()).map_err(|error| failure(&error, &self.source, Side::Response))
    }
}

/// Shows no source: it may hold a secret.
impl fmt::Debug for RecordTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordTemplate").field("at", &self.source.at()).finish_non_exhaustive()
    }
}

/// Shows no source: it may hold a secret.
impl fmt::Debug for RecordExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordExpression").field("at", &self.source.at()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAMES: &[&str] = &["status", "path"];

    fn text(text: &str) -> Located<Text> {
        Located::nowhere(Text::from(text.to_owned()))
    }

    #[test]
    fn a_record_is_rendered_and_judged() {
        let record = json!({"status": 502, "path": "/a"});
        let template = RecordTemplate::written(&text("{{ path }} {{ status }}"), NAMES).unwrap();
        assert_eq!(template.render(&record).unwrap(), "/a 502");
        assert_eq!(RecordTemplate::written(&text("a line"), NAMES).unwrap().render(&record).unwrap(), "a line");
        for (expression, holds) in [("status >= 500", true), ("{{ path == '/b' }}", false)] {
            let expression = RecordExpression::written(&text(expression), NAMES).unwrap();
            assert_eq!(expression.holds(&record).unwrap(), holds);
        }
    }

    #[test]
    fn a_name_that_no_record_has_is_a_flaw() {
        let flaw = RecordTemplate::written(&text("{{ statuss }}"), NAMES).unwrap_err();
        assert_eq!(flaw.message, "there is no value `statuss`");
        assert_eq!(flaw.hint.as_deref(), Some("did you mean `status`?"));
        let flaw = RecordExpression::written(&text("headers.x"), NAMES).unwrap_err();
        assert_eq!(flaw.hint.as_deref(), Some("in reach are status, path"));
    }
}
