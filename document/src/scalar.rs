//! Types of plain scalars, by the core schema of YAML 1.2 (section 10.3.2).

use crate::Value;

/// The value that a plain (unquoted) scalar stands for; `yes` and `on` are text.
#[must_use]
pub fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    integer(text)
        .map(Value::Integer)
        .or_else(|| float(text).map(Value::Float))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn integer(text: &str) -> Option<i128> {
    let digits = |digits: &str, radix: u32| {
        let valid = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        valid.then(|| i128::from_str_radix(digits, radix).ok()).flatten()
    };
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return digits(hexadecimal, 16);
    }
    match text.strip_prefix('-') {
        Some(negative) => digits(negative, 10).map(|value| -value),
        None => digits(text.strip_prefix('+').unwrap_or(text), 10),
    }
}

fn float(text: &str) -> Option<f64> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(sign * f64::INFINITY);
    }
    // Rust reads `inf`, `nan` and `infinity` too, which are text in YAML.
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !unsigned.chars().all(numeric) {
        return None;
    }
    unsigned.parse::<f64>().ok().map(|value| sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_decides() {
        for (text, value) in [
            ("~", Value::Null),
            ("True", Value::Bool(true)),
            ("0o17", Value::Integer(15)),
            ("0xfF", Value::Integer(255)),
            ("-12", Value::Integer(-12)),
            ("+012", Value::Integer(12)),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("1e3", Value::Float(1000.0)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
        let texts = [
            "yes", "on", "inf", "nan", "1_000", "0b1", "1.2.3", "-", "+", ".", "0x", "0x-1", "10s", "1:30", "--1", "e5",
        ];
        for text in texts {
            assert_eq!(resolve(text), Value::String(text.to_owned()));
        }
        assert!(matches!(resolve(".nan"), Value::Float(nan) if nan.is_nan()));
    }

    #[test]
    fn a_whole_number_too_big_to_hold_is_a_float() {
        let text = "9".repeat(60);
        assert!(matches!(resolve(&text), Value::Float(value) if value > 1e59));
    }
}
