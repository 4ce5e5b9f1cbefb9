//! Where functions are.

use callgate_core::Invalid;
use callgate_http::{Endpoint, EndpointError};

use crate::{config::Config, target::Target};

/// A function's URL: scheme and host, and its own path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    origin: String,
    /// Empty, or `/...` without a final slash.
    path: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, EndpointError> {
        let endpoint = Endpoint::parse(url)?;
        let origin = format!("{}://{}", endpoint.scheme(), endpoint.authority());
        Ok(Self { origin, path: endpoint.base_path().to_owned() })
    }

    /// The address of a function by its name below this one.
    pub(crate) fn join(&self, name: &str) -> Self {
        Self { origin: self.origin.clone(), path: format!("{}/{name}", self.path) }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The whole URL, without a final slash.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }
}

/// What the names of an upstream's functions are put after.
#[derive(Debug)]
pub(crate) struct Base {
    address: Option<Address>,
    /// The address is that of no function by itself.
    needs_name: bool,
}

impl Base {
    pub(crate) fn of(config: &Config) -> Result<Self, EndpointError> {
        let address = config.base().map(|url| Address::parse(&url)).transpose()?;
        Ok(Self { address, needs_name: config.url.is_none() })
    }

    /// Where a target's function is.
    pub(crate) fn find(&self, target: &Target) -> Result<Address, Invalid> {
        if let Some(url) = &target.url {
            return Address::parse(url).map_err(|error| Invalid::new(error.to_string()).at("url"));
        }
        let Some(base) = &self.address else {
            let hint = "give the function its `url`, or the upstream `region` and `project`, or `url`";
            return Err(Invalid::new("it is not said where the function is").hint(hint));
        };
        match &target.name {
            Some(name) => Ok(base.join(name)),
            None if self.needs_name => {
                let message = "a region and a project hold many functions, and this names none";
                Err(Invalid::new(message).hint("write `upstream/function`"))
            }
            None => Ok(base.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_address_has_an_origin_and_a_path() {
        let address = Address::parse("https://Example.com:8443/base/").unwrap();
        assert_eq!((address.origin(), address.path()), ("https://Example.com:8443", "/base"));
        assert_eq!(address.join("hello").url(), "https://Example.com:8443/base/hello");
        assert_eq!(Address::parse("https://a.run.app/").unwrap().url(), "https://a.run.app");
        Address::parse("https://a?b").unwrap_err();
    }

    fn found(config: Value, target: Value) -> Result<String, String> {
        let (config, target) = (serde_json::from_value(config).unwrap(), serde_json::from_value(target).unwrap());
        let address = Base::of(&config).unwrap().find(&target);
        address.map(|address| address.url()).map_err(|invalid| invalid.message)
    }

    #[test]
    fn a_function_is_found_by_its_name_or_its_url() {
        let first = json!({"region": "europe-west1", "project": "shop"});
        let host = "https://europe-west1-shop.cloudfunctions.net";
        assert_eq!(found(first.clone(), json!({"name": "hello"})).unwrap(), format!("{host}/hello"));
        assert!(found(first.clone(), json!({})).unwrap_err().contains("names none"));
        let own = json!({"name": "label", "url": "https://x.run.app/"});
        assert_eq!(found(first, own.clone()).unwrap(), "https://x.run.app");
        let service = json!({"url": "https://a.run.app/base"});
        assert_eq!(found(service.clone(), json!({})).unwrap(), "https://a.run.app/base");
        assert_eq!(found(service, json!({"name": "hello"})).unwrap(), "https://a.run.app/base/hello");
        assert_eq!(found(json!({}), own).unwrap(), "https://x.run.app");
        assert!(found(json!({}), json!({"name": "hello"})).unwrap_err().contains("where the function is"));
    }
}
