//! A function, bound: what of it doesn't change from call to call.

use std::sync::{Arc, OnceLock};

use callgate_core::Invalid;
use http::uri::PathAndQuery;

use crate::{
    config::Json,
    contract::{Contract, Method},
    input::Input,
    target::Target,
};

/// A method of an upstream, or all of them.
#[derive(Debug)]
pub struct Function {
    pub(crate) target: Target,
    /// The path of the method's calls; none for a function that is every method.
    pub(crate) path: Option<PathAndQuery>,
    /// What became of it when the description was there.
    pub(crate) bound: OnceLock<Bound>,
}

/// How requests that are no gRPC are served.
#[derive(Debug)]
pub(crate) enum Bound {
    Method(Arc<Method>, Input),
    /// Whichever method the request is for.
    Service(Input),
    /// They are not.
    OnlyGrpc,
}

impl Function {
    pub(crate) fn new(target: Target) -> Result<Self, Invalid> {
        let path = target.method.as_ref().map(|method| PathAndQuery::try_from(format!("/{method}"))).transpose();
        let path = path.map_err(|error| Invalid::new(error.to_string()).at("method"))?;
        Ok(Self { target, path, bound: OnceLock::new() })
    }

    /// Binds it if it is not bound yet. What can't be bound is tried again the next time: by then the service may describe
    /// itself otherwise.
    pub(crate) fn bind(&self, contract: &Contract, json: Json) -> Result<&Bound, Invalid> {
        if let Some(bound) = self.bound.get() {
            return Ok(bound);
        }
        let bound = Bound::new(&self.target, contract, json)?;
        Ok(self.bound.get_or_init(|| bound))
    }
}

impl Bound {
    /// Binds a target to what is described.
    ///
    /// # Errors
    /// The method is not there, or can't be called as the target says.
    pub(crate) fn new(target: &Target, contract: &Contract, json: Json) -> Result<Self, Invalid> {
        let method = match &target.method {
            Some(name) => Some(contract.method(name).map_err(|invalid| invalid.at("method"))?),
            None => None,
        };
        if !target.takes_json() {
            return Ok(Self::OnlyGrpc);
        }
        let input = Input::new(target.message()?, json.reading())?;
        let Some(method) = method else { return Ok(Self::Service(input)) };
        if method.streams_requests {
            let message = format!("`{}` takes a stream of messages, which JSON can't be", method.name);
            return Err(Invalid::new(message)
                .at("method")
                .hint("add `json: false` to serve clients of gRPC alone, or name a method that takes one message"));
        }
        Ok(Self::Method(Arc::clone(method), input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::tests::contract;

    #[test]
    fn what_could_not_be_bound_is_bound_when_it_is_there() {
        let function = Function::new(Target { method: Some("a.b.S/New".into()), ..Target::default() }).unwrap();
        let (old, new) = (contract("rpc Old(M) returns (M);"), contract("rpc New(M) returns (M);"));
        assert!(function.bind(&old, Json::default()).is_err());
        assert!(matches!(function.bind(&new, Json::default()), Ok(Bound::Method(..))));
        assert!(function.bind(&old, Json::default()).is_ok(), "it stays bound");
    }
}
