//! Filters and tests on text.

use std::{borrow::Cow, cell::RefCell, rc::Rc};

use minijinja::{Environment, Error};
use regex::Regex;

use super::functions::invalid;

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("regex_match", regex_match);
    environment.add_function("regex_match", regex_match);
    environment.add_test("regex_match", regex_match);
    environment.add_filter("regex_replace", regex_replace);
    environment.add_function("regex_replace", regex_replace);
    environment.add_filter("substring", substring);
    environment.add_function("substring", substring);
    environment.add_filter("word_count", |text: Cow<'_, str>| text.split_whitespace().count());
}

/// Patterns of templates are few and written by the operator, but a template may also build one of a client's value:
/// the cache is small, and the size of a pattern limited, as text and compiled.
const CACHED: usize = 64;
const COMPILED_SIZE: usize = 1 << 20;
const PATTERN: usize = 4096;

/// The longest text that a replacement gives, in bytes: what a rendering's fuel lets the engine's own filters produce.
const REPLACED: usize = 64 << 20;

thread_local! {
    static REGEXES: RefCell<Vec<(Box<str>, Rc<Regex>)>> = const { RefCell::new(Vec::new()) };
}

fn compiled(pattern: &str) -> Result<Rc<Regex>, Error> {
    REGEXES.with_borrow_mut(|cache| {
        if let Some((_, regex)) = cache.iter().find(|(known, _)| **known == *pattern) {
            return Ok(Rc::clone(regex));
        }
        if pattern.len() > PATTERN {
            return Err(invalid(format!("a regular expression has at most {PATTERN} bytes")));
        }
        let regex = regex::RegexBuilder::new(pattern).size_limit(COMPILED_SIZE).build();
        let regex = Rc::new(regex.map_err(|_| invalid("bad regular expression"))?);
        if cache.len() == CACHED {
            cache.remove(0);
        }
        cache.push((pattern.into(), Rc::clone(&regex)));
        Ok(regex)
    })
}

/// Whether the expression is found anywhere in the text.
#[expect(clippy::needless_pass_by_value, reason = "the engine's argument types")]
fn regex_match(text: Cow<'_, str>, pattern: &str) -> Result<bool, Error> {
    Ok(compiled(pattern)?.is_match(&text))
}

/// All matches replaced; `$1` and `${name}` are groups.
#[expect(clippy::needless_pass_by_value, reason = "the engine's argument types")]
fn regex_replace(text: Cow<'_, str>, pattern: &str, replacement: &str) -> Result<String, Error> {
    let regex = compiled(pattern)?;
    let groups = replacement.matches('$').count();
    let (mut replaced, mut from) = (String::new(), 0);
    for captures in regex.captures_iter(&text) {
        let Some(whole) = captures.get(0) else { continue };
        let most = groups.saturating_mul(whole.len()).saturating_add(replacement.len());
        if replaced.len().saturating_add(whole.start() - from).saturating_add(most) > REPLACED {
            return Err(invalid(format!("regex_replace gives at most {} MiB", REPLACED >> 20)));
        }
        replaced.push_str(&text[from..whole.start()]);
        captures.expand(replacement, &mut replaced);
        from = whole.end();
    }
    replaced.push_str(&text[from..]);
    Ok(replaced)
}

/// Counts characters; a negative start counts from the end; beyond the end is what is there.
#[expect(clippy::needless_pass_by_value, reason = "the engine's argument types")]
fn substring(text: Cow<'_, str>, start: i64, length: Option<usize>) -> String {
    let start = match usize::try_from(start) {
        Ok(start) => start,
        Err(_) => {
            let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
            text.chars().count().saturating_sub(back)
        }
    };
    text.chars().skip(start).take(length.unwrap_or(usize::MAX)).collect()
}
