//! Simple types: what their values look like in XML, and which are allowed.

use super::{Builtin, Schema, TypeId};

/// A simple type: what it is made of, and what restricts it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Simple {
    pub(crate) form: Form,
    pub(crate) facets: Facets,
}

/// What a simple type is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    Atomic(Builtin),
    /// Values of the type, separated by spaces.
    List(TypeId),
    /// Any of the types; the first that fits.
    Union(Vec<TypeId>),
}

/// What restricts a simple type. Patterns are left to the service, which has to check them anyway.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facets {
    pub(crate) enumeration: Vec<Box<str>>,
    pub(crate) pattern: Option<Box<str>>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min: Option<Bound>,
    pub(crate) max: Option<Bound>,
}

/// A limit of numbers; the value of an exclusive one does not belong to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    pub(crate) exclusive: bool,
    pub(crate) written: Box<str>,
}

impl Simple {
    pub(crate) fn of(builtin: Builtin) -> Self {
        Self { form: Form::Atomic(builtin), facets: Facets::default() }
    }

    /// The types that it is made of.
    pub(crate) fn parts(&self) -> impl Iterator<Item = TypeId> {
        let parts = match &self.form {
            Form::Atomic(_) => &[],
            Form::List(item) => std::slice::from_ref(item),
            Form::Union(members) => members.as_slice(),
        };
        parts.iter().copied()
    }

    /// Whether a text is a value of the type.
    ///
    /// # Errors
    /// What the type wants instead, to stand after "has to be".
    pub(crate) fn check(&self, text: &str, schema: &Schema) -> Result<(), String> {
        match &self.form {
            Form::Atomic(builtin) => builtin.check(text)?,
            Form::List(item) => {
                if let Some(item) = schema.simple(*item) {
                    text.split_ascii_whitespace().try_for_each(|value| item.check(value, schema))?;
                }
            }
            Form::Union(members) => {
                let fits = |id: &TypeId| schema.simple(*id).is_none_or(|member| member.check(text, schema).is_ok());
                if !members.is_empty() && !members.iter().any(fits) {
                    let wanted = members.iter().filter_map(|id| schema.simple(*id)?.check(text, schema).err());
                    return Err(wanted.collect::<Vec<_>>().join(", or "));
                }
            }
        }
        self.facets.check(text, &self.form)
    }
}

impl Facets {
    fn check(&self, text: &str, form: &Form) -> Result<(), String> {
        if !self.enumeration.is_empty() && !self.enumeration.iter().any(|value| &**value == text) {
            return Err(one_of(&self.enumeration));
        }
        if self.min_length.is_some() || self.max_length.is_some() {
            let length = match form {
                Form::List(_) => text.split_ascii_whitespace().count() as u64,
                Form::Atomic(Builtin::Hex) => text.len() as u64 / 2,
                Form::Atomic(Builtin::Base64) => {
                    let digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count();
                    digits as u64 * 3 / 4
                }
                Form::Atomic(_) | Form::Union(_) => text.chars().count() as u64,
            };
            if self.min_length.is_some_and(|least| length < least) || self.max_length.is_some_and(|most| length > most)
            {
                return Err(match (self.min_length, self.max_length) {
                    (Some(least), Some(most)) if least == most => format!("of length {most}"),
                    (Some(least), Some(most)) => format!("between {least} and {most} long"),
                    (Some(least), None) => format!("at least {least} long"),
                    (None, most) => format!("at most {} long", most.unwrap_or_default()),
                });
            }
        }
        if (self.min.is_some() || self.max.is_some())
            && let Ok(value) = text.parse::<f64>()
        {
            if let Some(bound) = self.min.as_ref().filter(|bound| !bound.allows(bound.value, value)) {
                return Err(format!("{} {}", if bound.exclusive { "more than" } else { "at least" }, bound.written));
            }
            if let Some(bound) = self.max.as_ref().filter(|bound| !bound.allows(value, bound.value)) {
                return Err(format!("{} {}", if bound.exclusive { "less than" } else { "at most" }, bound.written));
            }
        }
        Ok(())
    }
}

impl Bound {
    fn allows(&self, less: f64, more: f64) -> bool {
        if self.exclusive { less < more } else { less <= more }
    }
}

/// The values that are allowed, not more of them than one reads.
fn one_of(values: &[Box<str>]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<_> = values.iter().take(SHOWN).map(|value| format!("`{value}`")).collect();
    match values {
        [_] => shown.concat(),
        _ if values.len() > SHOWN => format!("one of {} and {} more", shown.join(", "), values.len() - SHOWN),
        _ => format!("one of {}", shown.join(", ")),
    }
}

impl Builtin {
    fn check(self, text: &str) -> Result<(), String> {
        let right = match self {
            Self::Text(_) => true,
            Self::Boolean => matches!(text, "true" | "false" | "1" | "0"),
            Self::Integer(_, least, most) => {
                // What is larger than 128 bits is within no bound but none.
                return match text.strip_prefix('+').unwrap_or(text).parse::<i128>() {
                    Ok(value) if least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most) => {
                        Ok(())
                    }
                    Err(_) if is_integer(text) && least.is_none() && most.is_none() => Ok(()),
                    _ => Err(integer(least, most)),
                };
            }
            Self::Decimal => is_decimal(text),
            Self::Float(_) => matches!(text, "INF" | "-INF" | "NaN") || is_float(text),
            Self::Base64 => is_base64(text),
            Self::Hex => text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Self::Date => is_date(zoneless(text)),
            Self::Time => is_time(zoneless(text)),
            Self::DateTime => text.split_once('T').is_some_and(|(date, time)| is_date(date) && is_time(zoneless(time))),
        };
        if right { Ok(()) } else { Err(self.wanted().to_owned()) }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Boolean => "true or false",
            Self::Integer(..) => "a whole number",
            Self::Decimal | Self::Float(_) => "a number",
            Self::Base64 => "base64",
            Self::Hex => "pairs of hexadecimal digits",
            Self::Date => "a date as 2026-01-31",
            Self::Time => "a time as 08:30:00",
            Self::DateTime => "date and time as 2026-01-31T08:30:00Z",
        }
    }
}

