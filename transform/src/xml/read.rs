//! Reading XML. No DTD is read and no entity but the five of XML itself is known, so nothing can expand.

use std::{borrow::Cow, sync::Arc};

use minijinja::Value;
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use super::{
    DEPTH, TEXT,
    name::{is_char, is_name},
};
use crate::parse::Grouped;

/// Attributes that one element may have.
const ATTRIBUTES: usize = 256;

/// What a document is made of, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// An element begins: its name as it is written, and the byte at which it stands.
    Open(&'a str, usize),
    /// An attribute of the element that began last, namespace declarations among them.
    Attribute(&'a str, Cow<'a, str>),
    /// Text, in pieces, its references resolved.
    Text(&'a str),
    /// The element that began last, and has not ended, ends.
    Close,
}

type Complaint = Cow<'static, str>;

/// A document as an object with its root element's name as the one key. Namespace declarations are left out.
///
/// # Errors
/// A sentence on what is not well-formed, or not allowed; it quotes nothing of the document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Arc<str>> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the XML is not UTF-8 text")?;
    let (mut open, mut root): (Vec<Element>, _) = (Vec::new(), Grouped::default());
    walk(text, |item| match item {
        Item::Open(name, _) => {
            if let Some(parent) = open.last_mut() {
                parent.has_elements = true;
            }
            open.push(Element { name: name.to_owned(), ..Element::default() });
        }
        Item::Attribute(name, value) => {
            if let Some(element) = open.last_mut()
                && name != "xmlns"
                && !name.starts_with("xmlns:")
            {
                element.members.push(format!("@{name}"), Value::from(value));
            }
        }
        Item::Text(text) => {
            if let Some(element) = open.last_mut() {
                element.text.push_str(text);
            }
        }
        Item::Close => {
            if let Some(element) = open.pop() {
                let parent = open.last_mut().map_or(&mut root, |parent| &mut parent.members);
                let (name, value) = element.close();
                parent.push(name, value);
            }
        }
    })?;
    Ok(root.into_value())
}

/// Whether a text is a well-formed document that [`parse`] would read.
///
/// # Errors
/// As [`parse`].
pub(crate) fn check(text: &str) -> Result<(), Arc<str>> {
    walk(text, |_| {})
}

/// An element that is not closed yet.
#[derive(Default)]
struct Element {
    name: String,
    members: Grouped,
    text: String,
    has_elements: bool,
}

impl Element {
    /// Text alone is text as it is written; between elements, white space around it does not count.
    fn close(mut self) -> (String, Value) {
        if self.members.is_empty() {
            return (self.name, Value::from(self.text));
        }
        let text = if self.has_elements { self.text.trim() } else { &self.text };
        if !text.is_empty() {
            self.members.push(TEXT.to_owned(), Value::from(text));
        }
        (self.name, self.members.into_value())
    }
}

/// Reads a well-formed document, whose parts go to `on`. Its depth and the number of an element's attributes are
/// bounded; no DTD is read and no entity but the five of XML itself is known, so that nothing can expand.
///
/// # Errors
/// A sentence on what is not well-formed, or not allowed; it quotes nothing of the document. The parts before it were
/// given to `on`.
pub fn walk(text: &str, mut on: impl FnMut(Item<'_>)) -> Result<(), Arc<str>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut state = State { depth: 0, roots: 0 };
    loop {
        let began = reader.buffer_position();
        let place = usize::try_from(began).unwrap_or(0).min(text.len());
        let complaint = match reader.read_event() {
            Ok(Event::Eof) => break state.end().map_err(Arc::from),
            Ok(event) => state.take(&event, place, &mut on).err(),
            Err(error) => Some(error.to_string().into()),
        };
        if let Some(complaint) = complaint {
            let line = text.as_bytes()[..place].iter().filter(|byte| **byte == b'\n').count() + 1;
            return Err(format!("the XML is not well-formed: {complaint} (line {line})").into());
        }
    }
}

struct State {
    depth: usize,
    roots: usize,
}

impl State {
    fn take(&mut self, event: &Event<'_>, at: usize, on: &mut impl FnMut(Item<'_>)) -> Result<(), Complaint> {
        match event {
            Event::Start(element) => self.open(element, at, on),
            Event::Empty(element) => {
                self.open(element, at, on)?;
                self.close(on);
                Ok(())
            }
            Event::End(_) => {
                self.close(on);
                Ok(())
            }
            Event::Text(text) => {
                if text.contains("]]>") {
                    return Err("`]]>` cannot stand in text".into());
                }
                self.text(&text.xml10_content(), on)
            }
            Event::CData(data) if self.depth > 0 => self.text(&data.xml10_content(), on),
            Event::GeneralRef(reference) if self.depth > 0 => {
                let char = match reference.resolve_char_ref() {
                    Ok(Some(char)) => char,
                    Ok(None) => named(reference).ok_or("an entity that XML does not have itself")?,
                    Err(_) => return Err("a character reference to no character".into()),
                };
                self.text(char.encode_utf8(&mut [0; 4]), on)
            }
            Event::CData(_) | Event::GeneralRef(_) => Err("text outside of the root element".into()),
            Event::DocType(_) => Err("a document type is not allowed".into()),
            Event::Decl(declaration) => {
                if at > 0 {
                    return Err("the XML declaration stands at the beginning".into());
                }
                declaration.version().map(drop).map_err(|_| "a broken XML declaration".into())
            }
            Event::PI(instruction) => match instruction.target() {
                target if !is_name(target) || target.eq_ignore_ascii_case("xml") => {
                    Err("a processing instruction without a proper name".into())
                }
                _ => chars(instruction),
            },
            Event::Comment(comment) => chars(comment),
            Event::Eof => Ok(()),
        }
    }

    fn open(&mut self, element: &BytesStart<'_>, at: usize, on: &mut impl FnMut(Item<'_>)) -> Result<(), Complaint> {
        let name = element.name().0;
        if !is_name(name) {
            return Err("an element without a proper name".into());
        }
        if self.depth == DEPTH {
            return Err(format!("elements nest deeper than {DEPTH}").into());
        }
        if self.depth == 0 {
            if self.roots > 0 {
                return Err("a second root element".into());
            }
            self.roots = 1;
        }
        self.depth += 1;
        on(Item::Open(name, at));
        let mut after_space = element.attributes_raw().starts_with(char::is_whitespace);
        for (count, attribute) in element.attributes().enumerate() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            if count == ATTRIBUTES {
                return Err(format!("an element with more than {ATTRIBUTES} attributes").into());
            }
            if !is_name(attribute.key.0) {
                return Err("an attribute without a proper name".into());
            }
            if attribute.value.contains('<') {
                return Err("`<` cannot stand in an attribute".into());
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|_| "an entity that XML does not have itself, or a broken reference")?;
            chars(&value)?;
            on(Item::Attribute(attribute.key.0, value));
            after_space = true;
        }
        if after_space || element.attributes_raw().is_empty() { Ok(()) } else { Err("broken attributes".into()) }
    }

    fn close(&mut self, on: &mut impl FnMut(Item<'_>)) {
        self.depth = self.depth.saturating_sub(1);
        on(Item::Close);
    }

    fn text(&self, text: &str, on: &mut impl FnMut(Item<'_>)) -> Result<(), Complaint> {
        if self.depth == 0 {
            let blank = text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            return if blank { Ok(()) } else { Err("text outside of the root element".into()) };
        }
        chars(text)?;
        on(Item::Text(text));
        Ok(())
    }

    fn end(&self) -> Result<(), &'static str> {
        match (self.depth, self.roots) {
            (0, 1) => Ok(()),
            (0, _) => Err("the XML is not well-formed: it has no root element"),
            _ => Err("the XML is not well-formed: it ends before its elements do"),
        }
    }
}

