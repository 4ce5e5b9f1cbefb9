//! `redirect`: sends the client elsewhere.

use callgate_transform::{Located, Template, Text};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::steps::placed;
use crate::{
    builtin::Redirect,
    document::{DocPath, Flaw, Node, from_node},
};

/// Where a redirect sends the client.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RedirectSettings {
    /// The new path, a template: `/new/{{ params.rest }}`. The query is dropped unless the template writes one.
    path: Option<Located<Text>>,
    /// The whole new location, a template: `https://example.com/`.
    url: Option<Located<Text>>,
    /// 301, 302, 303, 307 or 308. Default 302.
    status: Option<u16>,
}

/// Reads a redirect.
pub(super) fn read(node: &Node, path: &DocPath) -> Result<Redirect, Vec<Flaw>> {
    let settings: RedirectSettings = from_node(node, path)?;
    let mut flaws = Vec::new();
    let number = settings.status.unwrap_or(302);
    let status = StatusCode::from_u16(number).ok().filter(|_| [301, 302, 303, 307, 308].contains(&number));
    if status.is_none() {
        let at = node.get("status").map_or(node.at, |status| status.at);
        let flaw = Flaw::error(at, &path.key("status"), format!("{number} is no redirect"));
        flaws.push(flaw.with_hint("the redirects are 301, 302, 303, 307 and 308"));
    }
    if let Some(url) = &settings.url
        && !has_fixed_host(url.value.as_str())
    {
        let at = node.get("url").map_or(node.at, |url| url.at);
        let flaw = Flaw::error(at, &path.key("url"), "the host that a redirect leads to has to be fixed");
        flaws.push(
            flaw.with_hint("begin with scheme and host as plain text, like `https://example.com/{{ params.rest }}`"),
        );
    }
    let location = match (settings.path, settings.url) {
        (Some(location), None) => Some((Template::path(&location), "path")),
        (None, Some(location)) => Some((Template::written(&location), "url")),
        (Some(_), Some(_)) => {
            flaws.push(Flaw::error(node.at, path, "a redirect has either `path` or `url`, not both"));
            None
        }
        (None, None) => {
            let flaw = Flaw::error(node.at, path, "a redirect needs `path` or `url`");
            flaws.push(flaw.with_hint("write `redirect: {path: \"/new/{{ params.rest }}\"}`"));
            None
        }
    };
    let location = location.and_then(|(location, field)| match location {
        Ok(template) => Some(template),
        Err(found) => {
            flaws.extend(placed(vec![found], &path.key(field)));
            None
        }
    });
    match (status, location) {
        (Some(status), Some(location)) if flaws.is_empty() => Ok(Redirect { status, location }),
        _ => Err(flaws),
    }
}

/// Whether no client can choose the host: the template begins with `https://host/`, or is no template at all.
fn has_fixed_host(url: &str) -> bool {
    let literal = url.split("{{").next().unwrap_or_default().split("{%").next().unwrap_or_default();
    let host = literal.split_once("://").map(|(_, rest)| rest);
    literal.len() == url.len() || host.is_some_and(|host| host.find('/').is_some_and(|end| end > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_fixed_before_the_first_expression() {
        for fixed in ["https://example.com/", "/x", "https://example.com/{{ params.rest }}"] {
            assert!(has_fixed_host(fixed), "{fixed}");
        }
        for free in ["{{ query.u }}", "https://{{ headers.host }}/x", "https://example.com{{ path }}", "//{{ path }}"] {
            assert!(!has_fixed_host(free), "{free}");
        }
    }
}
