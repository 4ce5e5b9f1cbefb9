//! `access_log`: one line per request.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use callgate_transform::{Flaw as TemplateFlaw, Located, RecordExpression, RecordTemplate, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{keep, root, steps::placed};
use crate::{
    document::{Flaw, Node, Span},
    observe::AccessLine,
};

/// What a line says without a template.
const TEMPLATE: &str = "{{ time }} {{ client }} \"{{ method }} {{ path }} {{ protocol }}\" {{ status }} {{ bytes }} \
                        {{ duration_ms }}ms {{ route }} {{ request_id }}";

/// One line per request, once its reply has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessLogSettings {
    /// `json` has all values of a request; `text` is what the template makes of them. Default: `text` with a template,
    /// `json` without.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<AccessFormat>,
    /// The line, as a text with Jinja tags: `{{ client }} {{ method }} {{ path }} {{ status }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Located<Text>>,
    /// `stdout`, or the path of a file, which is opened anew once it was renamed or removed. Default: `stdout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Which requests have a line, as an expression: `status >= 500 or duration_ms > 1000`. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<Located<Text>>,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum AccessFormat {
    Json,
    Text,
}

/// An access log.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// The file, or `None` for standard output.
    pub file: Option<PathBuf>,
    template: Option<RecordTemplate>,
    when: Option<RecordExpression>,
}

impl AccessLog {
    pub(super) fn read(
        settings: &AccessLogSettings,
        document: &Node,
        directory: &Path,
        flaws: &mut Vec<Flaw>,
    ) -> Option<Self> {
        let path = root().key("access_log");
        let names = &AccessLine::NAMES;
        let mut compiled = |field: &str, found: Result<_, TemplateFlaw>| {
            keep(found.map_err(|flaw| placed(vec![flaw], &path.key(field))), flaws)
        };
        let template = match (&settings.template, settings.format) {
            (Some(text), Some(AccessFormat::Json)) => {
                let flaw = TemplateFlaw::new(text.at, "a template makes lines of the format `text`, not `json`");
                compiled("template", Err(flaw.with_hint("leave out one of `format` and `template`")))
            }
            (Some(text), _) => compiled("template", RecordTemplate::written(text, names)),
            (None, Some(AccessFormat::Text)) => {
                let text = Located::nowhere(Text::from(TEMPLATE.to_owned()));
                compiled("template", RecordTemplate::written(&text, names))
            }
            (None, _) => None,
        };
        let when = settings.when.as_ref().map(|text| {
            let compiled = RecordExpression::written(text, names);
            keep(compiled.map_err(|flaw| placed(vec![flaw], &path.key("when"))), flaws)
        });
        let file = settings.to.as_deref().filter(|to| *to != "stdout").map(|to| directory.join(to));
        if let Some(message) = file.as_deref().and_then(unwritable) {
            let at = document.get("access_log").and_then(|log| log.get("to")).map_or(Span::default(), |to| to.at);
            let flaw = Flaw::error(at, &path.key("to"), message);
            flaws.push(flaw.with_hint("name a file: it is made where it is missing, its folder is not"));
        }
        Some(Self { file, template, when: when.flatten() })
    }

    /// The line of a request, without its end; `None` for a request that has none.
    ///
    /// An expression or template that can't be evaluated makes a line that says so, rather than none.
    pub fn line(&self, line: &AccessLine) -> Option<String> {
        let record = line.record();
        let failed = |error: &dyn std::fmt::Display| Cow::from(format!("(the access log's line failed: {error})"));
        let text = match self.when.as_ref().map(|when| when.holds(&record)) {
            Some(Ok(false)) => return None,
            Some(Err(error)) => failed(&error),
            None | Some(Ok(true)) => match &self.template {
                Some(template) => template.render(&record).map_or_else(|error| failed(&error), Cow::from),
                None => serde_json::to_string(&record).map_or_else(|error| failed(&error), Cow::from),
            },
        };
        // A value with a line break in it makes no line of its own.
        Some(text.replace(['\n', '\r'], " "))
    }
}

/// Why a file can't be begun, as far as that shows before it is opened.
fn unwritable(file: &Path) -> Option<String> {
    if file.is_dir() {
        return Some(format!("{} is a folder", file.display()));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    (!folder.is_dir()).then(|| format!("there is no folder {}", folder.display()))
}
