//! Which part of a path goes to the function.

use callgate_transform::Params;
use percent_encoding::percent_decode_str;

/// What of a request's path follows the function's name: what the route's tail capture `{*rest}` took, as it was
/// written; nothing where the route has none. A path that is not the one that was matched was made by a `path` step, or
/// matched by a regular expression: it goes to the function as a whole.
pub(crate) fn below<'a>(path: &'a str, route: &str, params: &Params) -> &'a str {
    let mut rest = path;
    for segment in route.split('/').skip(1) {
        let capture = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
        if let Some(tail) = capture.and_then(|capture| capture.strip_prefix('*')) {
            let written = rest.strip_prefix('/').unwrap_or(rest);
            return if is(params, tail, written) { rest } else { path };
        }
        let Some(inner) = rest.strip_prefix('/') else { return path };
        let end = inner.find('/').unwrap_or(inner.len());
        let (own, next) = inner.split_at(end);
        let same = match capture {
            Some(name) => is(params, name, own),
            None => own == segment,
        };
        if !same {
            return path;
        }
        rest = next;
    }
    if rest.is_empty() && route.starts_with('/') { "" } else { path }
}

/// Whether a capture has this value, as it is written in a path.
fn is(params: &Params, name: &str, written: &str) -> bool {
    percent_decode_str(written).decode_utf8().is_ok_and(|decoded| params.get(name) == Some(&*decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below_of<'a>(path: &'a str, route: &str, values: &[(&str, &str)]) -> &'a str {
        let values: Vec<_> = values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        below(path, route, &Params::from(values))
    }

    #[test]
    fn the_tail_capture_follows_the_function() {
        for (path, tail, sent) in [
            ("/orders/a/b%20c", "a/b c", "/a/b%20c"),
            ("/orders/%2F", "/", "/%2F"),
            ("/orders/", "", "/"),
            ("/orders", "", ""),
            ("/orders//x", "/x", "//x"),
        ] {
            assert_eq!(below_of(path, "/orders/{*rest}", &[("rest", tail)]), sent, "{path}");
        }
        assert_eq!(below_of("/a%20b/x/c", "/{id}/x/{*rest}", &[("id", "a b"), ("rest", "c")]), "/c");
        assert_eq!(below_of("/a/b", "/{*path}", &[("path", "a/b")]), "/a/b");
    }

    #[test]
    fn without_a_tail_capture_nothing_follows() {
        assert_eq!(below_of("/orders/7", "/orders/{id}", &[("id", "7")]), "");
        assert_eq!(below_of("/orders", "/orders", &[]), "");
        assert_eq!(below_of("/", "/", &[]), "");
    }

    #[test]
    fn a_path_that_a_step_made_follows_as_a_whole() {
        assert_eq!(below_of("/v2/x", "/orders/{*rest}", &[("rest", "a")]), "/v2/x");
        assert_eq!(below_of("/orders/b", "/orders/{*rest}", &[("rest", "a")]), "/orders/b");
        assert_eq!(below_of("/orders/8", "/orders/{id}", &[("id", "7")]), "/orders/8");
        assert_eq!(below_of("/orders/7/x", "/orders/{id}", &[("id", "7")]), "/orders/7/x");
        assert_eq!(below_of("/orders", "/orders/{id}", &[("id", "7")]), "/orders");
        assert_eq!(below_of("/%ff", "/{id}", &[("id", "x")]), "/%ff");
    }

    #[test]
    fn a_path_that_a_regular_expression_matched_follows_as_a_whole() {
        assert_eq!(below_of("/v1/x", "~/v[12]/.*", &[]), "/v1/x");
        assert_eq!(below_of("/", "~.*", &[]), "/");
    }
}
