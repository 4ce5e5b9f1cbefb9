//! All steps of a direction, in their order, and running them.

use std::sync::Arc;

use http::{Request, Response};

use crate::{
    engine::Reads,
    error::{Side, TransformError},
    exchange::Exchange,
    flaw::Flaw,
    message::Message,
    payload::{Content, Payload},
    position::Position,
    scope::{Context, Scope},
    step::{self, RequestSteps, ResponseSteps, Step},
};

/// The compiled `request` steps of one level: a host, a route, an upstream or a function. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct CompiledRequest(Arc<[Step]>);

/// The compiled `response` steps of one level: a host, a route, an upstream or a function. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct CompiledResponse(Arc<[Step]>);

impl RequestSteps {
    /// Compiles the steps.
    ///
    /// # Errors
    /// Everything that is wrong with them, each at its own place.
    pub fn compile(&self) -> Result<CompiledRequest, Vec<Flaw>> {
        step::request_steps(&self.0.0).map(|steps| CompiledRequest(steps.into()))
    }
}

impl ResponseSteps {
    /// Compiles the steps.
    ///
    /// # Errors
    /// Everything that is wrong with them, each at its own place.
    pub fn compile(&self) -> Result<CompiledResponse, Vec<Flaw>> {
        step::response_steps(&self.0.0).map(|steps| CompiledResponse(steps.into()))
    }
}

/// The steps of all levels that a message passes, and what they need to be kept and buffered.
#[derive(Clone, Debug, Default)]
struct Pipeline {
    levels: Vec<Arc<[Step]>>,
    reads: Reads,
    writes_body: bool,
}

impl Pipeline {
    fn new(levels: impl Iterator<Item = Arc<[Step]>>) -> Self {
        let levels: Vec<_> = levels.filter(|steps| !steps.is_empty()).collect();
        let mut reads = Reads::NOTHING;
        let mut writes_body = false;
        for step in levels.iter().flat_map(|steps| steps.iter()) {
            reads = reads.and(step.reads());
            writes_body |= step.writes_body();
        }
        Self { levels, reads, writes_body }
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.levels.iter().flat_map(|steps| steps.iter())
    }

    /// Runs the steps that shape the gateway's own failures. A header that cannot be made of a failure is left out:
    /// the failure is what the client has to see.
    fn run_on_failure(&self, scope: &mut Scope) -> Result<(), TransformError> {
        for step in self.steps() {
            if step.asks_for_outcome() {
                step.run(scope)?;
            } else if step.only_edits_headers() {
                step.run(scope).ok();
            }
        }
        Ok(())
    }

    fn run(&self, scope: &mut Scope) -> Result<(), TransformError> {
        self.levels.iter().flat_map(|steps| steps.iter()).try_for_each(|step| step.run(scope))
    }
}

/// A body that turned out to be over its limit fails the steps, and is why they failed, whatever they made of it.
fn within_limit(result: Result<(), TransformError>, scope: &Scope) -> Result<(), TransformError> {
    let limit = scope.context.message.payload.content().and_then(Content::over_limit);
    if limit.is_none() {
        return result;
    }
    let at = result.err().map_or_else(Position::default, |error| error.at);
    let error = TransformError::new(scope.side(), at, "the decoded body is over `limits.max_body`");
    Err(TransformError { over_limit: limit, ..error })
}

/// The `request` steps of host, route, upstream and function, in this order.
#[derive(Clone, Debug, Default)]
pub struct RequestPipeline(Pipeline);

/// The `response` steps of function, upstream, route and host, in this order.
#[derive(Clone, Debug, Default)]
pub struct ResponsePipeline {
    steps: Pipeline,
    /// No function answers: what the steps read is the request's.
    alone: bool,
}

/// Why a reply has no body that steps could read or replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bodyless {
    /// It answers HEAD, or its status is 204 or 304.
    Reply,
    /// It is a 101: the connection leaves HTTP.
    Upgrade,
}

impl RequestPipeline {
    /// Joins the steps of several levels, in the order in which they run.
    pub fn new(levels: impl IntoIterator<Item = CompiledRequest>) -> Self {
        Self(Pipeline::new(levels.into_iter().map(|steps| steps.0)))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.levels.is_empty()
    }

    /// Whether any step may read the body, so that it has to be given whole.
    #[must_use]
    pub const fn reads_body(&self) -> bool {
        self.0.reads.body
    }

