//! JSON Schema of messages.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use crate::{
    encode::{TEXT, TYPE},
    wsdl::Message,
    xsd::{Builtin, Complex, Content, Element, Form, Schema, Simple, Slot, Type, TypeId},
};

/// Objects of types without a name after which one more is told as any object: such a type stands wherever it is used, so
/// that a few that hold each other twice would double with every level.
const MOST: usize = 10_000;

/// Writes schemas; those of named types go to the definitions.
pub(super) struct Writer<'s> {
    schema: &'s Schema,
    pub(super) definitions: BTreeMap<String, Value>,
    names: HashMap<TypeId, String>,
    /// Types without a name that are being written: one in itself is told as any object.
    open: Vec<TypeId>,
    /// Objects that were written of types without a name.
    anonymous: usize,
}

impl<'s> Writer<'s> {
    pub(super) fn new(schema: &'s Schema) -> Self {
        Self { schema, definitions: BTreeMap::new(), names: HashMap::new(), open: Vec::new(), anonymous: 0 }
    }

    /// The schema of a message's value.
    pub(super) fn message(&mut self, message: &Message) -> Value {
        match message.parts.as_slice() {
            [] => json!({"type": "object", "properties": {}, "additionalProperties": false}),
            [one] => self.element(one),
            several => {
                let properties: Map<_, _> =
                    several.iter().map(|part| (part.name.local.to_string(), self.element(part))).collect();
                let required: Vec<_> = several.iter().map(|part| &*part.name.local).collect();
                json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
            }
        }
    }

    fn element(&mut self, element: &Element) -> Value {
        let mut value = self.kind(element.kind);
        if let Some(fixed) = element.fixed.as_ref().filter(|_| value["type"] == "string") {
            value["const"] = (**fixed).into();
        }
        if element.nillable {
            value = json!({"anyOf": [value, {"type": "null"}]});
        }
        if let (Some(note), Value::Object(fields)) = (&element.note, &mut value) {
            fields.entry("description").or_insert_with(|| (**note).into());
        }
        value
    }

    fn kind(&mut self, id: TypeId) -> Value {
        let schema = self.schema;
        let complex = match schema.get(id) {
            Some(Type::Simple(simple)) => return self.simple(simple),
            Some(Type::Complex(complex)) => complex,
            Some(Type::Any | Type::Broken(_)) | None => return json!({}),
        };
        let derived = schema.derived_of(id);
        if derived.is_empty() {
            return self.complex(id, complex);
        }
        let mut any = Vec::new();
        if !complex.is_abstract {
            any.push(self.complex(id, complex));
        }
        for (_, id) in derived {
            if let Some(Type::Complex(complex)) = schema.get(*id) {
                any.push(self.complex(*id, complex));
            }
        }
        json!({"anyOf": any})
    }

    /// A complex type: a reference to its definition, if it has a name.
    fn complex(&mut self, id: TypeId, complex: &Complex) -> Value {
        let Some(name) = &complex.name else {
            if self.anonymous == MOST || self.open.contains(&id) {
                return json!({"type": "object"});
            }
            self.anonymous += 1;
            self.open.push(id);
            let object = self.object(complex);
            self.open.pop();
            return object;
        };
        if let Some(name) = self.names.get(&id) {
            return reference(name);
        }
        let mut key = name.local.to_string();
        while self.definitions.contains_key(&key) {
            key.push('_');
        }
        self.names.insert(id, key.clone());
        self.definitions.insert(key.clone(), Value::Null);
        let object = self.object(complex);
        let reference = reference(&key);
        self.definitions.insert(key, object);
        reference
    }

