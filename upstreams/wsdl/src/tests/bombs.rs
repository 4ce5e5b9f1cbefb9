//! Small descriptions that mean something huge or endless: they are refused, or told in part, in bounded time and memory.

use serde_json::Value;

use super::read_text;
use crate::wsdl::Contract;

/// A description with one operation, whose input is the element `in`.
fn description(declarations: &str) -> Contract {
    read_text(&format!(
        "<definitions xmlns='http://schemas.xmlsoap.org/wsdl/' xmlns:s='http://schemas.xmlsoap.org/wsdl/soap/' \
         xmlns:t='u' targetNamespace='u'><types>\
         <x:schema xmlns:x='http://www.w3.org/2001/XMLSchema' targetNamespace='u'>{declarations}</x:schema></types>\
         <message name='i'><part name='p' element='t:in'/></message>\
         <portType name='pt'><operation name='op'><input message='t:i'/></operation></portType>\
         <binding name='b' type='t:pt'><s:binding transport='http://schemas.xmlsoap.org/soap/http'/>\
         <operation name='op'><s:operation soapAction='op'/><input><s:body use='literal'/></input></operation></binding>\
         <service name='sv'><port name='po' binding='t:b'><s:address location='http://127.0.0.1/'/></port></service>\
         </definitions>"
    ))
}

/// Why the operation can't be called.
fn flaw(declarations: &str) -> String {
    description(declarations).operation("op", None).unwrap_err().message
}

/// Declarations for each level, of which every one has the next one twice; the last is what is given.
fn doubling(levels: usize, level: impl Fn(usize, usize) -> String, last: &str) -> String {
    (0..levels).map(|at| level(at, at + 1)).chain([last.replace("{}", &levels.to_string())]).collect()
}

const IN: &str = "<x:element name='in' type='t:g0'/>";

#[test]
fn groups_that_multiply_are_refused() {
    let group = |at, next| {
        format!(
            "<x:group name='g{at}'><x:sequence><x:group ref='t:g{next}'/><x:group ref='t:g{next}'/></x:sequence></x:group>"
        )
    };
    let groups = doubling(25, group, "<x:group name='g{}'><x:sequence><x:element name='x'/></x:sequence></x:group>");
    let whole = "<x:element name='in'><x:complexType><x:group ref='t:g0'/></x:complexType></x:element>";
    assert!(flaw(&(groups + whole)).contains("multiply"));

    let group = |at, next| {
        let reference = format!("<x:attributeGroup ref='t:g{next}'/>");
        format!("<x:attributeGroup name='g{at}'>{reference}{reference}</x:attributeGroup>")
    };
    let groups = doubling(25, group, "<x:attributeGroup name='g{}'><x:attribute name='x'/></x:attributeGroup>");
    let whole = "<x:element name='in'><x:complexType><x:attributeGroup ref='t:g0'/></x:complexType></x:element>";
    assert!(flaw(&(groups + whole)).contains("multiply"));
}

#[test]
fn unions_and_lists_of_themselves_are_refused() {
    let wanted = "a union or a list is made of itself, or of too many types";
    let union =
        |at, next| format!("<x:simpleType name='g{at}'><x:union memberTypes='t:g{next} t:g{next}'/></x:simpleType>");
    let unions = doubling(40, union, "<x:simpleType name='g{}'><x:restriction base='x:int'/></x:simpleType>");
    assert!(flaw(&(unions + IN)).contains(wanted));
    for itself in [
        "<x:simpleType name='g0'><x:union memberTypes='x:int t:g0'/></x:simpleType>",
        "<x:simpleType name='g0'><x:list itemType='t:g0'/></x:simpleType>",
        "<x:simpleType name='g0'><x:union memberTypes='t:g1'/></x:simpleType>\
         <x:simpleType name='g1'><x:list itemType='t:g0'/></x:simpleType>",
    ] {
        assert!(flaw(&(itself.to_owned() + IN)).contains(wanted), "{itself}");
    }
    let chain = |at, next| format!("<x:simpleType name='g{at}'><x:union memberTypes='t:g{next}'/></x:simpleType>");
    let chain = doubling(20_000, chain, "<x:simpleType name='g{}'><x:restriction base='x:int'/></x:simpleType>");
    assert!(flaw(&(chain + IN)).contains(wanted));
}

#[test]
fn an_element_in_itself_is_one_type() {
    let itself = "<x:element name='in'><x:complexType><x:sequence>\
                  <x:element name='text' type='x:string'/><x:element ref='t:in' minOccurs='0' maxOccurs='9'/>\
                  </x:sequence></x:complexType></x:element>";
    let contract = description(itself);
    assert!(contract.schema.types.len() < 10, "{}", contract.schema.types.len());
    let operation = contract.operation("op", None).unwrap();
    let description = operation.describe();
    assert_eq!(description.example.unwrap(), serde_json::json!({"text": "text", "in": []}));
    assert!(description.sent.is_some());
}

#[test]
fn what_must_hold_itself_has_no_example_but_a_bounded_description() {
    let endless = "<x:complexType name='g0'><x:sequence><x:element name='a' type='t:g0' minOccurs='3' maxOccurs='9'/>\
                   <x:element name='b' type='t:g0'/></x:sequence></x:complexType>";
    let described = description(&(endless.to_owned() + IN)).operation("op", None).unwrap().describe();
    assert!(described.sent.is_none());
    assert!(size(&described.example.unwrap()) < 20_000);
}

#[test]
fn types_that_multiply_are_described_in_bounds() {
    let named = |at, next| {
        format!(
            "<x:complexType name='g{at}'><x:sequence><x:element name='a' type='t:g{next}' minOccurs='3' maxOccurs='9'/>\
             <x:element name='b' type='t:g{next}'/></x:sequence></x:complexType>"
        )
    };
    let nested = |at, next| {
        format!(
            "<x:element name='g{at}'><x:complexType><x:sequence><x:element ref='t:g{next}'/>\
             <x:element ref='t:h{next}'/></x:sequence></x:complexType></x:element>\
             <x:element name='h{at}'><x:complexType><x:sequence><x:element ref='t:h{next}'/>\
             <x:element ref='t:g{next}'/></x:sequence></x:complexType></x:element>"
        )
    };
    let last = "<x:element name='g{}'/><x:element name='h{}'/>";
    let whole = "<x:element name='in'><x:complexType><x:sequence><x:element ref='t:g0'/></x:sequence></x:complexType>\
                 </x:element>";
    for declarations in [doubling(30, named, "<x:complexType name='g{}'/>") + IN, doubling(30, nested, last) + whole] {
        let described = description(&declarations).operation("op", None).unwrap().describe();
        assert!(size(&described.example.clone().unwrap()) < 20_000);
        assert!(size(&described.input()) < 200_000);
    }
}

#[test]
fn substitutes_that_multiply_are_refused() {
    let members: String = (0..2000).map(|at| format!("<x:element name='m{at}' substitutionGroup='t:head'/>")).collect();
    let references = "<x:element ref='t:head'/>".repeat(2000);
    let flaw = flaw(&format!(
        "<x:element name='head'/>{members}<x:element name='in'><x:complexType><x:sequence>{references}</x:sequence>\
         </x:complexType></x:element>"
    ));
    assert!(flaw.contains("multiply"), "{flaw}");
}

/// How many values there are in one.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}
