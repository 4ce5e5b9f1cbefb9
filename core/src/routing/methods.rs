//! The methods that a route takes.

use std::{fmt, str::FromStr};

use http::{HeaderValue, Method};

/// A set of request methods. An empty one takes every method.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Methods {
    standard: u16,
    extensions: Box<[Method]>,
}

/// The standard methods in the order in which `Allow` lists them.
const STANDARD: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// Why a text is no request method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodError {
    /// Nothing stands where a method should.
    #[error("a method is missing: write `GET` or `GET,HEAD`, or leave the methods out to take any")]
    Empty,
    /// Methods are case-sensitive and upper case.
    #[error("`{given}` is no request method, methods are upper case: write `{upper}`")]
    LowerCase {
        /// The text.
        given: String,
        /// The text in upper case.
        upper: String,
    },
    /// A word that other gateways use for every method.
    #[error("`{given}` is no request method: leave the methods out to take any")]
    Any {
        /// The text.
        given: String,
    },
    /// One letter away from a standard method.
    #[error("`{given}` is no request method: did you mean `{meant}`?")]
    Misspelt {
        /// The text.
        given: String,
        /// The nearest standard method.
        meant: String,
    },
    /// Characters that RFC 9110 does not allow in a method.
    #[error("`{given}` is no request method: a method is a word such as `GET`")]
    Invalid {
        /// The text.
        given: String,
    },
}

impl Methods {
    /// Takes every method.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Reads a list of method names, as in `methods: [GET, POST]`.
    ///
    /// # Errors
    ///
    /// The first name that is no method.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, MethodError> {
        names.into_iter().map(parse_method).collect()
    }

    /// Whether every method is taken, as none is named.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.standard == 0 && self.extensions.is_empty()
    }

    /// Whether a request with this method is served. `GET` serves `HEAD` as well.
    #[must_use]
    pub fn allows(&self, method: &Method) -> bool {
        self.is_any() || self.lists(method) || (*method == Method::HEAD && self.standard & bit(&Method::GET) != 0)
    }

    /// Whether the method itself is named.
    #[must_use]
    pub fn lists(&self, method: &Method) -> bool {
        match bit(method) {
            0 => self.extensions.contains(method),
            bit => self.standard & bit != 0,
        }
    }

    /// Whether every method named here is named there too.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.standard & !other.standard == 0 && self.extensions.iter().all(|method| other.extensions.contains(method))
    }

    /// The methods named, the standard ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Method> {
        STANDARD.iter().filter(|method| self.lists(method)).chain(self.extensions.iter())
    }

    /// The value of an `Allow` header: the methods named, and `HEAD` where `GET` is.
    #[must_use]
    pub fn allow_header(&self) -> HeaderValue {
        let mut served = self.clone();
        if self.lists(&Method::GET) {
            served.standard |= bit(&Method::HEAD);
        }
        let text = served.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        // Methods are tokens, so this cannot fail; an empty Allow is valid (RFC 9110, 10.2.1).
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The bit of all methods beyond the standard ones, which need a closer look.
    pub(super) const EXTENSION: u16 = 1 << 14;
    const ANY: u16 = 1 << 15;

    /// Bits that [`bits_of`](Self::bits_of) a method has in common if it is served.
    pub(super) fn bits(&self) -> u16 {
        let extension = if self.extensions.is_empty() { 0 } else { Self::EXTENSION };
        if self.is_any() { Self::ANY } else { self.standard | extension }
    }

    /// Bits of the sets that serve a method.
    pub(super) fn bits_of(method: &Method) -> u16 {
        Self::ANY
            | match bit(method) {
                0 => Self::EXTENSION,
                head if *method == Method::HEAD => head | bit(&Method::GET),
                bit => bit,
            }
    }

    /// Adds the methods of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        self.standard |= other.standard;
        if !other.extensions.is_empty() {
            *self = self.iter().chain(other.iter()).cloned().collect();
        }
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        let mut standard = 0;
        let mut extensions = Vec::new();
        for method in methods {
            match bit(&method) {
                0 => extensions.push(method),
                bit => standard |= bit,
            }
        }
        extensions.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        extensions.dedup();
        Self { standard, extensions: extensions.into() }
    }
}

impl FromStr for Methods {
    type Err = MethodError;