fn named(entity: &str) -> Option<char> {
    Some(match entity {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

fn chars(text: &str) -> Result<(), Complaint> {
    if text.chars().all(is_char) { Ok(()) } else { Err("a character that XML cannot hold".into()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(xml: &str) -> serde_json::Value {
        serde_json::to_value(crate::json::JsonOf(&parse(xml.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn elements_are_members() {
        for (xml, expected) in [
            ("<a/>", json!({"a": ""})),
            ("<a></a>", json!({"a": ""})),
            ("<a> x </a>", json!({"a": " x "})),
            ("<a x='1'/>", json!({"a": {"@x": "1"}})),
            ("<a x='1'>t</a>", json!({"a": {"@x": "1", "#text": "t"}})),
            ("<a><b>1</b><c/><b>2</b></a>", json!({"a": {"b": ["1", "2"], "c": ""}})),
            ("<a>\n <b>1</b>\n t\n</a>", json!({"a": {"b": "1", "#text": "t"}})),
            ("<s:a xmlns:s='u' xmlns='v' s:x='1'><s:b>1</s:b></s:a>", json!({"s:a": {"@s:x": "1", "s:b": "1"}})),
            ("<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;<![CDATA[<c>&amp;]]></a>", json!({"a": "<&>\"'AB<c>&amp;"})),
            ("\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<!-- c --><?pi x?><a>é\r\n</a>\n", json!({"a": "é\n"})),
            ("<a x='&lt;&#10;\n'/>", json!({"a": {"@x": "<\n "}})),
        ] {
            assert_eq!(read(xml), expected, "{xml}");
            assert_eq!(check(xml), Ok(()), "{xml}");
        }
    }

    #[test]
    fn what_is_not_well_formed_or_could_expand_is_refused() {
        for xml in [
            "",
            " ",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "&lt;<a/>",
            "<![CDATA[x]]><a/>",
            "<1/>",
            "<a b/>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='<'/>",
            "<a 1='1'/>",
            "<a>&nbsp;</a>",
            "<a>&#0;</a>",
            "<a>&#xd800;</a>",
            "<a>&#8;</a>",
            "<a b='&#8;'/>",
            "<a>\u{1}</a>",
            "<a>]]></a>",
            "<a>& b</a>",
            "<a b='& c'/>",
            "<a b='&nbsp;'/>",
            "<!-- -- --><a/>",
            "<a/><?xml version='1.0'?>",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>",
            "<a",
            "<a><!--",
        ] {
            assert!(parse(xml.as_bytes()).is_err(), "{xml}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn depth_and_attributes_are_bounded() {
        let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(check(&nested(DEPTH)).is_ok());
        assert!(check(&nested(DEPTH + 1)).unwrap_err().contains("deeper"));
        read(&nested(DEPTH));
        let attributes = |count| format!("<a {}/>", (0..count).map(|n| format!("b{n}='' ")).collect::<String>());
        assert!(check(&attributes(ATTRIBUTES)).is_ok());
        assert!(check(&attributes(ATTRIBUTES + 1)).is_err());
    }

    #[test]
    fn a_complaint_names_the_line() {
        assert!(check("<a>\n\n<b></a>").unwrap_err().contains("line 3"));
    }
}
