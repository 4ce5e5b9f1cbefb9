//! The mapping, by the cases of protobuf's own conformance suite (`JsonInput` of `binary_json_conformance_suite.cc`), with
//! their names where they are taken over: what is written, and what it reads back as.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use proptest::prelude::*;
use prost_reflect::{DynamicMessage, MessageDescriptor, prost::Message};
use serde_json::Value;

use super::{Reading, Writing, message, parse, write};
use crate::contract::read_files;

fn kinds() -> MessageDescriptor {
    static KINDS: LazyLock<MessageDescriptor> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers");
        let contract =
            read_files(&[PathBuf::from("grpc_service.proto")], &[], &callgate_core::Files::new(&folder)).unwrap();
        contract.method("shop.v1.Shop/Echo").unwrap().input.clone()
    });
    KINDS.clone()
}

fn round(kinds: &MessageDescriptor, text: &str, how: Reading) -> Result<String, String> {
    let json = parse(text.as_bytes()).map_err(|error| error.to_string())?;
    let message = message(kinds, &json, how).map_err(|unfit| unfit.to_string())?;
    let written = write(&message, Writing::default()).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(written).unwrap())
}

/// What is written, and what is read back; the same where nothing else stands.
const TAKEN: &[(&str, &str)] = &[
    // HelloWorld, FieldNameInSnakeCase, OriginalFieldName, FieldNameEscaped
    (r#"{"aString": "Hello, World!"}"#, ""),
    (r#"{"a_string": "x", "an_int32": 1}"#, r#"{"anInt32":1,"aString":"x"}"#),
    (r#"{"\u0061String": "x"}"#, r#"{"aString":"x"}"#),
    // Int32FieldMaxValue, MinValue, FloatTrailingZero, ExponentialFormat, MaxFloatValue, StringValue
    (r#"{"anInt32": 2147483647}"#, ""),
    (r#"{"anInt32": -2147483648}"#, ""),
    (r#"{"anInt32": 100000.000}"#, r#"{"anInt32":100000}"#),
    (r#"{"anInt32": 1e5}"#, r#"{"anInt32":100000}"#),
    (r#"{"anInt32": 2.147483647e9}"#, r#"{"anInt32":2147483647}"#),
    (r#"{"anInt32": -2.147483648e9}"#, r#"{"anInt32":-2147483648}"#),
    (r#"{"anInt32": "12345"}"#, r#"{"anInt32":12345}"#),
    (r#"{"anInt32": "1e5"}"#, r#"{"anInt32":100000}"#),
    (r#"{"anInt32": "-1.0"}"#, r#"{"anInt32":-1}"#),
    (r#"{"anInt32": -0}"#, r#"{}"#),
    (r#"{"aUint32": 4294967295}"#, ""),
    (r#"{"aUint32": 4.294967295e9}"#, r#"{"aUint32":4294967295}"#),
    // Int64FieldMaxValue, NotQuoted, MinValue, Uint64
    (r#"{"anInt64": "9223372036854775807"}"#, ""),
    (r#"{"anInt64": 9223372036854775807}"#, r#"{"anInt64":"9223372036854775807"}"#),
    (r#"{"anInt64": "-9223372036854775808"}"#, ""),
    (r#"{"aUint64": "18446744073709551615"}"#, ""),
    (r#"{"aUint64": 18446744073709551615}"#, r#"{"aUint64":"18446744073709551615"}"#),
    (r#"{"anInt64": 1e3}"#, r#"{"anInt64":"1000"}"#),
    // BoolFieldTrue, False
    (r#"{"aBool": true}"#, ""),
    (r#"{"aBool": false}"#, r#"{}"#),
    // Float and double: values, NaN, infinities, quoted
    (r#"{"aFloat": 1.5, "aDouble": 0.1}"#, r#"{"aDouble":0.1,"aFloat":1.5}"#),
    (r#"{"aFloat": 3.402823e38}"#, r#"{"aFloat":3.402823e38}"#),
    (r#"{"aFloat": "1.5", "aDouble": "-2e-3"}"#, r#"{"aDouble":-0.002,"aFloat":1.5}"#),
    (r#"{"aFloat": "NaN", "aDouble": "NaN"}"#, r#"{"aDouble":"NaN","aFloat":"NaN"}"#),
    (r#"{"aFloat": "Infinity", "aDouble": "-Infinity"}"#, r#"{"aDouble":"-Infinity","aFloat":"Infinity"}"#),
    (r#"{"aDouble": 1.7976931348623157e308}"#, r#"{"aDouble":1.7976931348623157e308}"#),
    (r#"{"aDouble": 2.22507e-308}"#, r#"{"aDouble":2.22507e-308}"#),
    (r#"{"aDouble": 1}"#, r#"{"aDouble":1.0}"#),
    // EnumField, WithNumericValue, UnknownEnumValue, Alias
    (r#"{"colour": "COLOUR_GREEN"}"#, ""),
    (r#"{"colour": 2}"#, r#"{"colour":"COLOUR_GREEN"}"#),
    (r#"{"colour": 12}"#, ""),
    (r#"{"colour": "COLOUR_UNSPECIFIED"}"#, r#"{}"#),
    // StringField, Escape, SurrogatePair, Uppercase and lower-case escapes
    (r#"{"aString": "谷歌"}"#, ""),
    (r#"{"aString": "\"\\\/\b\f\n\r\t"}"#, r#"{"aString":"\"\\/\b\f\n\r\t"}"#),
    (r#"{"aString": "\u8C37\u6b4C"}"#, r#"{"aString":"谷歌"}"#),
    (r#"{"aString": "\uD83D\uDE01"}"#, r#"{"aString":"😁"}"#),
    // BytesField, Base64Url, without padding
    (r#"{"aBytes": "AQI="}"#, ""),
    (r#"{"aBytes": "-_"}"#, r#"{"aBytes":"+w=="}"#),
    (r#"{"aBytes": "AQI"}"#, r#"{"aBytes":"AQI="}"#),
    (r#"{"aBytes": ""}"#, r#"{}"#),
    // MessageField, EmptyMessage, OptionalWithZero
    (r#"{"self": {"anInt32": 1234}}"#, ""),
    (r#"{"self": {}}"#, ""),
    (r#"{"maybe": 0}"#, ""),
    // OneofField*: each of them, and null beside one
    (r#"{"word": ""}"#, ""),
    (r#"{"figure": 0}"#, ""),
    (r#"{"nothing": null}"#, ""),
    (r#"{"word": "a", "figure": null}"#, r#"{"word":"a"}"#),
    // Repeated: primitive, enum, message, empty
    (r#"{"numbers": ["1", 2]}"#, r#"{"numbers":["1","2"]}"#),
    (r#"{"colours": ["COLOUR_RED", 2, 5]}"#, r#"{"colours":["COLOUR_RED","COLOUR_GREEN",5]}"#),
    (r#"{"kinds": [{"anInt32": 1}, {}]}"#, ""),
    (r#"{"numbers": []}"#, r#"{}"#),
    // Maps: by int32, string and bool, with values of every sort
    (r#"{"byNumber": {"1": "a"}}"#, ""),
    (r#"{"byName": {"a": 1}}"#, r#"{"byName":{"a":"1"}}"#),
    (r#"{"byFlag": {"true": "COLOUR_RED"}}"#, ""),
    (r#"{"byFlag": {"\u0074rue": 1}}"#, r#"{"byFlag":{"true":"COLOUR_RED"}}"#),
    // AllFieldAcceptNull
    (
        r#"{"anInt32": null, "aString": null, "aBytes": null, "colour": null, "self": null, "numbers": null, "byName": null, "at": null, "wrapped": null}"#,
        r#"{}"#,
    ),
    // Wrappers: values, zeroes, as text
    (
        r#"{"wrapped": "0", "wrappedText": "", "wrappedFlag": false, "wrappedBytes": "", "wrappedDouble": 0}"#,
        r#"{"wrapped":"0","wrappedText":"","wrappedFlag":false,"wrappedBytes":"","wrappedDouble":0.0}"#,
    ),
    (r#"{"wrapped": 12}"#, r#"{"wrapped":"12"}"#),
    // Durations: bounds, fractions, negative, zero
    (r#"{"took": "315576000000.999999999s"}"#, ""),
    (r#"{"took": "-315576000000.999999999s"}"#, ""),
    (r#"{"took": "1.000000001s"}"#, ""),
    (r#"{"took": "-0.5s"}"#, r#"{"took":"-0.500s"}"#),
    (r#"{"took": "0s"}"#, ""),
    (r#"{"took": "1.000340012s"}"#, ""),
    // Timestamps: bounds, fractions, offsets, leap day
    (r#"{"at": "0001-01-01T00:00:00Z"}"#, ""),
    (r#"{"at": "9999-12-31T23:59:59.999999999Z"}"#, ""),
    (r#"{"at": "1970-01-01T00:00:00.010Z"}"#, ""),
    (r#"{"at": "1969-12-31T23:59:59.010Z"}"#, ""),
    (r#"{"at": "1970-01-01T08:00:00+08:00"}"#, r#"{"at":"1970-01-01T00:00:00Z"}"#),
    (r#"{"at": "1969-12-31T16:00:00-08:00"}"#, r#"{"at":"1970-01-01T00:00:00Z"}"#),
    (r#"{"at": "2024-02-29T00:00:00Z"}"#, ""),
    // FieldMask, empty too
    (r#"{"mask": "foo,barBaz,self.aString"}"#, ""),
    (r#"{"mask": ""}"#, ""),
    // Struct, Value, ListValue
    (r#"{"object": {"null": null, "bool": true, "list": [1.0, "x", {}], "struct": {"a": -0.5}}}"#, ""),
    (r#"{"value": null}"#, ""),
    (r#"{"value": [1.5, [], {"a": false}]}"#, ""),
    (r#"{"value": "x"}"#, ""),
    (r#"{"list": [null, 0.0, ""]}"#, ""),
    (r#"{"empty": {}}"#, ""),
    // Any: of a message, of a type with JSON of its own, nested, with its type last
    (r#"{"any": {"@type": "type.googleapis.com/shop.v1.Book", "title": "T"}}"#, ""),
    (
        r#"{"any": {"title": "T", "@type": "type.googleapis.com/shop.v1.Book"}}"#,
        r#"{"any":{"@type":"type.googleapis.com/shop.v1.Book","title":"T"}}"#,
    ),
    (r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.500s"}}"#, ""),
    (
        r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Any", "value": {"@type": "type.googleapis.com/shop.v1.Book"}}}"#,
        "",
    ),
    (r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Int64Value", "value": "1"}}"#, ""),
    (r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Value", "value": {"a": [1.5]}}}"#, ""),
];

/// What is refused, with a part of what is told.
const REFUSED: &[(&str, &str)] = &[
    // FieldNameDuplicate, DuplicateDifferentCasing, NotQuoted, TrailingComma, BothFieldNames
    (r#"{"aString": "a", "aString": "b"}"#, "twice"),
    (r#"{"aString": "a", "a_string": "b"}"#, "`a_string` is given twice"),
    (r#"{aString: "a"}"#, "line 1"),
    (r#"{"aString": "a",}"#, "line 1"),
    ("{'aString': 'a'}", "line 1"),
    (r#"{"aString": "a"} // comment"#, "line 1"),
    (r#"{"AString": "a"}"#, "`AString` is no field of `shop.v1.Kinds`; did you mean `aString`?"),
    (r#"{"unknown": 1}"#, "`unknown` is no field"),
    // Int32FieldTooLarge, TooSmall, NotInteger, NotNumber, LeadingZero, LeadingSpace, PlusSign
    (r#"{"anInt32": 2147483648}"#, "`anInt32` has to be a whole number of 32 bits."),
    (r#"{"anInt32": -2147483649}"#, "32 bits"),
    (r#"{"anInt32": 0.5}"#, "whole number"),
    (r#"{"anInt32": "abc"}"#, "whole number"),
    (r#"{"anInt32": 01}"#, "line 1"),
    (r#"{"anInt32": " 1"}"#, "whole number"),
    (r#"{"anInt32": "1 "}"#, "whole number"),
    (r#"{"anInt32": "+1"}"#, "whole number"),
    (r#"{"anInt32": ""}"#, "whole number"),
    (r#"{"anInt32": "0x1"}"#, "whole number"),
    (r#"{"anInt32": true}"#, "whole number"),
    (r#"{"aUint32": 4294967296}"#, "32 bits"),
    (r#"{"aUint32": -1}"#, "not negative"),
    (r#"{"anInt64": "9223372036854775808"}"#, "64 bits"),
    (r#"{"anInt64": "-9223372036854775809"}"#, "64 bits"),
    (r#"{"anInt64": "0.5"}"#, "whole number"),
    (r#"{"aUint64": "18446744073709551616"}"#, "64 bits"),
    (r#"{"aUint64": "-1"}"#, "64 bits"),
    // BoolField: as number, as text, in another case
    (r#"{"aBool": 0}"#, "`aBool` has to be true or false."),
    (r#"{"aBool": "true"}"#, "true or false"),
    (r#"{"aBool": True}"#, "line 1"),
    // FloatFieldTooLarge, TooSmall, NanNotQuoted, InfinityNotQuoted, other spellings
    (r#"{"aFloat": 3.502823e38}"#, "32 bits"),
    (r#"{"aFloat": -3.502823e38}"#, "32 bits"),
    (r#"{"aFloat": NaN}"#, "line 1"),
    (r#"{"aDouble": Infinity}"#, "line 1"),
    (r#"{"aDouble": "inf"}"#, "a number"),
    (r#"{"aDouble": "nan"}"#, "a number"),
    (r#"{"aDouble": " 1"}"#, "a number"),
    (r#"{"aDouble": "1.7976931348623157e309"}"#, "a number"),
    (r#"{"aDouble": 1.7976931348623157e309}"#, "line 1"),
    // EnumField: not known, in another case, a fraction
    (r#"{"colour": "COLOUR_BLUE"}"#, "`colour` is no value of `shop.v1.Colour`"),
    (r#"{"colour": "UNKNOWN_ENUM_VALUE"}"#, "one of `COLOUR_UNSPECIFIED`, `COLOUR_RED`, `COLOUR_GREEN`"),
    (r#"{"colour": 1.5}"#, "the name of a value, or its number"),
    (r#"{"colour": 2147483648}"#, "or its number"),
    // StringField: not a string, surrogates that are none
    (r#"{"aString": 12345}"#, "`aString` has to be text."),
    (r#"{"aString": "\uD83D"}"#, "line 1"),
    (r#"{"aString": "\uDE01\uD83D"}"#, "line 1"),
    (r#"{"aString": "\U8C37"}"#, "line 1"),
    // BytesField
    (r#"{"aBytes": "!!!!"}"#, "`aBytes` has to be bytes, in base64."),
    (r#"{"aBytes": 1}"#, "base64"),
    // MessageField: not a message
    (r#"{"self": 1}"#, "`self` has to be an object."),
    (r#"{"self": []}"#, "an object"),
    // OneofFieldDuplicate
    (r#"{"word": "a", "figure": 1}"#, "`figure` excludes `word`"),
    (r#"{"nothing": null, "word": ""}"#, "`word` excludes `nothing`"),
    // Repeated: not a list, null in it, a wrong item
    (r#"{"numbers": "1"}"#, "`numbers` has to be a list."),
    (r#"{"numbers": {}}"#, "a list"),
    (r#"{"numbers": [1, null]}"#, "`numbers[1]` has to be a whole number of 64 bits."),
    (r#"{"kinds": [{}, null]}"#, "`kinds[1]` can't be null."),
    (r#"{"kinds": [{"anInt32": ""}]}"#, "`kinds[0].anInt32`"),
    // Maps: not an object, wrong keys, null values, the same key twice
    (r#"{"byName": []}"#, "`byName` has to be an object."),
    (r#"{"byNumber": {"x": "a"}}"#, "`byNumber.x`"),
    (r#"{"byNumber": {"1": "a", "1.0": "b"}}"#, "given twice"),
    (r#"{"byFlag": {"True": 1}}"#, "true or false"),
    (r#"{"byName": {"a": null}}"#, "`byName.a`"),
    // Durations and timestamps
    (r#"{"took": "1"}"#, "`took` has to be a number of seconds"),
    (r#"{"took": "315576000001.000000000s"}"#, "`took`"),
    (r#"{"took": 1}"#, "number of seconds"),
    (r#"{"at": "0000-01-01T00:00:00Z"}"#, "`at` has to be a time"),
    (r#"{"at": "10000-01-01T00:00:00Z"}"#, "a time"),
    (r#"{"at": "2026-01-31t08:30:00Z"}"#, "a time"),
    (r#"{"at": "2026-01-31T08:30:00z"}"#, "a time"),
    (r#"{"at": "2026-01-31T08:30:00"}"#, "a time"),
    (r#"{"at": "2026-01-31 08:30:00Z"}"#, "a time"),
    (r#"{"at": "2026-02-30T08:30:00Z"}"#, "a time"),
    (r#"{"at": 1}"#, "a time"),
    (r#"{"mask": "foo_bar"}"#, "`mask` has to be names of fields"),
    (r#"{"mask": ["foo"]}"#, "names of fields"),
    // Struct, ListValue, Empty, Any
    (r#"{"object": []}"#, "`object` has to be an object"),
    (r#"{"list": {}}"#, "`list` has to be a list"),
    (r#"{"empty": {"a": 1}}"#, "an empty object"),
    (r#"{"any": {"value": 1}}"#, "`any` has to be an object whose `@type`"),
    (r#"{"any": {"@type": "type.googleapis.com/nobody.Knows"}}"#, "nobody.Knows"),
    (r#"{"any": {"@type": "type.googleapis.com/shop.v1.Book", "titel": 1}}"#, "titel"),
    ("[]", "The message has to be an object."),
    ("null", "The message has to be an object."),
    ("\"x\"", "The message has to be an object."),
];

#[test]
fn what_the_mapping_takes_is_read_and_written_as_it_says() {
    let kinds = kinds();
    for (text, back) in TAKEN {
        let back = if back.is_empty() { text } else { back };
        let read = round(&kinds, text, Reading::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let (read, back): (Value, Value) = (serde_json::from_str(&read).unwrap(), serde_json::from_str(back).unwrap());
        assert_eq!(read, back, "{text}");
    }
}

#[test]
fn what_the_mapping_refuses_is_refused_at_its_place() {
    let kinds = kinds();
    for (text, told) in REFUSED {
        match round(&kinds, text, Reading::default()) {
            Ok(read) => panic!("{text} was read as {read}"),
            Err(error) => assert!(error.contains(told), "{text}: {error}"),
        }
    }
}

/// As deep as JSON is read at all; whoever decodes such a message may refuse it, and none of it ends the process.
#[test]
fn what_lies_deep_is_read_within_the_stack_of_a_thread() {
    let kinds = kinds();
    for (open, close) in [
        (r#"{"self": "#, "}"),
        (r#"{"kinds": [{"self": "#, "}]}"),
        (r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Any", "value": "#, "}}"),
        (r#"{"any": {"value": {}, "@type": "type.googleapis.com/google.protobuf.Any", "value": "#, "}}"),
        (r#"{"any": {"@type": "type.googleapis.com/shop.v1.Kinds", "any": "#, "}}"),
        (r#"{"object": {"a": "#, "}}"),
        (r#"{"value": [[["#, "]]]}"),
    ] {
        let mut read = 0;
        for depth in 0..130 {
            let text = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
            read += usize::from(round(&kinds, &text, Reading::default()).is_ok());
        }
        assert!(read < 130, "{open}");
    }
    let any = |inner: &str| format!(r#"{{"@type": "type.googleapis.com/google.protobuf.Any", "value": {inner}}}"#);
    let book = r#"{"@type": "type.googleapis.com/shop.v1.Book"}"#.to_owned();
    for depth in [10, 40, 60, 90, 120] {
        let text = format!(r#"{{"any": {}}}"#, (0..depth).fold(book.clone(), |inner, _| any(&inner)));
        drop(round(&kinds, &text, Reading::default()));
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "-?[0-9]{1,20}(\\.[0-9]{1,3})?s?".prop_map(Value::from),
        "[A-Za-z0-9+/=_-]{0,12}".prop_map(Value::from),
        "2026-01-[0-9]{2}T0[0-9]:00:00Z".prop_map(Value::from),
        Just(Value::from("COLOUR_RED")),
    ];
    let names = prop_oneof![
        proptest::sample::select(kinds().fields().map(|field| field.json_name().to_owned()).collect::<Vec<_>>()),
        "[a-z0-9]{1,3}",
        Just("true".to_owned()),
        Just("@type".to_owned()),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A message of one field, so that each is tried often.
fn input() -> impl Strategy<Value = Value> {
    let names: Vec<_> = kinds().fields().map(|field| field.json_name().to_owned()).collect();
    (proptest::sample::select(names), json()).prop_map(|(name, value)| serde_json::json!({name: value}))
}

proptest! {
    #[test]
    fn what_is_taken_is_written_so_that_it_reads_back_as_the_same(input in input()) {
        let kinds = kinds();
        for ignore_unknown in [false, true] {
            let Ok(message) = message(&kinds, &input, Reading { ignore_unknown }) else { continue };
            // Through the bytes that go to a service, and those that come from one.
            let through = |message: &DynamicMessage| {
                DynamicMessage::decode(kinds.clone(), message.encode_to_vec().as_slice()).unwrap()
            };
            let sent = through(&message);
            let written = write(&sent, Writing::default()).unwrap();
            let read = super::message(&kinds, &parse(&written).unwrap(), Reading::default());
            let read = read.unwrap_or_else(|unfit| panic!("{}: {unfit}", String::from_utf8_lossy(&written)));
            // The library shows no message whose type lies in itself.
            prop_assert!(through(&read) == sent, "{}", String::from_utf8_lossy(&written));
        }
    }

    #[test]
    fn no_bytes_of_a_service_are_more_than_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(message) = DynamicMessage::decode(kinds(), bytes.as_slice()) {
            drop(write(&message, Writing::default()));
            drop(write(&message, Writing { defaults: true, proto_names: true, enum_numbers: true }));
        }
    }
}

#[test]
fn what_is_not_known_can_be_passed_over() {
    let kinds = kinds();
    let how = Reading { ignore_unknown: true };
    for (text, back) in [
        (r#"{"unknown": {"a": [1]}, "anInt32": 1}"#, r#"{"anInt32":1}"#),
        (r#"{"self": {"unknown": 1}}"#, r#"{"self":{}}"#),
        (r#"{"colour": "COLOUR_BLUE"}"#, "{}"),
        (r#"{"colours": ["COLOUR_BLUE", "COLOUR_RED"]}"#, r#"{"colours":["COLOUR_RED"]}"#),
        (r#"{"byFlag": {"true": "COLOUR_BLUE", "false": 1}}"#, r#"{"byFlag":{"false":"COLOUR_RED"}}"#),
        (
            r#"{"any": {"@type": "type.googleapis.com/shop.v1.Book", "unknown": 1}}"#,
            r#"{"any":{"@type":"type.googleapis.com/shop.v1.Book"}}"#,
        ),
    ] {
        assert_eq!(round(&kinds, text, how).unwrap(), back, "{text}");
    }
    assert!(round(&kinds, r#"{"anInt32": "x"}"#, how).is_err());
}
