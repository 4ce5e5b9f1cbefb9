//! Edits of the query.

use super::config::Edits;
use crate::{
    engine::Reads,
    error::{Side, TransformError},
    flaw::{Flaw, Flaws},
    glob::Glob,
    one_or_many::OneOrMany,
    position::Located,
    query::QueryEditor,
    scope::Scope,
    template::{Escaping, Template},
    text::Text,
    tree::Named,
};

/// Compiled edits of the query.
#[derive(Clone, Debug, Default)]
pub(super) struct QueryPlan {
    set: Vec<(String, Vec<Template>)>,
    append: Vec<(String, Vec<Template>)>,
    remove: Vec<Glob>,
}

/// Rendered values of a plan, in the plan's order.
#[derive(Debug, Default)]
pub(super) struct RenderedQuery {
    set: Vec<Vec<String>>,
    append: Vec<Vec<String>>,
}

impl QueryPlan {
    pub(super) fn compile(edits: &Edits, side: Side) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Flaws::default();
        let plan = Self {
            set: flaws.meanwhile(|flaw| flaw.within("set"), |flaws| values(&edits.set, side, flaws)),
            append: flaws.meanwhile(|flaw| flaw.within("append"), |flaws| values(&edits.append, side, flaws)),
            remove: edits.remove.iter().map(|name| Glob::new(&name.value)).collect(),
        };
        flaws.finish(plan)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.set.is_empty() && self.append.is_empty() && self.remove.is_empty()
    }

    pub(super) fn reads(&self) -> Reads {
        let templates = self.set.iter().chain(&self.append).flat_map(|(_, values)| values);
        templates.map(Template::reads).fold(Reads::NOTHING, Reads::and)
    }

    pub(super) fn render(&self, scope: &Scope) -> Result<RenderedQuery, TransformError> {
        let render = |edits: &[(String, Vec<Template>)]| {
            let values = |(name, values): &(String, Vec<Template>)| {
                let render = |template: &Template| {
                    template.render(scope).map_err(|error| error.of(&format!("query parameter `{name}`")))
                };
                values.iter().map(render).collect()
            };
            edits.iter().map(values).collect::<Result<Vec<_>, _>>()
        };
        Ok(RenderedQuery { set: render(&self.set)?, append: render(&self.append)? })
    }

    /// The query after the edits.
    pub(super) fn apply(&self, rendered: &RenderedQuery, query: Option<&str>) -> Option<String> {
        let mut editor = QueryEditor::new(query);
        for ((name, _), values) in self.set.iter().zip(&rendered.set) {
            editor.set(name, values);
        }
        for ((name, _), values) in self.append.iter().zip(&rendered.append) {
            for value in values {
                editor.append(name, value);
            }
        }
        if !self.remove.is_empty() {
            editor.remove(|name| self.remove.iter().any(|glob| glob.matches(name)));
        }
        editor.finish()
    }
}

fn values(edits: &Named<OneOrMany<Located<Text>>>, side: Side, flaws: &mut Flaws) -> Vec<(String, Vec<Template>)> {
    let mut compiled = Vec::new();
    for (name, texts) in &edits.0 {
        let compile = |text: &Located<Text>| {
            let template = Template::compile(text, side, Escaping::None);
            template.map_err(|flaw| flaw.of(&format!("query parameter `{}`", name.value)))
        };
        compiled.push((name.value.clone(), super::each(name, texts, flaws, compile)));
    }
    compiled
}
