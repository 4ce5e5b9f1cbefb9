//! The body that a step gives a message.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::Value as Json;

use super::{config::BodyForm, form, xml};
use crate::{
    engine::Reads,
    error::{Side, TransformError},
    flaw::Flaw,
    position::Position,
    scope::{self, Scope},
    shape::Shape,
    template::{Escaping, Template},
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const XML: HeaderValue = HeaderValue::from_static("application/xml");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A compiled body form.
#[derive(Clone, Debug)]
pub(super) enum BodyPlan {
    /// A body without templates, written once.
    Constant(Bytes, HeaderValue),
    Json(Shape),
    Merge(Shape, Position),
    Text(Template),
    Form(Shape, Position),
    Xml(Template),
    None,
}

impl BodyPlan {
    pub(super) fn compile(form: &BodyForm, side: Side) -> Result<Self, Vec<Flaw>> {
        let of_form = |name: &'static str| {
            move |flaws: Vec<Flaw>| flaws.into_iter().map(|flaw| named(flaw, name)).collect::<Vec<_>>()
        };
        Ok(match form {
            BodyForm::Json(tree) => {
                let shape = Shape::compile(tree, side).map_err(of_form("json"))?;
                match shape.as_constant() {
                    Some(json) => Self::Constant(json.to_string().into(), JSON),
                    None => Self::Json(shape),
                }
            }
            BodyForm::Merge(tree) => Self::Merge(Shape::compile(tree, side).map_err(of_form("merge"))?, tree.at),
            BodyForm::Text(text) => {
                let template = Template::compile(text, side, Escaping::None);
                let template = template.map_err(|flaw| vec![named(flaw, "text")])?;
                match template.as_constant() {
                    Some(text) => Self::Constant(text.to_owned().into(), TEXT),
                    None => Self::Text(template),
                }
            }
            BodyForm::Form(tree) => {
                let shape = Shape::compile(tree, side).map_err(of_form("form"))?;
                match shape.as_constant().map(form::encode) {
                    Some(Ok(form)) => Self::Constant(form.into(), FORM),
                    Some(Err(complaint)) => return Err(vec![named(Flaw::new(tree.at, complaint), "form")]),
                    None => Self::Form(shape, tree.at),
                }
            }
            BodyForm::Xml(text) => {
                let template = xml::compile(text, side).map_err(|flaw| vec![named(flaw, "xml")])?;
                match template.as_constant() {
                    Some(text) => Self::Constant(text.to_owned().into(), XML),
                    None => Self::Xml(template),
                }
            }
            BodyForm::None => Self::None,
        })
    }

    pub(super) const fn reads(&self) -> Reads {
        match self {
            Self::Json(shape) | Self::Form(shape, _) => shape.reads(),
            Self::Merge(shape, _) => shape.reads().and(Reads::BODY),
            Self::Text(template) | Self::Xml(template) => template.reads(),
            Self::Constant(..) | Self::None => Reads::NOTHING,
        }
    }

    pub(super) fn render(&self, scope: &Scope) -> Result<Bytes, TransformError> {
        let failed = |error: TransformError| error.of("`body`");
        match self {
            Self::Json(shape) => shape.render_bytes(scope).map(Bytes::from).map_err(failed),
            Self::Merge(shape, at) => merge(shape, *at, scope).map_err(failed),
            Self::Text(template) => template.render(scope).map(Bytes::from).map_err(failed),
            Self::Form(shape, at) => {
                let form = form::encode(&shape.render(scope).map_err(failed)?);
                let unfit = |complaint| failed(TransformError::new(scope.side(), *at, complaint));
                form.map(Bytes::from).map_err(unfit)
            }
            Self::Xml(template) => xml::render(template, scope).map(Bytes::from).map_err(failed),
            Self::Constant(bytes, _) => Ok(bytes.clone()),
            Self::None => Ok(Bytes::new()),
        }
    }

    /// The content type that goes with the form.
    pub(super) fn content_type(&self) -> Option<HeaderValue> {
        match self {
            Self::Constant(_, media) => Some(media.clone()),
            Self::Json(_) | Self::Merge(..) => Some(JSON),
            Self::Form(..) => Some(FORM),
            Self::Xml(_) => Some(XML),
            Self::Text(_) => Some(TEXT),
            Self::None => None,
        }
    }
}

/// A flaw of the form of this name.
fn named(flaw: Flaw, form: &str) -> Flaw {
    flaw.of(&format!("`{form}`")).within(form)
}

/// The body, patched (RFC 7396); a message without a body is patched as `{}`.
fn merge(shape: &Shape, at: Position, scope: &Scope) -> Result<Bytes, TransformError> {
    let patch = shape.render(scope)?;
    let failed = |message: String| TransformError::new(scope.side(), at, message);
    let mut target = match scope::json(&scope.context.message) {
        None => Json::Object(serde_json::Map::new()),
        Some(body) => (**body.map_err(|error| failed(error.to_string()))?).clone(),
    };
    patch_into(&mut target, patch);
    serde_json::to_vec(&target).map(Bytes::from).map_err(|error| failed(error.to_string()))
}

fn patch_into(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Json::Object(serde_json::Map::new());
    }
    let Json::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(&key);
        } else {
            patch_into(target.entry(key).or_insert(Json::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn patches_as_rfc_7396_says() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut patched = target;
            patch_into(&mut patched, patch);
            assert_eq!(patched, expected);
        }
    }
}
