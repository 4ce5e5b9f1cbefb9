//! Takes out of a draft what would not load, so that what is written can be run at once.

use std::{io, path::Path};

use callgate_core::{
    Registry,
    document::{Document, Flaw, References, Report},
    plan::{Plan, to_yaml},
};

use super::draft::Draft;

/// References have a value on the machine that the configuration is for, and not here.
#[derive(Debug)]
struct Anything;

impl References for Anything {
    fn variable(&self, name: &str) -> Option<String> {
        // A region has a form.
        Some(if name == "AWS_REGION" { "us-east-1" } else { "value" }.to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Ok("value".to_owned())
    }
}

/// Reads what the draft says, and takes out the routes, and else the upstreams, that are refused; each is noted.
pub(super) fn settle(draft: &mut Draft, registry: &Registry) {
    while let Err(report) = read(draft, registry) {
        // The last ones first, so that the places of those before stay right.
        let refused = report.flaws().iter().filter(|flaw| flaw.is_error()).rev();
        let taken: Vec<_> = refused.filter(|flaw| take(draft, flaw)).collect();
        if taken.is_empty() {
            break;
        }
    }
}

fn read(draft: &Draft, registry: &Registry) -> Result<(), Report> {
    let document = Document::parse("callgate.yaml", &to_yaml(&draft.document()), &Anything)?;
    Plan::read(&document, registry).map(drop)
}

/// Takes out what a flaw is about. Of several flaws of one route the first takes it.
fn take(draft: &mut Draft, flaw: &Flaw) -> bool {
    let message = flaw.message.replace('\n', " ");
    if let Some((before, rest)) = flaw.path.rsplit_once("routes[") {
        let index = rest.split(']').next().and_then(|index| index.parse().ok());
        return index.is_some_and(|index| draft.take_route(host(before).as_deref(), index, &message));
    }
    match keyed(&flaw.path, "upstreams") {
        Some(name) => draft.take_upstream(&name, &message),
        None => keyed(&flaw.path, "hosts").is_some_and(|host| draft.take_host(&host, &message)),
    }
}

/// The host in `hosts["api.example.com"].`.
fn host(path: &str) -> Option<String> {
    keyed(path, "hosts")
}

/// The key of a map of the document, at the beginning of a path.
fn keyed(path: &str, map: &str) -> Option<String> {
    let rest = path.strip_prefix(map)?;
    match rest.strip_prefix("[\"") {
        Some(quoted) => quoted.split("\"]").next().map(str::to_owned),
        None => rest.strip_prefix('.')?.split(['.', '[']).next().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_path_is_found_however_it_is_written() {
        assert_eq!(keyed("hosts[\"api.example.com\"].", "hosts").as_deref(), Some("api.example.com"));
        assert_eq!(keyed("upstreams.orders.rest.url", "upstreams").as_deref(), Some("orders"));
        assert_eq!(keyed("routes[1].to", "upstreams"), None);
    }
}
