//! The template engine: one environment for all templates, compiling them, and wording their errors.

mod compile;
mod crypto;
mod encoding;
mod factors;
mod formatter;
mod functions;
mod scan;
mod suggest;
mod text;
mod xml;

use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, syntax::SyntaxConfig};

pub(crate) use compile::{
    Reads, Refusal, begins, compile_expression, compile_record_expression, compile_record_text, compile_text, names,
    problem,
};
pub(crate) use formatter::{encode_path_literal, has_dot_segment, text_of, unreadable};
pub(crate) use scan::{
    Zone, expressions_in_text, first_expression_names, has_statements, is_lone_expression, literals,
    looks_like_template, zones, zones_of_code,
};

use crate::template::Escaping;

/// Work that one rendering may do: an instruction costs one, as do 64 bytes of produced text. A full budget of a
/// tight loop is some tens of milliseconds; passing a body of 10 MiB through one filter costs a third of it.
const FUEL: u64 = 1_000_000;

/// Nesting of macros and loops that call themselves.
const RECURSION: usize = 100;

/// The name of the templates whose values are kept in their segments of a path.
const PATH: &str = "path";

/// The name of the templates whose values are escaped as segments of a path.
const LOCATION: &str = "location";

/// The name of the templates whose values are escaped as text of XML.
const XML: &str = "xml";

pub(crate) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    // Errors then name the undefined expression. What it costs is paid by templates that fail only.
    environment.set_debug(true);
    // A text ends as it is written, with tags in it or without.
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.unwrap_or_default());
    environment.set_auto_escape_callback(|name| {
        if [PATH, LOCATION, XML].contains(&name) {
            AutoEscape::Custom(name.to_owned().into())
        } else {
            AutoEscape::None
        }
    });
    environment.set_formatter(formatter::format);
    environment.remove_filter("safe");
    environment.add_filter("safe", |text: String| minijinja::Value::from_safe_string(text));
    environment.remove_global("debug");
    functions::register(&mut environment);
    encoding::register(&mut environment);
    factors::register(&mut environment);
    crypto::register(&mut environment);
    text::register(&mut environment);
    xml::register(&mut environment);
    environment
});

impl Escaping {
    /// The name by which the environment knows how values are escaped.
    const fn template_name(self) -> &'static str {
        match self {
            Self::None => "template",
            Self::Path => PATH,
            Self::Location => LOCATION,
            Self::Xml => XML,
        }
    }
}