    /// Reads `GET` or `GET,HEAD`; `*` is every method.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "*" => Ok(Self::any()),
            _ => Self::parse(text.split(',').map(str::trim)),
        }
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("*");
        }
        for (index, method) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{method}")?;
        }
        Ok(())
    }
}

/// The bit of a standard method, 0 for an extension.
fn bit(method: &Method) -> u16 {
    match *method {
        Method::GET => 1,
        Method::HEAD => 1 << 1,
        Method::POST => 1 << 2,
        Method::PUT => 1 << 3,
        Method::PATCH => 1 << 4,
        Method::DELETE => 1 << 5,
        Method::OPTIONS => 1 << 6,
        Method::TRACE => 1 << 7,
        Method::CONNECT => 1 << 8,
        _ => 0,
    }
}

fn parse_method(name: &str) -> Result<Method, MethodError> {
    let given = || name.to_owned();
    if name.is_empty() {
        return Err(MethodError::Empty);
    }
    let upper = name.to_ascii_uppercase();
    if name == "*" || upper == "ANY" || upper == "ALL" {
        return Err(MethodError::Any { given: given() });
    }
    let method = Method::from_bytes(name.as_bytes()).map_err(|_| MethodError::Invalid { given: given() })?;
    if upper != name {
        return Err(MethodError::LowerCase { given: given(), upper });
    }
    match STANDARD.iter().find(|standard| bit(&method) == 0 && one_slip_apart(name, standard.as_str())) {
        Some(meant) => Err(MethodError::Misspelt { given: given(), meant: meant.to_string() }),
        None => Ok(method),
    }
}

/// Whether one letter more, less or other, or two neighbours swapped, make the one word the other.
fn one_slip_apart(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let same_start = one.iter().zip(other).take_while(|(left, right)| left == right).count();
    let (one, other) = (&one[same_start..], &other[same_start..]);
    match (one, other) {
        ([a, b, left @ ..], [c, d, right @ ..]) if a == d && b == c && left == right => true,
        ([_, left @ ..], [_, right @ ..]) if left == right => true,
        ([_, left @ ..], right) if left == right => true,
        (left, [_, right @ ..]) => left == right,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods(text: &str) -> Methods {
        text.parse().unwrap()
    }

    #[test]
    fn get_serves_head_and_an_empty_set_serves_all() {
        assert!(methods("GET").allows(&Method::HEAD));
        assert!(!methods("GET").lists(&Method::HEAD));
        assert!(!methods("HEAD").allows(&Method::GET));
        assert!(!methods("POST").allows(&Method::HEAD));
        assert!(Methods::any().allows(&Method::from_bytes(b"PURGE").unwrap()));
        assert!(methods("PURGE").allows(&Method::from_bytes(b"PURGE").unwrap()));
        assert!(!methods("PURGE").allows(&Method::GET));
    }

    #[test]
    fn allow_is_the_union_in_a_fixed_order() {
        let mut allow = methods("PURGE,POST");
        allow.extend(&methods("GET"));
        allow.extend(&methods("BAN,PURGE"));
        assert_eq!(allow.allow_header(), "GET, HEAD, POST, BAN, PURGE");
    }

    #[test]
    fn display_parses_back() {
        for text in ["*", "GET", "GET,HEAD,POST", "DELETE,PURGE"] {
            assert_eq!(methods(text).to_string(), text);
        }
        assert_eq!(methods("POST, GET").to_string(), "GET,POST");
    }

    #[test]
    fn mistakes_are_explained() {
        for (text, expected) in [
            ("", "a method is missing: write `GET` or `GET,HEAD`, or leave the methods out to take any"),
            ("GET,", "a method is missing: write `GET` or `GET,HEAD`, or leave the methods out to take any"),
            ("get", "`get` is no request method, methods are upper case: write `GET`"),
            ("ANY", "`ANY` is no request method: leave the methods out to take any"),
            ("PSOT", "`PSOT` is no request method: did you mean `POST`?"),
            ("DELET", "`DELET` is no request method: did you mean `DELETE`?"),
            ("GETT", "`GETT` is no request method: did you mean `GET`?"),
            ("G T", "`G T` is no request method: a method is a word such as `GET`"),
        ] {
            assert_eq!(text.parse::<Methods>().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn subsets_are_by_name() {
        assert!(methods("GET").is_subset_of(&methods("GET,POST")));
        assert!(!methods("GET,PURGE").is_subset_of(&methods("GET,POST")));
    }
}
