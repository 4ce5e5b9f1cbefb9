//! Compiling steps.

use super::{
    body::BodyPlan,
    config::{RequestStep, ResponseStep},
    headers::HeaderPlan,
    query::QueryPlan,
    target::{MethodPlan, PathPlan, StatusPlan},
};
use crate::{
    engine::Reads,
    error::Side,
    extract::{Extract, Extraction},
    flaw::{Flaw, Flaws},
    position::Located,
    template::Expression,
    tree::{Named, Text},
};

/// A compiled step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(super) when: Option<Expression>,
    pub(super) extract: Vec<Extraction>,
    pub(super) head: Head,
    pub(super) headers: HeaderPlan,
    pub(super) body: Option<BodyPlan>,
}

/// What only one of the two directions has.
#[derive(Clone, Debug)]
pub(super) enum Head {
    Request { method: Option<MethodPlan>, path: Option<PathPlan>, query: QueryPlan },
    Response { status: Option<StatusPlan> },
}

impl Default for Head {
    fn default() -> Self {
        Self::Response { status: None }
    }
}

impl Step {
    /// Whether the step asks how the exchange went, and so means the gateway's own failures too.
    pub(crate) fn asks_for_outcome(&self) -> bool {
        self.when.as_ref().is_some_and(|when| when.reads().outcome)
    }

    /// Whether the step only edits headers, by what a failure has too.
    pub(crate) fn only_edits_headers(&self) -> bool {
        let head_stays = matches!(self.head, Head::Response { status: None });
        head_stays && self.body.is_none() && self.extract.is_empty() && !self.reads().body
    }

    pub(crate) fn reads(&self) -> Reads {
        let when = self.when.as_ref().map_or(Reads::NOTHING, Expression::reads);
        let extract = self.extract.iter().map(Extraction::reads).fold(when, Reads::and);
        let head = match &self.head {
            Head::Request { method, path, query } => {
                let method = method.as_ref().map_or(Reads::NOTHING, MethodPlan::reads);
                let path = path.as_ref().map_or(Reads::NOTHING, PathPlan::reads);
                method.and(path).and(query.reads())
            }
            Head::Response { status } => status.as_ref().map_or(Reads::NOTHING, StatusPlan::reads),
        };
        let body = self.body.as_ref().map_or(Reads::NOTHING, BodyPlan::reads);
        extract.and(head).and(self.headers.reads()).and(body)
    }

    /// Whether the step gives the message another body.
    pub(crate) const fn writes_body(&self) -> bool {
        self.body.is_some()
    }
}

pub(crate) fn request_steps(steps: &[RequestStep]) -> Result<Vec<Step>, Vec<Flaw>> {
    let mut flaws = Flaws::default();
    let compiled = steps.iter().map(|step| {
        let side = Side::Request;
        let method = flaws.keep(step.method.as_ref().map(|text| MethodPlan::compile(text, side)).transpose());
        let path = flaws.keep(step.path.as_ref().map(|text| PathPlan::compile(text, side)).transpose());
        let query = flaws.keep_all(QueryPlan::compile(&step.query, side));
        Step {
            when: when(step.when.as_ref(), side, &mut flaws),
            extract: extract(&step.extract, side, &mut flaws),
            head: Head::Request { method: method.flatten(), path: path.flatten(), query: query.unwrap_or_default() },
            headers: flaws.keep_all(HeaderPlan::compile(&step.headers, side)).unwrap_or_default(),
            body: step.body.as_ref().and_then(|form| flaws.keep_all(BodyPlan::compile(form, side))),
        }
    });
    let compiled = compiled.collect();
    flaws.finish(compiled)
}

pub(crate) fn response_steps(steps: &[ResponseStep]) -> Result<Vec<Step>, Vec<Flaw>> {
    let mut flaws = Flaws::default();
    let compiled = steps.iter().map(|step| {
        let side = Side::Response;
        let status = flaws.keep(step.status.as_ref().map(|text| StatusPlan::compile(text, side)).transpose());
        Step {
            when: when(step.when.as_ref(), side, &mut flaws),
            extract: extract(&step.extract, side, &mut flaws),
            head: Head::Response { status: status.flatten() },
            headers: flaws.keep_all(HeaderPlan::compile(&step.headers, side)).unwrap_or_default(),
            body: step.body.as_ref().and_then(|form| flaws.keep_all(BodyPlan::compile(form, side))),
        }
    });
    let compiled = compiled.collect();
    flaws.finish(compiled)
}

fn when(when: Option<&Located<Text>>, side: Side, flaws: &mut Flaws) -> Option<Expression> {
    let Located { value: Text(source), at } = when?;
    let source = crate::engine::is_lone_expression(source).unwrap_or(source);
    flaws.keep(Expression::compile(source, *at, side).map_err(|flaw| flaw.of("`when`")))
}

fn extract(extract: &Named<Located<Extract>>, side: Side, flaws: &mut Flaws) -> Vec<Extraction> {
    let compiled =
        extract.0.iter().map(|(name, extract)| flaws.keep_all(Extraction::compile(&name.value, extract, side)));
    compiled.flatten().collect()
}
