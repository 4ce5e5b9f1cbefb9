//! Steps: their configuration, their compiled form, and how one is carried out.

mod body;
mod compile;
mod config;
mod form;
mod headers;
mod path;
mod query;
mod run;
mod target;
pub(crate) mod xml;

use crate::{
    flaw::{Flaw, Flaws},
    one_or_many::OneOrMany,
    position::Located,
    text::Text,
};

pub use config::{BodyForm, Edits, RequestStep, RequestSteps, ResponseStep, ResponseSteps};
pub use path::PathTemplate;

pub(crate) use compile::{Step, request_steps, response_steps};

/// Compiles the values of a name. A flaw lies within the name, and within its number where there are several values.
fn each<T>(
    name: &Located<String>,
    texts: &OneOrMany<Located<Text>>,
    flaws: &mut Flaws,
    compile: impl Fn(&Located<Text>) -> Result<T, Flaw>,
) -> Vec<T> {
    let several = texts.iter().len() > 1;
    let value = |(index, text)| {
        let placed = |flaw: Flaw| if several { flaw.within_item(index) } else { flaw };
        flaws.keep(compile(text).map_err(|flaw| placed(flaw).within(&name.value)))
    };
    texts.iter().enumerate().filter_map(value).collect()
}
