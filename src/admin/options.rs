//! The options behind the `?` of the admin's endpoints.

use std::{collections::BTreeMap, convert::Infallible};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};

use super::{Refusal, refused};

/// The options of a request.
#[derive(Debug)]
pub(super) struct Options(BTreeMap<String, String>);

impl<S: Sync> FromRequestParts<S> for Options {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Options {
    /// The options, if the endpoint has no others than these.
    pub(super) fn among(self, known: &[&str]) -> Result<Self, Refusal> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some(unknown) => {
                let known =
                    if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
                Err(refused(StatusCode::BAD_REQUEST, &format!("this endpoint has no option `{unknown}`; {known}"))
                    .into())
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One of several words; the first one without the option.
    pub(super) fn one_of<'w>(&self, name: &str, words: &[&'w str]) -> Result<&'w str, Refusal> {
        let given = self.get(name).unwrap_or(words[0]);
        words.iter().copied().find(|word| *word == given).ok_or_else(|| {
            let message = format!("`{name}` is one of {}, and not `{given}`", words.join(", "));
            refused(StatusCode::BAD_REQUEST, &message).into()
        })
    }
}
