//! Keeps lists out of products.
//!
//! In the engine `[0] * n` is a list that is made when it is read, at no cost beforehand: of a client's `n` it could hold a
//! request for minutes. So each operand of a `*` passes a filter that refuses lists; a product of numbers or a repeated
//! text is what it was.

use std::borrow::Cow;

use minijinja::{Environment, Error, ErrorKind, Value, value::ValueKind};

use super::scan::{self, behind_quoted};

/// What is written behind an operand.
const FILTER: &str = "|__factor";

/// The name that the engine gives to expressions.
const EXPRESSION: &str = "<expression>";

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter(&FILTER[1..], |value: Value| match value.kind() {
        kind @ (ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) => {
            let message = format!("`*` multiplies numbers, and a value is a {kind}");
            Err(Error::new(ErrorKind::InvalidOperation, message))
        }
        _ => Ok(value),
    });
}

/// The text of a template with its operands checked.
pub(super) fn checked_text(text: &str) -> Cow<'_, str> {
    insert(text, &in_text(text))
}

/// An expression with its operands checked.
pub(super) fn checked_expression(code: &str) -> Cow<'_, str> {
    insert(code, &in_code(code))
}

/// Where in the source as it was written an engine's error begins.
pub(super) fn start(error: &Error, source: &str) -> Option<usize> {
    let start = error.range()?.start;
    if !source.contains('*') {
        return Some(start);
    }
    let insertions = if error.name() == Some(EXPRESSION) { in_code(source) } else { in_text(source) };
    let before = insertions.iter().enumerate().filter(|(index, at)| **at + index * FILTER.len() < start).count();
    Some(start.saturating_sub(before * FILTER.len()))
}

fn insert<'a>(source: &'a str, places: &[usize]) -> Cow<'a, str> {
    if places.is_empty() {
        return Cow::Borrowed(source);
    }
    let mut checked = String::with_capacity(source.len() + places.len() * FILTER.len());
    let mut from = 0;
    for &at in places {
        checked.push_str(source.get(from..at).unwrap_or(""));
        checked.push_str(FILTER);
        from = at;
    }
    checked.push_str(source.get(from..).unwrap_or(""));
    Cow::Owned(checked)
}

fn in_text(text: &str) -> Vec<usize> {
    if !text.contains('*') {
        return Vec::new();
    }
    let of_code = |code: &str| {
        let offset = code.as_ptr().addr() - text.as_ptr().addr();
        in_code(code).into_iter().map(move |at| offset + at)
    };
    scan::codes(text).into_iter().flat_map(of_code).collect()
}

/// The ends of the operands of `*`, in their order.
fn in_code(code: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let mut places = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => at = behind_quoted(bytes, at),
            b'*' if bytes.get(at + 1) == Some(&b'*') => at += 2,
            b'*' => {
                let before = bytes[..at].iter().rposition(|byte| !byte.is_ascii_whitespace());
                at += 1;
                // Arguments spread over a call have no operand before them.
                if let Some(last) = before.filter(|last| !matches!(bytes[*last], b'(' | b',')) {
                    places.push(last + 1);
                    places.extend(operand(bytes, at));
                }
            }
            _ => at += 1,
        }
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// The end of the operand that begins here: what binds more tightly than `*`, but for `**`.
fn operand(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = spaces(bytes, from);
    while matches!(bytes.get(at), Some(b'-' | b'+')) {
        at = spaces(bytes, at + 1);
    }
    let mut end = primary(bytes, at)?;
    loop {
        let next = spaces(bytes, end);
        end = match bytes.get(next) {
            Some(b'(' | b'[') => group(bytes, next),
            Some(b'.' | b'|') => primary(bytes, spaces(bytes, next + 1))?,
            _ => return Some(end),
        };
    }
}

fn primary(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' | b'\'' => Some(behind_quoted(bytes, at)),
        b'(' | b'[' | b'{' => Some(group(bytes, at)),
        digit if digit.is_ascii_digit() => Some(while_(bytes, at, |byte| is_word(byte) || byte == b'.')),
        byte if is_word(*byte) => Some(while_(bytes, at, is_word)),
        _ => None,
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn while_(bytes: &[u8], from: usize, holds: impl Fn(u8) -> bool) -> usize {
    from + bytes.iter().skip(from).take_while(|byte| holds(**byte)).count()
}

fn spaces(bytes: &[u8], from: usize) -> usize {
    while_(bytes, from, |byte| byte.is_ascii_whitespace())
}

/// Behind the brackets that open here.
fn group(bytes: &[u8], open: usize) -> usize {
    let (mut at, mut depth) = (open, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => {
                at = behind_quoted(bytes, at);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(code: &str) -> String {
        checked_expression(code).replace(FILTER, "!")
    }

    #[test]
    fn every_operand_is_checked_once() {
        for (code, expected) in [
            ("a * b", "a! * b!"),
            ("a*b*c", "a!*b!*c!"),
            ("1 + a.b[0] * -c('*)').d | f(2, '*') - 1", "1 + a.b[0]! * -c('*)').d | f(2, '*')! - 1"),
            ("(a * b) * [1, 2]", "(a! * b!)! * [1, 2]!"),
            ("a ** 2 * 3.5", "a ** 2! * 3.5!"),
            ("f(*a, *b)", "f(*a, *b)"),
            ("'a * b'", "'a * b'"),
            ("é * 'ü'", "é! * 'ü'!"),
            ("a * (b * c)", "a! * (b! * c!)!"),
        ] {
            assert_eq!(checked(code), expected);
        }
        assert_eq!(checked_text("a * b {{ a * b }}{# a * b #}").replace(FILTER, "!"), "a * b {{ a! * b! }}{# a * b #}");
    }

    #[test]
    fn wrong_code_is_left_to_the_engine() {
        for code in ["*", "a *", "* b", "a * * b", "a * )", "a * 'b", "a * (b", "**", "a * ", "a *\\"] {
            checked(code);
        }
    }

    #[test]
    fn a_place_is_that_of_the_source() {
        let environment = &super::super::ENVIRONMENT;
        let source = "{{ 1 * 2 * nothing.at }}";
        let guarded = checked_text(source);
        let error = environment.render_str(&guarded, ()).unwrap_err();
        assert_eq!(&source[start(&error, source).unwrap()..][..7], "nothing");
    }
}
