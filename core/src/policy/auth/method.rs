//! The methods, and how several become one.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::request::Parts;
use tokio::sync::Semaphore;

use super::{
    api_key::ApiKeys,
    basic::Basic,
    denied::{Denied, Rank},
    external::External,
    identity::Identity,
    issuer::{Issuer, LastKeys, Source},
    mtls::Mtls,
    plan::MethodPlan,
    token::{Keys, KeysPlan, Tokens},
    verified::Passwords,
};
use crate::{
    invocation::CallContext,
    remote::Remotes,
    upstream::{BoxFuture, Context, Invalid},
};

/// A way to tell who comes.
#[derive(Debug)]
pub(super) enum Method {
    ApiKey(Box<ApiKeys>),
    Basic(Box<Basic>),
    Token(Box<Tokens>),
    Mtls(Box<Mtls>),
    External(Box<External>),
    Any(Vec<Self>),
    All(Vec<Self>),
}

/// What methods are made of beside their plan. The routes of a configuration share the keys of an issuer.
pub(crate) struct Sources<'a> {
    pub(crate) remotes: &'a Arc<dyn Remotes>,
    pub(crate) context: &'a Context,
    pub(crate) last_keys: &'a LastKeys,
    passwords: &'a Passwords,
    issuers: Mutex<HashMap<Source, Arc<Issuer>>>,
    /// Bounds the passwords that are hashed at once, of all routes together.
    hashing: Arc<Semaphore>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(
        remotes: &'a Arc<dyn Remotes>,
        context: &'a Context,
        (last_keys, passwords): (&'a LastKeys, &'a Passwords),
    ) -> Self {
        passwords.tidy();
        Self { remotes, context, last_keys, passwords, issuers: Mutex::default(), hashing: Arc::new(Basic::hashing()) }
    }

    pub(super) fn method(&self, plan: &MethodPlan) -> Result<Method, Invalid> {
        let several = |plans: &[MethodPlan]| plans.iter().map(|plan| self.method(plan)).collect::<Result<_, _>>();
        Ok(match plan {
            MethodPlan::ApiKey(keys) => Method::ApiKey(Box::new(keys.clone())),
            MethodPlan::Basic(plan) => Method::Basic(Box::new(Basic::new(
                plan.clone(),
                self.context.clone(),
                Arc::clone(&self.hashing),
                self.passwords,
            ))),
            MethodPlan::Token(plan) => {
                let keys = match &plan.keys {
                    KeysPlan::Read(keys) => Keys::Read(Arc::clone(keys)),
                    KeysPlan::Remote(source) => Keys::Remote(self.issuer(source)?),
                };
                Method::Token(Box::new(Tokens::new((**plan).clone(), keys)))
            }
            MethodPlan::Mtls(mtls) => Method::Mtls(Box::new(mtls.clone())),
            MethodPlan::External(plan) => Method::External(Box::new(External {
                service: self.remotes.http(&plan.url, self.context).map_err(|invalid| invalid.at("external.url"))?,
                plan: plan.clone(),
                context: self.context.clone(),
            })),
            MethodPlan::Any(plans) => Method::Any(several(plans)?),
            MethodPlan::All(plans) => Method::All(several(plans)?),
        })
    }

    fn issuer(&self, source: &Source) -> Result<Arc<Issuer>, Invalid> {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issuer) = issuers.get(source) {
            return Ok(Arc::clone(issuer));
        }
        // What can't be used at all is told at load, not when the first token comes.
        self.remotes.http(source.url(), self.context)?;
        let issuer = issuers.entry(source.clone()).or_insert_with(|| {
            let issuer = Arc::new(Issuer::new(source.clone(), self.last_keys));
            let (kept, remotes, context) = (Arc::clone(&issuer), Arc::clone(self.remotes), self.context.clone());
            self.context.spawn(async move { kept.keep(remotes, context).await });
            issuer
        });
        Ok(Arc::clone(issuer))
    }
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Method {
    /// Says who comes, or why nobody is let in.
    pub(super) fn check<'a>(
        &'a self,
        parts: &'a Parts,
        call: &'a CallContext,
    ) -> BoxFuture<'a, Result<Identity, Denied>> {
        Box::pin(async move {
            match self {
                Self::ApiKey(keys) => keys.check(parts),
                Self::Basic(users) => users.check(parts).await,
                Self::Token(tokens) => tokens.check(parts).await,
                Self::Mtls(mtls) => mtls.check(call),
                Self::External(service) => service.check(parts, call).await,
                Self::Any(methods) => any(methods, parts, call).await,
                Self::All(methods) => all(methods, parts, call).await,
            }
        })
    }

    /// Takes out what a method reads, so that the function does not see it.
    pub(super) fn strip(&self, parts: &mut Parts) {
        match self {
            Self::ApiKey(keys) => keys.strip(parts),
            Self::Basic(users) => users.strip(parts),
            Self::Token(tokens) => tokens.strip(parts),
            Self::Mtls(_) => {}
            Self::External(service) => service.strip(parts),
            Self::Any(methods) | Self::All(methods) => methods.iter().for_each(|method| method.strip(parts)),
        }
    }
}

/// The first that lets in.
async fn any(methods: &[Method], parts: &Parts, call: &CallContext) -> Result<Identity, Denied> {
    let mut denied = Vec::new();
    for method in methods {
        match method.check(parts, call).await {
            Ok(identity) => return Ok(identity),
            Err(reason) => denied.push(reason),
        }
    }
    // A list of methods is never empty.
    Err(Denied::of_all(denied).unwrap_or_else(|| Denied::forbidden("Nobody may come in here.")))
}

/// All of them, one after the other.
async fn all(methods: &[Method], parts: &Parts, call: &CallContext) -> Result<Identity, Denied> {
    let mut known: Option<Identity> = None;
    for method in methods {
        match method.check(parts, call).await {
            Ok(identity) => {
                known = Some(match known {
                    Some(known) => known.and(identity),
                    None => identity,
                });
            }
            Err(mut denied) => {
                if known.is_some() && denied.rank == Rank::Missing {
                    // Who shows a part of what is needed is not nobody.
                    denied.rank = Rank::Invalid;
                }
                return Err(denied);
            }
        }
    }
    Ok(known.unwrap_or_default())
}