fn integer(least: Option<i128>, most: Option<i128>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("a whole number between {least} and {most}"),
        (Some(least), None) => format!("a whole number of at least {least}"),
        (None, Some(most)) => format!("a whole number of at most {most}"),
        (None, None) => "a whole number".to_owned(),
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn is_integer(text: &str) -> bool {
    digits(unsigned(text))
}

pub(crate) fn is_decimal(text: &str) -> bool {
    match unsigned(text).split_once('.') {
        Some((whole, part)) => {
            (digits(whole) && (part.is_empty() || digits(part))) || (whole.is_empty() && digits(part))
        }
        None => is_integer(text),
    }
}

pub(crate) fn is_float(text: &str) -> bool {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => is_decimal(mantissa) && is_integer(exponent),
        None => is_decimal(text),
    }
}

fn is_base64(text: &str) -> bool {
    let digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let (mut count, mut padding) = (0_usize, 0_usize);
    for byte in digits {
        match byte {
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => count += 1,
            _ => return false,
        }
    }
    padding <= 2 && (count + padding).is_multiple_of(4)
}

/// A date or time without its zone.
fn zoneless(text: &str) -> &str {
    if let Some(text) = text.strip_suffix('Z') {
        return text;
    }
    match text.len().checked_sub(6).and_then(|at| text.split_at_checked(at)) {
        Some((rest, zone)) if zone.starts_with(['+', '-']) && form(&zone[1..], "00:00") => rest,
        _ => text,
    }
}

/// Whether a text has digits where the form has zeros, and else the same.
fn form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
}

fn is_date(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    // Years have four digits or more.
    text.len()
        .checked_sub(10)
        .and_then(|more| text.split_at_checked(more))
        .is_some_and(|(more, date)| (more.is_empty() || digits(more)) && form(date, "0000-00-00"))
}

fn is_time(text: &str) -> bool {
    let (time, part) = text.split_once('.').unwrap_or((text, "0"));
    form(time, "00:00:00") && digits(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(name: &str, text: &str) -> bool {
        Simple::of(Builtin::named(name).unwrap()).check(text, &Schema::default()).is_ok()
    }

    #[test]
    fn values_are_those_of_xml_schema() {
        for (name, right, wrong) in [
            ("int", &["0", "-2147483648", "+7", "007"][..], &["", "2147483648", "1.0", "x", "1 "][..]),
            ("unsignedLong", &["18446744073709551615"], &["-1", "18446744073709551616"]),
            ("integer", &["123456789012345678901234567890123456789012345"], &["--1", "1e3"]),
            ("decimal", &["1", "-1.50", ".5", "5.", "+0.0"], &["1e3", ".", "1,5", "NaN"]),
            ("double", &["1e3", "-INF", "NaN", "1.5E-7"], &["inf", "e3", "1e", "+INF"]),
            ("boolean", &["true", "0"], &["True", "yes", ""]),
            ("date", &["2026-01-31", "2026-01-31Z", "-0044-03-15", "12026-01-31+02:00"], &["2026-1-31", "31.01.2026"]),
            ("time", &["08:30:00", "08:30:00.123Z"], &["8:30", "08:30:00."]),
            ("dateTime", &["2026-01-31T08:30:00", "2026-01-31T08:30:00.5-05:00"], &["2026-01-31 08:30:00", "now", "é"]),
            ("base64Binary", &["", "TQ==", "TWFu\nTWFu"], &["T", "TQ=", "T-=="]),
            ("hexBinary", &["", "0fB7"], &["0", "0g"]),
            ("anyURI", &["anything at all"], &[]),
        ] {
            for text in right {
                assert!(fits(name, text), "{name}: {text}");
            }
            for text in wrong {
                assert!(!fits(name, text), "{name}: {text}");
            }
        }
    }

    #[test]
    fn facets_say_what_is_wanted() {
        let of = |facets| Simple { form: Form::Atomic(Builtin::Text("string")), facets };
        let said = |facets, text| of(facets).check(text, &Schema::default()).unwrap_err();
        let colours = Facets { enumeration: vec!["red".into(), "blue".into()], ..Facets::default() };
        assert_eq!(said(colours, "green"), "one of `red`, `blue`");
        assert_eq!(said(Facets { max_length: Some(2), ..Facets::default() }, "äöü"), "at most 2 long");
        let bound = |exclusive| Some(Bound { value: 1.0, exclusive, written: "1".into() });
        assert_eq!(said(Facets { min: bound(true), ..Facets::default() }, "1"), "more than 1");
        assert!(of(Facets { min: bound(false), ..Facets::default() }).check("1", &Schema::default()).is_ok());
    }
}
