//! The body form `xml`.

use crate::{
    engine,
    error::{Side, TransformError},
    flaw::Flaw,
    position::Located,
    scope::Scope,
    template::{Escaping, Template},
    text::Text,
    xml,
};

/// Compiles the template of a document. What it can be told before there are values is that the literals around them
/// are well-formed.
pub(crate) fn compile(text: &Located<Text>, side: Side) -> Result<Template, Flaw> {
    let template = Template::compile(text, side, Escaping::Xml)?;
    let skeleton = match template.as_constant() {
        Some(constant) => Some(constant.to_owned()),
        None => skeleton(template.source()),
    };
    match skeleton {
        Some(skeleton) => xml::check(&skeleton).map(|()| template).map_err(|complaint| Flaw::new(text.at, &*complaint)),
        None => Ok(template),
    }
}

/// The document with a text in place of every value; none when statements or a value's own markup may change it.
fn skeleton(source: &str) -> Option<String> {
    let pieces = engine::expressions_in_text(source)?;
    let markup = |code: &str| code.contains("safe") || code.contains("to_xml");
    let piece = |piece: Result<&'_ str, &'_ str>| match piece {
        Ok(literal) => Some(literal.to_owned()),
        Err(code) => (!markup(code)).then(|| "x".to_owned()),
    };
    pieces.into_iter().map(piece).collect()
}

/// The document for a message, which is well-formed whatever values went into it.
pub(crate) fn render(template: &Template, scope: &Scope) -> Result<String, TransformError> {
    let document = template.render(scope).map_err(|error| error.of("`xml`"))?;
    xml::check(&document)
        .map_err(|complaint| TransformError::new(scope.side(), template.at(), complaint.to_string()).of("`xml`"))?;
    Ok(document)
}
