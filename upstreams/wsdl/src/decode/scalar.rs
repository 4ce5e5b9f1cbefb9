//! Values of simple types. Digits pass as they are, so that no number loses any.

use super::{Decoder, json};
use crate::xsd::{Builtin, Form, Simple};

impl Decoder<'_> {
    /// A value from its text.
    ///
    /// # Errors
    /// What it should be.
    pub(super) fn value(&mut self, text: &str, simple: &Simple) -> Result<(), &'static str> {
        match &simple.form {
            Form::Atomic(builtin) => self.atomic(text, *builtin),
            Form::List(item) => {
                self.out.push('[');
                for (at, text) in text.split_ascii_whitespace().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    match self.schema.simple(*item) {
                        Some(simple) => self.value(text, simple)?,
                        None => json::string(&mut self.out, text),
                    }
                }
                self.out.push(']');
                Ok(())
            }
            Form::Union(members) => {
                let mut members = members.iter().filter_map(|id| self.schema.simple(*id));
                match members.find(|member| member.check(text.trim(), self.schema).is_ok()) {
                    Some(member) => self.value(text, member),
                    None => {
                        json::string(&mut self.out, text);
                        Ok(())
                    }
                }
            }
        }
    }

    fn atomic(&mut self, text: &str, builtin: Builtin) -> Result<(), &'static str> {
        let value = if builtin.keeps_space() { text } else { text.trim() };
        match builtin {
            Builtin::Boolean | Builtin::Integer(..) | Builtin::Decimal | Builtin::Float(_) if value.is_empty() => {
                self.out.push_str("null");
            }
            Builtin::Boolean => match value {
                "true" | "1" => self.out.push_str("true"),
                "false" | "0" => self.out.push_str("false"),
                _ => return Err("truth value"),
            },
            Builtin::Float(_) if matches!(value, "INF" | "-INF" | "NaN") => json::string(&mut self.out, value),
            Builtin::Integer(..) | Builtin::Decimal | Builtin::Float(_) => number(&mut self.out, value)?,
            _ => json::string(&mut self.out, value),
        }
        Ok(())
    }
}

/// A number as JSON writes it.
fn number(out: &mut String, text: &str) -> Result<(), &'static str> {
    const WANTED: &str = "number";
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let signless = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    if !digits(whole)
        || !digits(part)
        || (whole.is_empty() && part.is_empty())
        || signless.is_some_and(|exponent| exponent.is_empty() || !digits(exponent))
    {
        return Err(WANTED);
    }
    if negative {
        out.push('-');
    }
    let whole = whole.trim_start_matches('0');
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !part.is_empty() {
        out.extend([".", part]);
    }
    if let Some(exponent) = exponent {
        out.extend(["e", exponent]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_json_has_them() {
        for (text, json) in [
            ("+007", "7"),
            ("-0", "-0"),
            (".5", "0.5"),
            ("-5.", "-5"),
            ("12.50", "12.50"),
            ("1.5E-7", "1.5e-7"),
            ("1e+3", "1e+3"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            let mut out = String::new();
            assert_eq!((number(&mut out, text), &*out), (Ok(()), json));
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
        }
        for wrong in ["", "-", ".", "1,5", "0x1", "1e", "e5", "1.2.3", "1e1.5", "١"] {
            assert!(number(&mut String::new(), wrong).is_err(), "{wrong}");
        }
    }
}
