//! Who came in.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

/// Who came in, as far as a method can tell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    principal: Option<Arc<str>>,
    is_api_key: bool,
    claims: Option<Arc<Value>>,
    /// What the function is told by headers.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Identity {
    /// The holder of a key or password.
    pub(super) fn named(name: &str, is_api_key: bool) -> Self {
        let claims = Some(Arc::new(json!({"sub": name})));
        Self { principal: Some(name.into()), is_api_key, claims, headers: Vec::new() }
    }

    /// Who a token or certificate speaks of.
    pub(super) fn claimed(claims: Value) -> Self {
        let principal = claims.get("sub").and_then(Value::as_str).map(Arc::from);
        Self { principal, claims: Some(Arc::new(claims)), ..Self::default() }
    }

    /// Who is known by what a service says.
    pub(super) fn told(headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { headers, ..Self::default() }
    }

    /// The name for logs and limits.
    pub(crate) fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    pub(crate) fn shared_principal(&self) -> Option<&Arc<str>> {
        self.principal.as_ref()
    }

    /// The name of the API key that was shown.
    pub(crate) fn api_key(&self) -> Option<&str> {
        self.principal().filter(|_| self.is_api_key)
    }

    pub(crate) fn claims(&self) -> Option<&Value> {
        self.claims.as_deref()
    }

    pub(crate) fn shared_claims(&self) -> Option<&Arc<Value>> {
        self.claims.as_ref()
    }

    /// What two methods know of one client: where they differ, the later one is right.
    pub(super) fn and(mut self, later: Self) -> Self {
        self.is_api_key = if later.principal.is_some() { later.is_api_key } else { self.is_api_key };
        self.principal = later.principal.or(self.principal);
        self.claims = match (self.claims, later.claims) {
            (Some(one), Some(other)) => {
                let mut whole = Arc::unwrap_or_clone(one);
                if let (Value::Object(fields), Value::Object(more)) = (&mut whole, Arc::unwrap_or_clone(other)) {
                    fields.extend(more);
                }
                Some(Arc::new(whole))
            }
            (one, other) => other.or(one),
        };
        self.headers.extend(later.headers);
        self
    }
}
