//! Transformation steps of one level, compiled.

use callgate_transform::{CompiledRequest, CompiledResponse, Flaw as TemplateFlaw, RequestSteps, ResponseSteps};

use super::keep;
use crate::document::{DocPath, Flaw, Span};

/// The steps that stand on one level: a host, a route, an upstream or a function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    pub(crate) request: Option<CompiledRequest>,
    pub(crate) response: Option<CompiledResponse>,
}

impl Steps {
    pub(super) fn compile(
        request: Option<RequestSteps>,
        response: Option<ResponseSteps>,
        path: &DocPath,
        flaws: &mut Vec<Flaw>,
    ) -> Self {
        let request = request.map(|steps| steps.compile().map_err(|found| placed(found, &path.key("request"))));
        let response = response.map(|steps| steps.compile().map_err(|found| placed(found, &path.key("response"))));
        Self {
            request: request.and_then(|steps| keep(steps, flaws)),
            response: response.and_then(|steps| keep(steps, flaws)),
        }
    }
}

/// Turns what the transformation layer found into the document's flaws.
pub(super) fn placed(found: Vec<TemplateFlaw>, path: &DocPath) -> Vec<Flaw> {
    let place = |found: TemplateFlaw| {
        let at = Span { source: found.at.source, line: found.at.line, column: found.at.column, length: 1 };
        let flaw = Flaw::error(at, path, found.message);
        match found.hint {
            Some(hint) => flaw.with_hint(hint),
            None => flaw,
        }
    };
    found.into_iter().map(place).collect()
}
