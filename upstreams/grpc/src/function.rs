//! A function, bound: what of it doesn't change from call to call.

use std::sync::Arc;

use callgate_core::{Invalid, Late};
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
    pub(crate) bound: Late<Bound, Contract, Invalid>,
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
    pub(crate) fn new(target: Target, bound: Option<Bound>) -> Result<Self, Invalid> {
        let path = target.method.as_ref().map(|method| PathAndQuery::try_from(format!("/{method}"))).transpose();
        let path = path.map_err(|error| Invalid::new(error.to_string()).at("method"))?;
        Ok(Self { target, path, bound: bound.map(Late::from).unwrap_or_default() })
    }

    /// Binds it if it is not bound yet. What can't be bound is tried again with the next description.
    pub(crate) fn bind(&self, contract: &Arc<Contract>, json: Json) -> Result<&Bound, Invalid> {
        self.bound.of(contract, || Bound::new(&self.target, contract, json))
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
        let function = Function::new(Target { method: Some("a.b.S/New".into()), ..Target::default() }, None).unwrap();
        let (old, new) = (contract("rpc Old(M) returns (M);"), contract("rpc New(M) returns (M);"));
        let (old, new) = (Arc::new(old), Arc::new(new));
        assert!(function.bind(&old, Json::default()).is_err());
        assert!(matches!(function.bind(&new, Json::default()), Ok(Bound::Method(..))));
        assert!(function.bind(&old, Json::default()).is_ok(), "it stays bound");
    }
}
