//! The URLs of services that policies ask.

use http::Uri;

use crate::upstream::Invalid;

/// Whether a text is the URL of an HTTP service. What is wrong never repeats it: it may hold a password.
pub(super) fn check(url: &str) -> Result<(), Invalid> {
    let uri: Option<Uri> = url.parse().ok();
    let authority =
        uri.as_ref().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))).and_then(Uri::authority);
    match authority {
        Some(authority) if authority.as_str().contains('@') => {
            Err(Invalid::new("the URL holds a user or password, which never stand in one"))
        }
        Some(authority) if !authority.host().is_empty() && !url.contains('#') => Ok(()),
        _ => Err(Invalid::new("this is no URL of an HTTP service").hint("write `https://host/path`")),
    }
}
