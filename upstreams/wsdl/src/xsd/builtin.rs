//! The types that XML Schema brings along (part 2, third section).

/// A built-in simple type, as far as its values differ from others in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    /// Text of any kind, and what is no more than text here: dates, names, URIs.
    Text(&'static str),
    Boolean,
    /// An integer between two bounds, where it has some.
    Integer(&'static str, Option<i128>, Option<i128>),
    Decimal,
    /// `float` and `double`, which know `INF` and `NaN`.
    Float(&'static str),
    Base64,
    Hex,
    Date,
    Time,
    DateTime,
}

impl Builtin {
    /// The type of a local name in the namespace of XML Schema; `None` for none, and for the lists among them.
    pub(crate) fn named(local: &str) -> Option<Self> {
        const BYTE: i128 = 1 << 7;
        const SHORT: i128 = 1 << 15;
        const INT: i128 = 1 << 31;
        const LONG: i128 = 1 << 63;
        Some(match local {
            "boolean" => Self::Boolean,
            "decimal" => Self::Decimal,
            "float" => Self::Float("float"),
            "double" => Self::Float("double"),
            "integer" => Self::Integer("integer", None, None),
            "nonPositiveInteger" => Self::Integer("nonPositiveInteger", None, Some(0)),
            "negativeInteger" => Self::Integer("negativeInteger", None, Some(-1)),
            "nonNegativeInteger" => Self::Integer("nonNegativeInteger", Some(0), None),
            "positiveInteger" => Self::Integer("positiveInteger", Some(1), None),
            "long" => Self::Integer("long", Some(-LONG), Some(LONG - 1)),
            "int" => Self::Integer("int", Some(-INT), Some(INT - 1)),
            "short" => Self::Integer("short", Some(-SHORT), Some(SHORT - 1)),
            "byte" => Self::Integer("byte", Some(-BYTE), Some(BYTE - 1)),
            "unsignedLong" => Self::Integer("unsignedLong", Some(0), Some(2 * LONG - 1)),
            "unsignedInt" => Self::Integer("unsignedInt", Some(0), Some(2 * INT - 1)),
            "unsignedShort" => Self::Integer("unsignedShort", Some(0), Some(2 * SHORT - 1)),
            "unsignedByte" => Self::Integer("unsignedByte", Some(0), Some(2 * BYTE - 1)),
            "base64Binary" => Self::Base64,
            "hexBinary" => Self::Hex,
            "date" => Self::Date,
            "time" => Self::Time,
            "dateTime" => Self::DateTime,
            "string" => Self::Text("string"),
            "normalizedString" => Self::Text("normalizedString"),
            "token" => Self::Text("token"),
            "language" => Self::Text("language"),
            "Name" => Self::Text("Name"),
            "NCName" => Self::Text("NCName"),
            "NMTOKEN" => Self::Text("NMTOKEN"),
            "ID" => Self::Text("ID"),
            "IDREF" => Self::Text("IDREF"),
            "ENTITY" => Self::Text("ENTITY"),
            "anyURI" => Self::Text("anyURI"),
            "QName" => Self::Text("QName"),
            "NOTATION" => Self::Text("NOTATION"),
            "duration" => Self::Text("duration"),
            "gYear" => Self::Text("gYear"),
            "gYearMonth" => Self::Text("gYearMonth"),
            "gMonth" => Self::Text("gMonth"),
            "gMonthDay" => Self::Text("gMonthDay"),
            "gDay" => Self::Text("gDay"),
            "anySimpleType" | "anyAtomicType" => Self::Text("anySimpleType"),
            _ => return None,
        })
    }

    /// What the members of a built-in list are.
    pub(crate) fn list_of(local: &str) -> Option<Self> {
        match local {
            "NMTOKENS" => Some(Self::Text("NMTOKEN")),
            "IDREFS" => Some(Self::Text("IDREF")),
            "ENTITIES" => Some(Self::Text("ENTITY")),
            _ => None,
        }
    }

    /// The type's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Integer(name, ..) | Self::Float(name) => name,
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Base64 => "base64Binary",
            Self::Hex => "hexBinary",
            Self::Date => "date",
            Self::Time => "time",
            Self::DateTime => "dateTime",
        }
    }

    /// Whether white space around a value, and all but single spaces in it, belong to it.
    pub(crate) fn keeps_space(self) -> bool {
        matches!(self, Self::Text("string" | "normalizedString" | "anySimpleType"))
    }
}
