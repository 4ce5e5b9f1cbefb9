//! The erased twins of the public traits: what the core holds of a source and of a message's receipt.

use std::{marker::PhantomData, num::NonZeroU32, sync::Arc, time::Duration};

use schemars::{Schema, SchemaGenerator};

use super::{Delivery, Receipt, Redelivery, Reply, Trigger};
use crate::{
    document::{DocPath, Flaw, Node},
    error::{ErrorKind, UpstreamError},
    upstream::{AnySettings, BoxFuture, Context, Files},
};

type Done = Result<(), UpstreamError>;

/// A kind of source as the registry holds it.
pub(crate) trait AnyTriggerKind: Send + Sync {
    fn name(&self) -> &'static str;
    fn summary(&self) -> &'static str;
    /// Reads the settings, and the local files that they name.
    fn config(&self, node: &Node, path: &DocPath, files: &Files) -> Result<AnySettings, Vec<Flaw>>;
    fn config_schema(&self, generator: &mut SchemaGenerator) -> Schema;
    fn keeps(&self, config: &AnySettings) -> bool;
    fn connect(
        &self,
        config: AnySettings,
        concurrency: NonZeroU32,
        context: Context,
    ) -> BoxFuture<'static, Result<Arc<dyn AnyTrigger>, UpstreamError>>;
}

/// A source.
pub(crate) trait AnyTrigger: Send + Sync {
    fn next(&self) -> BoxFuture<'_, Result<Delivery<Box<dyn AnyReceipt>>, UpstreamError>>;
    fn ready(&self) -> BoxFuture<'_, Done>;
    fn stop(&self) -> BoxFuture<'_, ()>;
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The way to settle a message.
pub(crate) trait AnyReceipt: Send + Sync {
    fn redelivery(&self) -> Redelivery;
    fn is_void(&self) -> bool;
    fn ack(self: Box<Self>) -> BoxFuture<'static, Done>;
    fn retry(self: Box<Self>, delay: Duration) -> BoxFuture<'static, Done>;
    fn give_back(self: Box<Self>) -> BoxFuture<'static, Done>;
    fn lease(&self) -> Option<Duration>;
    fn renew(&self) -> BoxFuture<'_, Done>;
    fn reply<'a>(&'a self, reply: &'a Reply) -> BoxFuture<'a, Done>;
}

/// The erased form of the kind of source `T`.
pub(crate) struct TriggerKind<T>(pub(crate) PhantomData<fn() -> T>);

impl<T: Trigger> AnyTriggerKind for TriggerKind<T> {
    fn name(&self) -> &'static str {
        T::KIND
    }

    fn summary(&self) -> &'static str {
        T::SUMMARY
    }

    fn config(&self, node: &Node, path: &DocPath, files: &Files) -> Result<AnySettings, Vec<Flaw>> {
        AnySettings::read_with::<T::Config>(node, path, |config| T::read_files(config, files))
    }

    fn config_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T::Config>()
    }

    fn keeps(&self, config: &AnySettings) -> bool {
        config.get::<T::Config>().is_none_or(T::keeps)
    }

    fn connect(
        &self,
        config: AnySettings,
        concurrency: NonZeroU32,
        context: Context,
    ) -> BoxFuture<'static, Result<Arc<dyn AnyTrigger>, UpstreamError>> {
        Box::pin(async move {
            let Some(config) = config.take::<T::Config>() else {
                return Err(UpstreamError::new(ErrorKind::Unavailable, "the settings belong to another source"));
            };
            let trigger = T::connect(config, concurrency, context).await?;
            Ok(Arc::new(trigger) as Arc<dyn AnyTrigger>)
        })
    }
}

impl<T: Trigger> AnyTrigger for T {
    fn next(&self) -> BoxFuture<'_, Result<Delivery<Box<dyn AnyReceipt>>, UpstreamError>> {
        Box::pin(async move {
            let Delivery { message, receipt } = Trigger::next(self).await?;
            Ok(Delivery { message, receipt: Box::new(receipt) as Box<dyn AnyReceipt> })
        })
    }

    fn ready(&self) -> BoxFuture<'_, Done> {
        Box::pin(Trigger::ready(self))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(Trigger::stop(self))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(Trigger::close(self))
    }
}

impl<R: Receipt> AnyReceipt for R {
    fn redelivery(&self) -> Redelivery {
        Receipt::redelivery(self)
    }

    fn is_void(&self) -> bool {
        Receipt::is_void(self)
    }

    fn ack(self: Box<Self>) -> BoxFuture<'static, Done> {
        Box::pin(Receipt::ack(*self))
    }

    fn retry(self: Box<Self>, delay: Duration) -> BoxFuture<'static, Done> {
        Box::pin(Receipt::retry(*self, delay))
    }

    fn give_back(self: Box<Self>) -> BoxFuture<'static, Done> {
        Box::pin(Receipt::give_back(*self))
    }

    fn lease(&self) -> Option<Duration> {
        Receipt::lease(self)
    }

    fn renew(&self) -> BoxFuture<'_, Done> {
        Box::pin(Receipt::renew(self))
    }

    fn reply<'a>(&'a self, reply: &'a Reply) -> BoxFuture<'a, Done> {
        Box::pin(Receipt::reply(self, reply))
    }
}
