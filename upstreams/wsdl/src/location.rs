//! Where documents are: paths of files and URLs, and what a relative reference in one means.

/// Whether a location is a URL that has to be fetched.
#[must_use]
pub fn is_url(location: &str) -> bool {
    let scheme = location.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
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
