//! The erased twins of the public traits: what the core holds of a kind, an upstream and a bound function.

use std::{any::Any, fmt, future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::{Context, Description, Discovered, EndpointState, Files, Invalid, Settings, Target, Upstream};
use crate::{
    document::{DocPath, Flaw, Node, from_node},
    error::UpstreamError,
    invocation::{Invocation, Response},
};

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A kind as the registry holds it.
pub(crate) trait AnyKind: Send + Sync {
    fn name(&self) -> &'static str;
    fn summary(&self) -> &'static str;
    /// Whether its upstreams can list their functions.
    fn discovers(&self) -> bool;
    /// Why an upstream with these settings can't.
    fn check_discovery(&self, config: &AnySettings) -> Option<Invalid>;
    /// The field that a function's name stands for.
    fn target_name(&self) -> Option<&'static str>;
    /// Whether a route has to give that name.
    fn needs_name(&self) -> bool;
    /// Reads an upstream's settings, and the local files that they name.
    fn config(&self, node: &Node, path: &DocPath, files: &Files) -> Result<AnySettings, Vec<Flaw>>;
    /// Reads a target; with the upstream's settings, where those are right, it is checked against them.
    fn target(&self, config: Option<&AnySettings>, node: &Node, path: &DocPath) -> Result<AnySettings, Vec<Flaw>>;
    fn config_schema(&self, generator: &mut SchemaGenerator) -> Schema;
    fn target_schema(&self, generator: &mut SchemaGenerator) -> Schema;
    fn preview(
        &self,
        config: &AnySettings,
        target: &AnySettings,
        invocation: Invocation,
    ) -> Result<Option<String>, UpstreamError>;
    fn connect(
        &self,
        config: AnySettings,
        context: Context,
    ) -> BoxFuture<'static, Result<Arc<dyn AnyUpstream>, UpstreamError>>;
}

/// A connected upstream.
pub(crate) trait AnyUpstream: Send + Sync {
    fn bind(self: Arc<Self>, target: AnySettings) -> Result<Arc<dyn Function>, Invalid>;
    fn ready(&self) -> BoxFuture<'_, Result<(), UpstreamError>>;
    fn discover(&self) -> BoxFuture<'_, Result<Vec<Discovered>, UpstreamError>>;
    fn endpoints(&self) -> Vec<EndpointState>;
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Upstream and target, joined at load: a call looks nothing up.
pub(crate) trait Function: Send + Sync {
    fn call(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Result<Response, UpstreamError>>;

    /// Whether a call may be made twice without harm.
    fn is_idempotent(&self, invocation: &Invocation) -> bool {
        super::is_idempotent(invocation)
    }

    /// What it takes and gives, where its service tells.
    fn describe(&self) -> BoxFuture<'_, Result<Option<Description>, UpstreamError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// The name under which discovery lists it.
    fn listed_as(&self) -> Option<String> {
        None
    }
}

/// Typed settings behind one name, with their effective form for `callgate config`.
pub(crate) struct AnySettings {
    typed: Box<dyn Any + Send + Sync>,
    effective: Value,
    /// No reference was missing.
    complete: bool,
}

impl AnySettings {
    pub(crate) fn read<S: Settings>(node: &Node, path: &DocPath) -> Result<Self, Vec<Flaw>> {
        let typed: S = from_node(node, path)?;
        // A value that a missing reference left out is not what is wrong with the settings.
        let complete = !node.lacks_reference();
        let invalid = if complete { typed.check() } else { Vec::new() };
        let flaws: Vec<_> = invalid.into_iter().map(|invalid| flaw(node, path, invalid)).collect();
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let effective = serde_json::to_value(&typed).unwrap_or(Value::Null);
        Ok(Self { typed: Box::new(typed), effective, complete })
    }

    /// Reads settings, and then the files that they name: where no reference is missing.
    pub(crate) fn read_with<S: Settings>(
        node: &Node,
        path: &DocPath,
        read_files: impl FnOnce(&mut S) -> Vec<Invalid>,
    ) -> Result<Self, Vec<Flaw>> {
        let mut settings = Self::read::<S>(node, path)?;
        let invalid = match settings.typed.downcast_mut::<S>().filter(|_| settings.complete) {
            Some(typed) => read_files(typed),
            None => Vec::new(),
        };
        if invalid.is_empty() {
            return Ok(settings);
        }
        Err(invalid.into_iter().map(|invalid| flaw(node, path, invalid)).collect())
    }

    pub(crate) fn effective(&self) -> &Value {
        &self.effective
    }

    pub(crate) fn get<S: Settings>(&self) -> Option<&S> {
        self.typed.downcast_ref()
    }

    pub(crate) fn take<S: Settings>(self) -> Option<S> {
        self.typed.downcast().ok().map(|typed| *typed)
    }
}

impl fmt::Debug for AnySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.effective)
    }
}

