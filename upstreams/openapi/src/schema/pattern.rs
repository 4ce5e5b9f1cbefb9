//! Regular expressions as browsers read them (ECMA-262, annex B): a brace that is no quantifier is a brace.

/// The same expression, with such braces escaped.
pub(super) fn strict(pattern: &str) -> String {
    let mut strict = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    // Braces of `\u{...}`, `\p{...}` and `\x{...}` are no quantifiers either, and stay.
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                strict.push(c);
                if let Some(next) = after.chars().next() {
                    strict.push(next);
                    let escaped = matches!(next, 'u' | 'p' | 'P' | 'x' | 'k');
                    rest = &after[next.len_utf8()..];
                    if let (true, Some(end)) = (escaped && rest.starts_with('{'), rest.find('}')) {
                        strict.push_str(&rest[..=end]);
                        rest = &rest[end + 1..];
                    }
                    continue;
                }
            }
            '[' => {
                in_class = true;
                strict.push(c);
            }
            ']' => {
                in_class = false;
                strict.push(c);
            }
            '{' if !in_class => match quantifier(after).filter(|_| !strict.is_empty()) {
                Some(length) => {
                    strict.push_str(&rest[..length + 1]);
                    rest = &rest[length + 1..];
                    continue;
                }
                None => strict.push_str("\\{"),
            },
            '}' if !in_class => strict.push_str("\\}"),
            c => strict.push(c),
        }
        rest = after;
    }
    strict
}

/// The length of `n}`, `n,}` or `n,m}` at the beginning of a text.
fn quantifier(text: &str) -> Option<usize> {
    let end = text.find('}')?;
    let (least, most) = text[..end].split_once(',').unwrap_or((&text[..end], ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_braces_that_are_no_quantifiers_are_escaped() {
        for (pattern, expected) in [
            ("^a{2}b{1,}c{1,2}$", "^a{2}b{1,}c{1,2}$"),
            ("^(?:{[0-9]{4}}|x)$", r"^(?:\{[0-9]{4}\}|x)$"),
            (r"^\{{x}[{}]\p{L}\u{1F600}$", r"^\{\{x\}[{}]\p{L}\u{1F600}$"),
            (r"\", r"\"),
            ("{", r"\{"),
        ] {
            assert_eq!(strict(pattern), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_else_changes(pattern in r"[a{}\\\[\]0-9,é]{0,20}") {
            let plain = |text: &str| text.replace(['{', '}', '\\'], "");
            assert_eq!(plain(&strict(&pattern)), plain(&pattern));
        }
    }
}