    /// Whether any step may replace the body.
    #[must_use]
    pub const fn writes_body(&self) -> bool {
        self.0.writes_body
    }

    /// Carries out all steps on a request, whose body is `body`. Afterwards that is `Buffered` when a step wrote it.
    ///
    /// # Errors
    /// The first step that fails; the request is then as the steps before left it.
    pub fn apply<B>(
        &self,
        request: &mut Request<B>,
        body: &mut Payload,
        exchange: &mut Exchange,
    ) -> Result<(), TransformError> {
        let mut scope = Scope::new(Context {
            side: Side::Request,
            message: Message::take_request(request, body),
            known: exchange.known(),
            vars: std::mem::take(&mut exchange.vars),
            request: None,
            error: None,
        });
        let result = within_limit(self.0.run(&mut scope), &scope);
        let context = scope.into_context();
        exchange.vars = context.vars;
        context.message.give_back_request(request, body);
        result
    }
}

impl ResponsePipeline {
    /// Joins the steps of several levels, in the order in which they run.
    pub fn new(levels: impl IntoIterator<Item = CompiledResponse>) -> Self {
        Self { steps: Pipeline::new(levels.into_iter().map(|steps| steps.0)), alone: false }
    }

    /// Says that the steps make an answer of which no function has a part: what they can't do is due to the request.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.levels.is_empty()
    }

    /// Whether any step may read the response's body, so that it has to be given whole.
    #[must_use]
    pub const fn reads_body(&self) -> bool {
        self.steps.reads.body
    }

    /// Whether any step may replace the response's body.
    #[must_use]
    pub const fn writes_body(&self) -> bool {
        self.steps.writes_body
    }

    /// Whether any step may read the request, so that [`Exchange::keep_request`] has to be called.
    #[must_use]
    pub const fn reads_request(&self) -> bool {
        self.steps.reads.request
    }

    /// Whether any step may read the request's body, so that it has to be whole when the request is kept.
    #[must_use]
    pub const fn reads_request_body(&self) -> bool {
        self.steps.reads.request_body
    }

    /// Whether a step shapes the gateway's own failures: its condition asks for `error` or `status`, or it only edits
    /// headers.
    #[must_use]
    pub fn reshapes_errors(&self) -> bool {
        self.steps.steps().any(|step| step.asks_for_outcome() || step.only_edits_headers())
    }

    /// Runs the steps on a reply that has no body by its nature: those that only edit headers, and, unless it is an
    /// upgrade, those whose condition asks for the status.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_without_body<B>(
        &self,
        response: &mut Response<B>,
        bodyless: Bodyless,
        exchange: &mut Exchange,
    ) -> Result<(), TransformError> {
        let meant =
            |step: &&Step| step.only_edits_headers() || (bodyless == Bodyless::Reply && step.asks_for_outcome());
        self.run_on(response, &mut Payload::Streaming, exchange, None, |scope| {
            self.steps.steps().filter(meant).try_for_each(|step| step.run(scope))
        })
    }

    /// Carries out all steps on a response, whose body is `body`. `error` is the code of the failure that the gateway answers, if it does.
    ///
    /// # Errors
    /// The first step that fails; the response is then as the steps before left it.
    pub fn apply<B>(
        &self,
        response: &mut Response<B>,
        body: &mut Payload,
        exchange: &mut Exchange,
        error: Option<&str>,
    ) -> Result<(), TransformError> {
        self.run_on(response, body, exchange, error, |scope| {
            if error.is_some() { self.steps.run_on_failure(scope) } else { self.steps.run(scope) }
        })
    }

    /// Lends the response to a scope for as long as the steps run.
    fn run_on<B>(
        &self,
        response: &mut Response<B>,
        body: &mut Payload,
        exchange: &mut Exchange,
        error: Option<&str>,
        steps: impl FnOnce(&mut Scope) -> Result<(), TransformError>,
    ) -> Result<(), TransformError> {
        let mut scope = Scope::new(Context {
            side: Side::Response,
            message: Message::take_response(response, body),
            known: exchange.known(),
            vars: std::mem::take(&mut exchange.vars),
            request: exchange.request.clone(),
            error: error.map(Arc::from),
        });
        let mut result = within_limit(steps(&mut scope), &scope);
        let context = scope.into_context();
        exchange.vars = context.vars;
        context.message.give_back_response(response, body);
        if let Err(error) = &mut result
            && self.alone
        {
            error.side = Side::Request;
        }
        result
    }
}
