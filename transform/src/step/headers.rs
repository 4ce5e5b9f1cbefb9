//! Edits of headers.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING, UPGRADE},
};

use super::config::Edits;
use crate::{
    confined::Confined,
    engine::Reads,
    error::{Side, TransformError},
    flaw::{Flaw, Flaws},
    glob::Glob,
    one_or_many::OneOrMany,
    position::{Located, Position},
    scope::Scope,
    template::{Escaping, Template},
    text::Text,
    tree::Named,
};

/// Headers of one connection (RFC 9110 7.6.1), which mean nothing on the next one.
const OF_THE_CONNECTION: [HeaderName; 5] =
    [CONNECTION, TE, UPGRADE, HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// Compiled edits of headers.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderPlan {
    set: Vec<(HeaderName, Vec<HeaderTemplate>)>,
    append: Vec<(HeaderName, Vec<HeaderTemplate>)>,
    remove: Vec<Removal>,
}

#[derive(Clone, Debug)]
enum HeaderTemplate {
    Constant(HeaderValue),
    Template(Template),
    /// The host that an upstream is asked for.
    Host(Confined),
}

#[derive(Clone, Debug)]
enum Removal {
    Name(HeaderName),
    Glob(Glob),
}

/// The rendered values of a plan: all of `set`, then all of `append`, in the plan's order.
#[derive(Debug, Default)]
pub(super) struct RenderedHeaders(Vec<HeaderValue>);

impl HeaderPlan {
    pub(super) fn compile(edits: &Edits, side: Side) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Flaws::default();
        let plan = Self {
            set: flaws.meanwhile(|flaw| flaw.within("set"), |flaws| values(&edits.set, side, flaws)),
            append: flaws.meanwhile(|flaw| flaw.within("append"), |flaws| values(&edits.append, side, flaws)),
            remove: flaws.meanwhile(|flaw| flaw.within("remove"), |flaws| removals(&edits.remove, flaws)),
        };
        flaws.finish(plan)
    }

    pub(super) fn reads(&self) -> Reads {
        let values = self.set.iter().chain(&self.append).flat_map(|(_, values)| values);
        values.fold(Reads::NOTHING, |reads, value| match value {
            HeaderTemplate::Constant(_) => reads,
            HeaderTemplate::Template(template) => reads.and(template.reads()),
            HeaderTemplate::Host(host) => reads.and(host.reads()),
        })
    }

    pub(super) fn render(&self, scope: &Scope) -> Result<RenderedHeaders, TransformError> {
        let mut rendered = Vec::with_capacity(self.set.len() + self.append.len());
        let mut space = String::with_capacity(64);
        for (name, values) in self.set.iter().chain(&self.append) {
            for value in values {
                rendered.push(value.render(name, scope, &mut space)?);
            }
        }
        Ok(RenderedHeaders(rendered))
    }

    /// Whether the step says itself what the content type is.
    pub(super) fn sets_content_type(&self) -> bool {
        self.set.iter().any(|(name, _)| name == CONTENT_TYPE)
    }

    pub(super) fn apply(&self, rendered: RenderedHeaders, headers: &mut HeaderMap) {
        let mut rendered = rendered.0.into_iter();
        for (name, values) in &self.set {
            let mut values = rendered.by_ref().take(values.len());
            match values.next() {
                Some(first) => drop(headers.insert(name, first)),
                None => drop(headers.remove(name)),
            }
            for value in values {
                headers.append(name, value);
            }
        }
        for (name, values) in &self.append {
            for value in rendered.by_ref().take(values.len()) {
                headers.append(name, value);
            }
        }
        for removal in &self.remove {
            removal.apply(headers);
        }
    }
}

fn values(
    edits: &Named<OneOrMany<Located<Text>>>,
    side: Side,
    flaws: &mut Flaws,
) -> Vec<(HeaderName, Vec<HeaderTemplate>)> {
    let mut compiled = Vec::new();
    for (name, texts) in &edits.0 {
        let header = editable(&name.value, name.at).map_err(|flaw| flaw.within(&name.value));
        let Some(header) = flaws.keep(header) else { continue };
        let values = super::each(name, texts, flaws, |text| HeaderTemplate::compile(&header, text, side));
        compiled.push((header, values));
    }
    compiled
}