    fn object(&mut self, complex: &Complex) -> Value {
        let (mut properties, mut required, mut open) = (Map::new(), Vec::new(), complex.any_attribute);
        if let Some(name) = &complex.name {
            let derives = self.schema.derived.values().flatten().any(|(derived, _)| derived == name);
            if derives {
                properties.insert(TYPE.to_owned(), json!({"const": &*name.local}));
            }
        }
        for attribute in &complex.attributes {
            let schema = self.kind(attribute.kind);
            properties.insert(attribute.key.to_string(), schema);
            if attribute.required && attribute.fixed.is_none() {
                required.push(attribute.key.to_string());
            }
        }
        match &complex.content {
            Content::Empty => {}
            Content::Simple(id) => {
                let schema = self.kind(*id);
                properties.insert(TEXT.to_owned(), schema);
            }
            Content::Elements(group) => {
                open |= group.any;
                if complex.mixed {
                    properties.insert(TEXT.to_owned(), json!({"type": "string"}));
                }
                for (at, slot) in group.slots.iter().enumerate() {
                    properties.insert(slot.key.to_string(), self.slot(slot));
                    let at = u16::try_from(at).unwrap_or(u16::MAX);
                    if group.root.least(at) > 0 && slot.element.fixed.is_none() {
                        required.push(slot.key.to_string());
                    }
                }
            }
        }
        let mut object = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            object["required"] = required.into();
        }
        if !open {
            object["additionalProperties"] = false.into();
        }
        object
    }

    fn slot(&mut self, slot: &Slot) -> Value {
        let item = self.element(&slot.element);
        if slot.many { json!({"type": "array", "items": item}) } else { item }
    }

    fn simple(&mut self, simple: &Simple) -> Value {
        let facets = &simple.facets;
        let mut value = match &simple.form {
            Form::List(item) => {
                let items = self.kind(*item);
                json!({"type": "array", "items": items})
            }
            Form::Union(members) => {
                let any: Vec<_> = members.iter().map(|member| self.kind(*member)).collect();
                if any.is_empty() { json!({}) } else { json!({"anyOf": any}) }
            }
            Form::Atomic(builtin) => atomic(*builtin),
        };
        let is_list = matches!(simple.form, Form::List(_));
        let is_text = value["type"] == "string";
        for (length, of_list, of_text) in
            [(facets.min_length, "minItems", "minLength"), (facets.max_length, "maxItems", "maxLength")]
        {
            match length {
                Some(length) if is_list => value[of_list] = length.into(),
                Some(length) if is_text && value.get("contentEncoding").is_none() => value[of_text] = length.into(),
                _ => {}
            }
        }
        for (bound, inclusive, exclusive) in
            [(&facets.min, "minimum", "exclusiveMinimum"), (&facets.max, "maximum", "exclusiveMaximum")]
        {
            if let Some(bound) = bound.as_ref().filter(|_| matches!(simple.form, Form::Atomic(_))) {
                let number = serde_json::from_str(&bound.written).unwrap_or_else(|_| bound.value.into());
                value[if bound.exclusive { exclusive } else { inclusive }] = number;
            }
        }
        if !facets.enumeration.is_empty() && is_text {
            value["enum"] = facets.enumeration.iter().map(|value| Value::from(&**value)).collect();
        }
        value
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{}", name.replace('~', "~0").replace('/', "~1"))})
}

fn atomic(builtin: Builtin) -> Value {
    match builtin {
        Builtin::Boolean => json!({"type": "boolean"}),
        Builtin::Integer(_, least, most) => {
            let mut value = json!({"type": "integer"});
            let number = |bound: Option<i128>| Some(Value::from(i64::try_from(bound?).ok()?));
            if let Some(least) = number(least) {
                value["minimum"] = least;
            }
            if let Some(most) = number(most) {
                value["maximum"] = most;
            }
            value
        }
        Builtin::Decimal => json!({"type": "number"}),
        Builtin::Float(_) => json!({"anyOf": [{"type": "number"}, {"enum": ["INF", "-INF", "NaN"]}]}),
        Builtin::Base64 => json!({"type": "string", "contentEncoding": "base64"}),
        Builtin::Hex => json!({"type": "string", "pattern": "^([0-9A-Fa-f]{2})*$"}),
        Builtin::Date => json!({"type": "string", "format": "date"}),
        Builtin::Time => json!({"type": "string", "format": "time"}),
        Builtin::DateTime => json!({"type": "string", "format": "date-time"}),
        Builtin::Text("anyURI") => json!({"type": "string", "format": "uri-reference"}),
        Builtin::Text("anySimpleType") => json!({"type": ["string", "number", "boolean"]}),
        Builtin::Text(_) => json!({"type": "string"}),
    }
}
