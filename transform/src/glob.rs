//! Globs over names: `*` is any run of characters, `?` is one, everything else is itself.

/// A compiled glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: Box<str>,
    literal: bool,
}

impl Glob {
    /// Compiles a glob. Every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { literal: !text.contains(['*', '?']), text: text.into() }
    }

    /// The only text that matches, when the glob has no wildcard.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        self.literal.then_some(&*self.text)
    }

    /// Whether the whole of a text matches. Takes time in proportion to the product of both lengths at most.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if self.literal { *self.text == *text } else { wild(self.text.as_bytes(), text.as_bytes()) }
    }
}

/// Backtracks to the last star only, which is enough for globs.
fn wild(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                t += 1;
                while text.get(t).is_some_and(|byte| byte & 0xC0 == 0x80) {
                    t += 1;
                }
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                p = after + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_whole_name() {
        for (glob, text, expected) in [
            ("x-internal-*", "x-internal-id", true),
            ("x-internal-*", "x-internal-", true),
            ("x-internal-*", "y-x-internal-id", false),
            ("*-id", "trace-id-id", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("?", "é", true),
            ("cookie", "cookie", true),
            ("cookie", "cookies", false),
            ("*", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::new(glob).matches(text), expected, "{glob} on {text}");
        }
    }
}
