//! Compiling steps.

use super::{
    body::BodyPlan,
    config::{BodyForm, Edits, RequestStep, ResponseStep},
    headers::HeaderPlan,
    path::PathPlan,
    query::QueryPlan,
    target::{MethodPlan, StatusPlan},
};
use crate::{
    engine::Reads,
    error::Side,
    extract::{Extract, Extraction},
    flaw::{Flaw, Flaws},
    position::Located,
    source::Source,
    template::Expression,
    text::Text,
    tree::Named,
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
    compiled(steps, |step, flaws| {
        let side = Side::Request;
        let method = step.method.as_ref().map(|text| MethodPlan::compile(text, side));
        let path = step.path.as_ref().map(|text| PathPlan::compile(text, side));
        let query =
            flaws.meanwhile(|flaw| flaw.within("query"), |flaws| flaws.keep_all(QueryPlan::compile(&step.query, side)));
        Step {
            when: when(step.when.as_ref(), side, flaws),
            extract: extract(&step.extract, side, flaws),
            head: Head::Request {
                method: method.and_then(|method| flaws.keep(method.map_err(|flaw| flaw.within("method")))),
                path: path.and_then(|path| flaws.keep(path.map_err(|flaw| flaw.of("`path`").within("path")))),
                query: query.unwrap_or_default(),
            },
            headers: headers(&step.headers, side, flaws),
            body: body(step.body.as_ref(), side, flaws),
        }
    })
}

pub(crate) fn response_steps(steps: &[ResponseStep]) -> Result<Vec<Step>, Vec<Flaw>> {
    compiled(steps, |step, flaws| {
        let side = Side::Response;
        let status = step.status.as_ref().map(|text| StatusPlan::compile(text, side));
        Step {
            when: when(step.when.as_ref(), side, flaws),
            extract: extract(&step.extract, side, flaws),
            head: Head::Response {
                status: status.and_then(|status| flaws.keep(status.map_err(|flaw| flaw.within("status")))),
            },
            headers: headers(&step.headers, side, flaws),
            body: body(step.body.as_ref(), side, flaws),
        }
    })
}

/// Compiles steps; their flaws lie within the step of their number.
fn compiled<S>(steps: &[S], compile: impl Fn(&S, &mut Flaws) -> Step) -> Result<Vec<Step>, Vec<Flaw>> {
    let mut flaws = Flaws::default();
    let step = |(index, step)| flaws.meanwhile(|flaw| flaw.within_item(index), |flaws| compile(step, flaws));
    let compiled = steps.iter().enumerate().map(step).collect();
    flaws.finish(compiled)
}

fn when(when: Option<&Located<Text>>, side: Side, flaws: &mut Flaws) -> Option<Expression> {
    let Located { value: text, at } = when?;
    let compiled = Source::expression(text, *at).and_then(|source| Expression::compile(source, side));
    flaws.keep(compiled.map_err(|flaw| flaw.of("`when`").within("when")))
}

fn extract(extract: &Named<Located<Extract>>, side: Side, flaws: &mut Flaws) -> Vec<Extraction> {
    let mut compiled = Vec::new();
    for (name, extract) in &extract.0 {
        let within = |flaw: Flaw| flaw.within(&name.value).within("extract");
        let extraction =
            flaws.meanwhile(within, |flaws| flaws.keep_all(Extraction::compile(&name.value, extract, side)));
        compiled.extend(extraction);
    }
    compiled
}

fn headers(edits: &Edits, side: Side, flaws: &mut Flaws) -> HeaderPlan {
    let plan = flaws.meanwhile(|flaw| flaw.within("headers"), |flaws| flaws.keep_all(HeaderPlan::compile(edits, side)));
    plan.unwrap_or_default()
}

fn body(form: Option<&BodyForm>, side: Side, flaws: &mut Flaws) -> Option<BodyPlan> {
    let form = form?;
    flaws.meanwhile(|flaw| flaw.within("body"), |flaws| flaws.keep_all(BodyPlan::compile(form, side)))
}