/// Puts what [`Settings::check`] or [`Upstream::bind`] found at its place in the document.
pub(crate) fn flaw(node: &Node, path: &DocPath, invalid: Invalid) -> Flaw {
    let (mut node, mut path) = (node, path.clone());
    let mut at = node.at;
    for name in invalid.field.split('.').filter(|name| !name.is_empty()) {
        path = path.key(name);
        let Some((_, value)) = node.entry(name) else { break };
        (node, at) = (value, value.at);
    }
    let flaw = Flaw::error(at, &path, invalid.message);
    match invalid.hint {
        Some(hint) => flaw.with_hint(hint),
        None => flaw,
    }
}

/// The erased form of the kind `U`.
pub(crate) struct Kind<U>(pub(crate) PhantomData<fn() -> U>);

impl<U: Upstream> AnyKind for Kind<U> {
    fn name(&self) -> &'static str {
        U::KIND
    }

    fn summary(&self) -> &'static str {
        U::SUMMARY
    }

    fn discovers(&self) -> bool {
        U::DISCOVERS
    }

    fn check_discovery(&self, config: &AnySettings) -> Option<Invalid> {
        config.typed.downcast_ref::<U::Config>().filter(|_| config.complete).and_then(U::check_discovery)
    }

    fn target_name(&self) -> Option<&'static str> {
        U::Target::NAME
    }

    fn needs_name(&self) -> bool {
        U::Target::NEEDS_NAME
    }

    fn config(&self, node: &Node, path: &DocPath, files: &Files) -> Result<AnySettings, Vec<Flaw>> {
        AnySettings::read_with::<U::Config>(node, path, |config| U::read_files(config, files))
    }

    fn target(&self, config: Option<&AnySettings>, node: &Node, path: &DocPath) -> Result<AnySettings, Vec<Flaw>> {
        let target = AnySettings::read::<U::Target>(node, path)?;
        let config = config.filter(|config| config.complete && target.complete).and_then(AnySettings::get::<U::Config>);
        let invalid = match config.zip(target.get::<U::Target>()) {
            Some((config, typed)) => U::check_target(config, typed),
            None => Vec::new(),
        };
        if invalid.is_empty() {
            return Ok(target);
        }
        Err(invalid.into_iter().map(|invalid| flaw(node, path, invalid)).collect())
    }

    fn config_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<U::Config>()
    }

    fn target_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<U::Target>()
    }

    fn preview(
        &self,
        config: &AnySettings,
        target: &AnySettings,
        invocation: Invocation,
    ) -> Result<Option<String>, UpstreamError> {
        match (config.get::<U::Config>(), target.get::<U::Target>()) {
            (Some(config), Some(target)) => U::preview(config, target, invocation),
            _ => Ok(None),
        }
    }

    fn connect(
        &self,
        config: AnySettings,
        context: Context,
    ) -> BoxFuture<'static, Result<Arc<dyn AnyUpstream>, UpstreamError>> {
        Box::pin(async move {
            let Some(config) = config.take::<U::Config>() else {
                return Err(foreign());
            };
            let upstream = U::connect(config, context).await?;
            Ok(Arc::new(upstream) as Arc<dyn AnyUpstream>)
        })
    }
}

impl<U: Upstream> AnyUpstream for U {
    fn bind(self: Arc<Self>, target: AnySettings) -> Result<Arc<dyn Function>, Invalid> {
        let target = target.take::<U::Target>().ok_or_else(|| Invalid::new(foreign().to_string()))?;
        let function = Upstream::bind(&*self, target)?;
        Ok(Arc::new(Bound { upstream: self, function }))
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), UpstreamError>> {
        Box::pin(Upstream::ready(self))
    }

    fn discover(&self) -> BoxFuture<'_, Result<Vec<Discovered>, UpstreamError>> {
        Box::pin(Upstream::discover(self))
    }

    fn endpoints(&self) -> Vec<EndpointState> {
        Upstream::endpoints(self)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(Upstream::close(self))
    }
}

/// Settings of one kind were handed to another: the core's own mistake, told instead of a panic.
fn foreign() -> UpstreamError {
    UpstreamError::new(crate::ErrorKind::Unavailable, "the settings belong to another kind").not_executed()
}

struct Bound<U: Upstream> {
    upstream: Arc<U>,
    function: U::Function,
}

impl<U: Upstream> Function for Bound<U> {
    fn call(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Result<Response, UpstreamError>> {
        Box::pin(async move { self.upstream.call(&self.function, invocation).await })
    }

    fn is_idempotent(&self, invocation: &Invocation) -> bool {
        self.upstream.is_idempotent(&self.function, invocation)
    }

    fn describe(&self) -> BoxFuture<'_, Result<Option<Description>, UpstreamError>> {
        Box::pin(self.upstream.describe(&self.function))
    }

    fn listed_as(&self) -> Option<String> {
        self.upstream.listed_as(&self.function)
    }
}
