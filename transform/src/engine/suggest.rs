//! "Did you mean": the nearest of the names that exist.

/// The filters of the language, for suggestions; what exists is decided by the environment.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "as_list",
    "attr",
    "base64_decode",
    "base64_encode",
    "base64url_decode",
    "base64url_encode",
    "batch",
    "bool",
    "chain",
    "count",
    "default",
    "dictsort",
    "escape",
    "first",
    "float",
    "format",
    "format_time",
    "from_json",
    "from_xml",
    "groupby",
    "hmac_sha256",
    "indent",
    "int",
    "items",
    "join",
    "jsonpath",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "regex_match",
    "regex_replace",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sha256",
    "slice",
    "sort",
    "split",
    "string",
    "substring",
    "sum",
    "title",
    "to_json",
    "to_xml",
    "trim",
    "unique",
    "upper",
    "urldecode",
    "urlencode",
    "word_count",
    "zip",
];

/// The candidate that a few slips of the pen make of the name.
pub(super) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let slips = (name.chars().count() / 3).clamp(1, 2);
    let near = candidates.iter().map(|candidate| (distance(name, candidate), *candidate));
    near.filter(|(distance, _)| *distance <= slips).min().map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements between two names (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ENVIRONMENT;

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("base64encode", FILTERS), Some("base64_encode"));
        assert_eq!(nearest("uper", FILTERS), Some("upper"));
        assert_eq!(nearest("nofilter", FILTERS), None);
    }

    #[test]
    fn every_suggested_filter_exists() {
        let mut state = ENVIRONMENT.empty_state();
        for filter in FILTERS {
            let unknown =
                state.apply_filter(filter, &[]).is_err_and(|error| error.kind() == minijinja::ErrorKind::UnknownFilter);
            assert!(!unknown, "{filter}");
        }
    }
}
