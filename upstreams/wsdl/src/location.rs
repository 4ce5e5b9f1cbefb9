//! Where documents are: paths of files and URLs, and what a relative reference in one means.

/// Whether a location is a URL that has to be fetched.
#[must_use]
pub fn is_url(location: &str) -> bool {
    let scheme = location.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
}

/// Whether a document may name another: one that was fetched names what its own origin has, and no file of this machine.
pub(crate) fn may_name(base: &str, location: &str) -> bool {
    !is_url(base) || (is_url(location) && origin(base) == origin(location))
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (scheme, authority) = (scheme.to_ascii_lowercase(), rest[..end].to_ascii_lowercase());
    let usual = if scheme == "https" { ":443" } else { ":80" };
    Some(format!("{scheme}://{}", authority.strip_suffix(usual).unwrap_or(&authority)))
}

/// What a reference in the document at `base` means (RFC 3986, section 5.2, as far as documents use it).
pub(crate) fn resolve(base: &str, reference: &str) -> String {
    let reference = reference.trim();
    let reference = reference.split_once('#').map_or(reference, |(reference, _)| reference);
    if is_url(reference) {
        return reference.to_owned();
    }
    if let Some(path) = reference.strip_prefix("file://") {
        return path.to_owned();
    }
    if !is_url(base) {
        // Windows writes paths its own way into documents that others read.
        let reference = reference.replace('\\', "/");
        if reference.starts_with('/') {
            return reference;
        }
        let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
        let rooted = if base.starts_with('/') { "/" } else { "" };
        return format!("{rooted}{}", flat(folder.trim_start_matches('/'), &reference));
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(query) = reference.strip_prefix('?') {
        return format!("{scheme}://{authority}/{path}?{query}");
    }
    let folder = match reference.strip_prefix('/') {
        Some(_) => "",
        None => path.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let (path, query) = reference.split_once('?').map_or((reference, None), |(path, query)| (path, Some(query)));
    let path = flat(folder, path.trim_start_matches('/'));
    match query {
        Some(query) => format!("{scheme}://{authority}/{path}?{query}"),
        None => format!("{scheme}://{authority}/{path}"),
    }
}

/// A path without the segments `.` and `..`.
fn flat(folder: &str, path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in folder.split('/').chain(path.split('/')).filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_names_its_own_origin_only() {
        for (base, reference, may) in [
            ("http://h:1/s?wsdl", "a.xsd", true),
            ("http://h/s?wsdl", "HTTP://H:80/a.xsd", true),
            ("https://h:443/s", "//h/a.xsd", true),
            ("http://h:1/s?wsdl", "http://h:2/a.xsd", false),
            ("http://h/s?wsdl", "https://h/a.xsd", false),
            ("http://h/s?wsdl", "//i/a.xsd", false),
            ("http://h/s?wsdl", "http://h@i/a.xsd", false),
            ("http://h/s?wsdl", "http://h.i/a.xsd", false),
            ("http://h/s?wsdl", "file:///etc/passwd", false),
            ("http://h?wsdl", "file://http://h/etc/passwd", true),
            ("/a/s.wsdl", "file:///b/a.xsd", true),
            ("/a/s.wsdl", "http://h/a.xsd", true),
        ] {
            assert_eq!(may_name(base, &resolve(base, reference)), may, "{base} {reference}");
        }
    }

    #[test]
    fn references_start_at_their_document() {
        for (base, reference, resolved) in [
            ("/a/b/c.wsdl", "d.xsd", "/a/b/d.xsd"),
            ("/a/b/c.wsdl", "../x/d.xsd", "/a/x/d.xsd"),
            ("/a/b/c.wsdl", "..\\d.xsd", "/a/d.xsd"),
            ("/a/b/c.wsdl", "/d.xsd#types", "/d.xsd"),
            ("/a/b/c.wsdl", "file:///d.xsd", "/d.xsd"),
            ("c.wsdl", "./d.xsd", "d.xsd"),
            ("/c.wsdl", "http://h/d.xsd", "http://h/d.xsd"),
            ("http://h:1/a/s?wsdl", "s?xsd=1", "http://h:1/a/s?xsd=1"),
            ("http://h:1/a/s?wsdl", "?xsd=1", "http://h:1/a/s?xsd=1"),
            ("http://h:1/a/s?wsdl", "/d.xsd", "http://h:1/d.xsd"),
            ("http://h:1/a/s?wsdl", "../../d.xsd", "http://h:1/d.xsd"),
            ("https://h?wsdl", "d.xsd", "https://h/d.xsd"),
            ("https://h/x", "//i/d.xsd", "https://i/d.xsd"),
        ] {
            assert_eq!(resolve(base, reference), resolved, "{base} {reference}");
        }
    }
}
