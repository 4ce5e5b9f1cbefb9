//! The names of subjects and issuers as text that can be compared.

use x509_parser::{
    asn1_rs::Tag,
    objects::{oid_registry, oid2abbrev},
    x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name},
};

/// A name in the order of the certificate, `O=Example, CN=billing`, with what would be taken for something else in its
/// values escaped (RFC 4514 2.4): no two names are the same text. `None` for one that is no text.
pub(super) fn text(name: &X509Name<'_>) -> Option<String> {
    let parts: Option<Vec<_>> = name.iter_rdn().map(part).collect();
    parts.map(|parts| parts.join(", "))
}

fn part(part: &RelativeDistinguishedName<'_>) -> Option<String> {
    let attributes: Option<Vec<_>> = part.iter().map(attribute).collect();
    attributes.map(|attributes| attributes.join(" + "))
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let known = oid2abbrev(attribute.attr_type(), oid_registry()).ok();
    let known = known.filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let name = known.map_or_else(|| attribute.attr_type().to_id_string(), str::to_owned);
    Some(format!("{name}={}", escaped(&value(attribute)?)))
}

fn value(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let bytes = attribute.as_slice();
    match attribute.attr_value().tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        // Beyond ASCII nobody agrees on what it says.
        Tag::T61String => bytes.is_ascii().then(|| String::from_utf8(bytes.to_vec()).ok()).flatten(),
        Tag::BmpString => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<_> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        _ => None,
    }
}

fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, char) in value.char_indices() {
        match char {
            '\0' => escaped.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', char]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    fn subject(parts: &[(DnType, DnValue)]) -> Option<String> {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        parts.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), value.clone()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        text(parsed.subject())
    }

    fn utf8(text: &str) -> DnValue {
        DnValue::Utf8String(text.to_owned())
    }

    #[test]
    fn a_value_can_not_be_taken_for_more_than_it_is() {
        let own = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99999, 1]);
        for (kind, value, expected) in [
            (DnType::CommonName, "billing", "CN=billing"),
            (DnType::OrganizationName, "Example, CN=billing", r"O=Example\, CN=billing"),
            (DnType::OrganizationName, "a + CN=b", r"O=a \+ CN=b"),
            (DnType::OrganizationName, r#"\"<;>"#, r#"O=\\\"\<\;\>"#),
            (DnType::OrganizationName, "#a# ", r"O=\#a#\ "),
            (DnType::OrganizationName, " ", r"O=\ "),
            (DnType::OrganizationName, "a\0", r"O=a\00"),
            (DnType::OrganizationName, "Grüße ☃", "O=Grüße ☃"),
            (own, "x", "1.3.6.1.4.1.99999.1=x"),
        ] {
            assert_eq!(subject(&[(kind, utf8(value))]).as_deref(), Some(expected));
        }
        let several = [(DnType::OrganizationName, utf8("Example")), (DnType::CommonName, utf8("billing"))];
        assert_eq!(subject(&several).as_deref(), Some("O=Example, CN=billing"));
    }

    #[test]
    fn what_is_no_text_is_no_name() {
        let wide = "añ".try_into().unwrap();
        assert_eq!(subject(&[(DnType::CommonName, DnValue::BmpString(wide))]).as_deref(), Some("CN=añ"));
        let wide = "a".try_into().unwrap();
        let parts = [(DnType::CommonName, utf8("a")), (DnType::OrganizationName, DnValue::UniversalString(wide))];
        assert_eq!(subject(&parts), None);
    }
}
