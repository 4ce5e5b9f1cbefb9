//! Transformation steps of one level, compiled.

use callgate_transform::{CompiledRequest, CompiledResponse, Field, Flaw as TemplateFlaw, RequestSteps, ResponseSteps};

use super::keep;
use crate::document::{DocPath, Flaw, Node, Span, Value};

/// The steps that stand on one level: a host, a route, an upstream or a function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    pub(crate) request: Option<CompiledRequest>,
    pub(crate) response: Option<CompiledResponse>,
}

impl Steps {
    /// Compiles the steps of a level, which `node` is at `path`.
    pub(super) fn compile(
        request: Option<RequestSteps>,
        response: Option<ResponseSteps>,
        (node, path): (&Node, &DocPath),
        flaws: &mut Vec<Flaw>,
    ) -> Self {
        let placed = |found, name| placed_steps(found, node.get(name), &path.key(name));
        let request = request.map(|steps| steps.compile().map_err(|found| placed(found, "request")));
        let response = response.map(|steps| steps.compile().map_err(|found| placed(found, "response")));
        Self {
            request: request.and_then(|steps| keep(steps, flaws)),
            response: response.and_then(|steps| keep(steps, flaws)),
        }
    }
}

/// Turns the flaws of steps into the document's: a step that stands in no list has no number.
pub(super) fn placed_steps(mut found: Vec<TemplateFlaw>, steps: Option<&Node>, path: &DocPath) -> Vec<Flaw> {
    if !steps.is_some_and(|steps| matches!(steps.value, Value::Sequence(_))) {
        for flaw in &mut found {
            if matches!(flaw.path.first(), Some(Field::Item(_))) {
                flaw.path.remove(0);
            }
        }
    }
    placed(found, path)
}

/// Turns what the transformation layer found into the document's flaws.
pub(super) fn placed(found: Vec<TemplateFlaw>, path: &DocPath) -> Vec<Flaw> {
    let place = |found: TemplateFlaw| {
        let below = |path: DocPath, field: &Field| match field {
            Field::Name(name) => path.key(name),
            Field::Item(index) => path.index(*index),
        };
        let path = found.path.iter().fold(path.clone(), below);
        let flaw = Flaw::error(Span::from(found.at), &path, found.message);
        match found.hint {
            Some(hint) => flaw.with_hint(hint),
            None => flaw,
        }
    };
    found.into_iter().map(place).collect()
}
