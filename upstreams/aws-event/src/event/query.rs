//! The query's parameters as the maps of an event.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{headers::Repeated, json::Json};

/// The parameters of a query, sorted by name; values of one name keep their order.
pub(super) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Names and values decoded as HTML forms encode them.
    pub(super) fn decoded(query: Option<&'a str>) -> Self {
        Self::read(query, decode)
    }

    /// Names and values as they came.
    pub(super) fn encoded(query: Option<&'a str>) -> Self {
        Self::read(query, Cow::Borrowed)
    }

    fn read(query: Option<&'a str>, read: fn(&'a str) -> Cow<'a, str>) -> Self {
        let mut pairs: Vec<_> = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (read(name), read(value))
            })
            .collect();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(pairs)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the object of parameters.
    pub(super) fn write(&self, json: &mut Json, repeated: Repeated) {
        json.open();
        for group in self.0.chunk_by(|(a, _), (b, _)| a == b) {
            let [.., (name, last)] = group else { continue };
            let values = group.iter().map(|(_, value)| &**value);
            json.field(name);
            match repeated {
                Repeated::Last => {
                    json.string(last);
                }
                Repeated::Listed => {
                    json.list(values);
                }
                Repeated::Joined => {
                    json.quote();
                    for (index, value) in values.enumerate() {
                        json.part(if index > 0 { "," } else { "" }).part(value);
                    }
                    json.quote();
                }
            }
        }
        json.close();
    }

    /// Writes the object of parameters, or null where there are none.
    pub(super) fn write_or_null(&self, json: &mut Json, repeated: Repeated) {
        if self.is_empty() {
            json.null();
        } else {
            self.write(json, repeated);
        }
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return text.into();
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parameters: &Parameters<'_>, repeated: Repeated) -> String {
        let mut json = Json::with_capacity(0);
        parameters.write_or_null(&mut json, repeated);
        String::from_utf8(json.finish().to_vec()).unwrap()
    }

    #[test]
    fn repeated_names_are_joined_listed_or_last() {
        let query = Parameters::decoded(Some("b=1&a=x%20y&b=2+3&&flag"));
        assert_eq!(written(&query, Repeated::Joined), r#"{"a":"x y","b":"1,2 3","flag":""}"#);
        assert_eq!(written(&query, Repeated::Listed), r#"{"a":["x y"],"b":["1","2 3"],"flag":[""]}"#);
        assert_eq!(written(&query, Repeated::Last), r#"{"a":"x y","b":"2 3","flag":""}"#);
    }

    #[test]
    fn an_invalid_escape_is_passed_on() {
        let query = Parameters::decoded(Some("a=%zz&b=%ff"));
        assert_eq!(written(&query, Repeated::Last), "{\"a\":\"%zz\",\"b\":\"\u{fffd}\"}");
    }

    #[test]
    fn an_encoded_query_stays_as_it_is() {
        assert_eq!(written(&Parameters::encoded(Some("a=x%20y")), Repeated::Last), r#"{"a":"x%20y"}"#);
        assert_eq!(written(&Parameters::encoded(Some("")), Repeated::Last), "null");
    }
}