fn removals(names: &OneOrMany<Located<String>>, flaws: &mut Flaws) -> Vec<Removal> {
    let several = names.iter().len() > 1;
    let removal = |(index, name)| {
        let placed = |flaw: Flaw| if several { flaw.within_item(index) } else { flaw };
        flaws.keep(Removal::compile(name).map_err(placed))
    };
    names.iter().enumerate().filter_map(removal).collect()
}

/// A header's name that a step may write: framing and connections belong to the gateway.
fn editable(name: &str, at: Position) -> Result<HeaderName, Flaw> {
    let header = HeaderName::try_from(name).map_err(|_| {
        let flaw = Flaw::new(at, format!("`{name}` cannot be a header's name"));
        flaw.with_hint("a name is letters, digits and dashes")
    })?;
    let refused = |hint| Err(Flaw::new(at, format!("`{name}` cannot be set")).with_hint(hint));
    if header == CONTENT_LENGTH || header == TRANSFER_ENCODING {
        return refused("leave it out: the gateway frames the body itself");
    }
    if OF_THE_CONNECTION.contains(&header) {
        return refused("leave it out: it is about one connection, and the gateway sets it itself, for upgrades too");
    }
    Ok(header)
}

impl HeaderTemplate {
    fn compile(name: &HeaderName, text: &Located<Text>, side: Side) -> Result<Self, Flaw> {
        let template = Template::compile(text, side, Escaping::None);
        let template = template.map_err(|flaw| flaw.of(&format!("header `{name}`")))?;
        match template.as_constant() {
            Some(constant) => match HeaderValue::from_bytes(constant.trim_matches([' ', '\t']).as_bytes()) {
                Ok(value) => Ok(Self::Constant(value)),
                Err(_) => Err(Flaw::new(text.at, format!("header `{name}`: a value cannot have control characters"))),
            },
            None if *name == HOST && side == Side::Request && !is_clients_host(text.value.as_str()) => {
                Confined::host(text).map(Self::Host).map_err(|flaw| flaw.of("header `host`"))
            }
            None => Ok(Self::Template(template)),
        }
    }

    /// The value for a message; `text` is memory for it.
    fn render(&self, name: &HeaderName, scope: &Scope, text: &mut String) -> Result<HeaderValue, TransformError> {
        let failed = |error: TransformError| error.of(&format!("header `{name}`"));
        text.clear();
        let at = match self {
            Self::Constant(value) => return Ok(value.clone()),
            Self::Template(template) => {
                template.render_into(scope, text).map_err(failed)?;
                template.at()
            }
            Self::Host(host) => {
                text.push_str(&host.render_cow(scope).map_err(failed)?);
                host.at()
            }
        };
        HeaderValue::from_bytes(text.trim_matches([' ', '\t']).as_bytes()).map_err(|_| {
            let message = "the rendered value has characters that no header can hold";
            failed(TransformError::new(scope.side(), at, message))
        })
    }
}

/// Whether a template of `host` passes on the host that the client asked for, as it is: the gateway has checked it, and
/// chosen the route by it.
fn is_clients_host(template: &str) -> bool {
    let code = crate::engine::is_lone_expression(template).unwrap_or("");
    ["headers.x_forwarded_host", "headers['x-forwarded-host']", "headers[\"x-forwarded-host\"]"].contains(&code)
}

impl Removal {
    fn compile(name: &Located<String>) -> Result<Self, Flaw> {
        let glob = Glob::new(&name.value.to_ascii_lowercase());
        let literal = name.value.replace(['*', '?'], "x");
        let Ok(_) = HeaderName::try_from(literal) else {
            let flaw = Flaw::new(name.at, format!("`{}` matches no header's name", name.value));
            return Err(flaw.with_hint("name a header, or a glob such as `x-internal-*`"));
        };
        Ok(match glob.as_literal().and_then(|name| HeaderName::try_from(name).ok()) {
            Some(name) => Self::Name(name),
            None => Self::Glob(glob),
        })
    }

    fn apply(&self, headers: &mut HeaderMap) {
        match self {
            Self::Name(name) => drop(headers.remove(name)),
            Self::Glob(glob) => {
                let picked: Vec<_> = headers.keys().filter(|name| glob.matches(name.as_str())).cloned().collect();
                for name in picked {
                    headers.remove(name);
                }
            }
        }
    }
}
