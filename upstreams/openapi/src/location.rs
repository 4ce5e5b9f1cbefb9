//! Locations of files: paths, or URLs.

use percent_encoding::percent_decode_str;

/// The location of a reference's file, relative to the file that holds it.
pub(crate) fn join(base: &str, reference: &str) -> String {
    if is_url(reference) {
        return reference.to_owned();
    }
    let Some((origin, path)) = split(base) else {
        let reference = percent_decode_str(reference).decode_utf8_lossy();
        return if reference.starts_with('/') { reference.into_owned() } else { below(base, &reference) };
    };
    let base = if reference.starts_with('/') || path.is_empty() { "/" } else { path };
    let path = below(base, reference);
    format!("{origin}{path}")
}

/// Whether it is a URL, not a path.
pub(crate) fn is_url(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// Origin and path of a URL.
pub(crate) fn split(url: &str) -> Option<(&str, &str)> {
    if !is_url(url) {
        return None;
    }
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    let path = url[end..].split(['?', '#']).next().unwrap_or_default();
    Some((&url[..end], path))
}

/// A relative path from the folder of a file, dot segments resolved as far as they can be.
fn below(file: &str, relative: &str) -> String {
    let is_absolute = file.starts_with('/');
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut segments: Vec<&str> = Vec::new();
    for segment in folder.split('/').chain(relative.split('/')) {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => drop(segments.pop()),
            ".." if is_absolute => {}
            segment => segments.push(segment),
        }
    }
    let start = if is_absolute { "/" } else { "" };
    format!("{start}{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_locations_start_at_the_folder_of_the_file() {
        for (base, reference, joined) in [
            ("api.yaml", "b.yaml", "b.yaml"),
            ("/etc/x/api.yaml", "../y/b%20c.yaml", "/etc/y/b c.yaml"),
            ("x/api.yaml", "../../y.yaml", "../y.yaml"),
            ("x/api.yaml", "/y.yaml", "/y.yaml"),
            ("https://a.test/v1/api.yaml?x=/y/", "./b.yaml", "https://a.test/v1/b.yaml"),
            ("https://a.test", "b.yaml", "https://a.test/b.yaml"),
            ("https://a.test/v1/api.yaml", "/b/../c.yaml", "https://a.test/c.yaml"),
            ("x/api.yaml", "http://b.test/c.yaml", "http://b.test/c.yaml"),
        ] {
            assert_eq!(join(base, reference), joined, "{base} {reference}");
        }
    }
}
