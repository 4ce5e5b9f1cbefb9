//! What the core does for every kind, seen by a kind that tells.

use std::sync::Arc;

use http::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::{
    Body, Connection, Context, DescribeError, Description, Files, Gateway, Invalid, Invocation, Registry, Response,
    Settings, Snapshot, Target, Upstream, UpstreamError,
    document::{Document, System},
    plan::Plan,
};

/// Answers with the tail of the path; its functions need a key of its settings.
struct Keyed(Option<String>);

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    key: Option<String>,
    file: Option<String>,
    #[serde(skip)]
    text: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Function {
    name: String,
}

impl Settings for Config {}
impl Settings for Function {}

impl Target for Function {
    const NAME: Option<&'static str> = Some("name");
}

impl Upstream for Keyed {
    const KIND: &'static str = "keyed";
    const SUMMARY: &'static str = "a test";
    type Config = Config;
    type Target = Function;
    type Function = ();

    async fn connect(config: Config, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self(config.text))
    }

    fn bind(&self, _: Function) -> Result<(), Invalid> {
        Ok(())
    }

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        let Some(file) = &config.file else { return Vec::new() };
        match std::fs::read_to_string(files.file(file)) {
            Ok(text) => config.text = Some(text),
            Err(error) => return vec![Invalid::new(error.to_string()).at("file")],
        }
        Vec::new()
    }

    async fn describe(&self, (): &()) -> Result<Option<Description>, UpstreamError> {
        Ok(self.0.clone().map(|text| Description { summary: Some(text), ..Description::default() }))
    }

    fn check_target(config: &Config, target: &Function) -> Vec<Invalid> {
        match config.key {
            Some(_) => Vec::new(),
            None => vec![Invalid::new(format!("`{}` has no key", target.name)).at("name").hint("give it one")],
        }
    }

    async fn call(&self, _: &(), invocation: Invocation) -> Result<Response, UpstreamError> {
        Ok(Response::new(invocation.context.tail().unwrap_or("none").to_owned().into()))
    }
}

fn plan(yaml: &str) -> Result<Plan, String> {
    let document = Document::parse("test.yaml", yaml, &System).map_err(|report| report.to_string())?;
    Plan::read(&document, &Registry::new().with::<Keyed>()).map_err(|report| report.to_string())
}

#[test]
fn a_target_is_checked_against_the_settings_of_its_upstream_without_connecting() {
    let routed =
        |config: &str| plan(&format!("upstreams: {{k: {{keyed: {config}}}}}\nroutes: [{{match: /a, to: k/f}}]"));
    let report = routed("{}").unwrap_err();
    assert!(report.contains("routes[0].to") && report.contains("`f` has no key"), "{report}");
    assert!(report.contains("give it one"), "{report}");
    assert!(routed("{key: a}").is_ok());
    let report =
        plan("upstreams: {k: {keyed: {}, functions: {g: {name: f}}}}\nroutes: [{match: /a, to: k/g}]").unwrap_err();
    assert!(report.contains("upstreams.k.functions.g.name"), "{report}");
    assert_eq!(report.matches("has no key").count(), 1, "it is told once: {report}");
}

#[test]
fn a_missing_reference_is_not_taken_for_a_missing_key() {
    let yaml = "upstreams: {k: {keyed: {key: \"${CALLGATE_NO_SUCH_VARIABLE}\"}}}\nroutes: [{match: /a, to: k/f}]";
    let report = plan(yaml).unwrap_err();
    assert!(report.contains("CALLGATE_NO_SUCH_VARIABLE") && !report.contains("has no key"), "{report}");
}

#[tokio::test]
async fn the_tail_is_what_was_matched_whatever_the_steps_do() {
    let yaml = r#"
upstreams: {k: {keyed: {key: a}}}
routes:
  - {match: "/a/{x}/{*rest}", to: k/f}
  - {match: "/b/{*rest}", to: k/f, request: {path: /elsewhere}}
  - {match: /c, to: k/f}
"#;
    let gateway = Gateway::new(Snapshot::load(plan(yaml).unwrap(), &Handle::current()).await.unwrap());
    let connection = Arc::new(Connection::new("test".into(), None, false, Arc::from([])));
    for (target, tail) in [
        ("/a/1/b%2Fc/%20d?q=1", "b%2Fc/%20d"),
        ("/a/1/", ""),
        ("/a/1", ""),
        ("/a/1/x/./y/../z/", "x/z/"),
        ("/b/2%3F", "2%3F"),
        ("/c", "none"),
    ] {
        let request = Request::get(target).header("host", "any.test").body(Body::empty()).unwrap();
        let body = gateway.handle(request, &connection).await.into_body().collect(1024).await.unwrap();
        assert_eq!(body, tail, "{target}");
    }
}

/// A plan whose folder holds a file `text` with these words.
fn in_folder(words: &str, yaml: &str) -> Result<Plan, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), words).unwrap();
    let file = folder.path().join("callgate.yaml");
    std::fs::write(&file, yaml).unwrap();
    Plan::load(&file, &System, &Registry::new().with::<Keyed>()).map_err(|report| report.to_string())
}

#[tokio::test]
async fn a_file_that_the_settings_name_is_read_at_once_and_describes_the_functions() {
    let yaml = "upstreams: {u: {keyed: {key: k, file: text}}}\nroutes: [{match: /a, to: u/a}]\n";
    let background = Handle::current();
    let described = in_folder("takes nothing", yaml).unwrap().describe("u/any", &background).await.unwrap();
    assert_eq!(described.description().summary.as_deref(), Some("takes nothing"));
    assert!(described.to_string().contains("\"function\": \"u/any\""), "{described}");
    let report = in_folder("", &yaml.replace("file: text", "file: none")).unwrap_err();
    assert!(report.contains("upstreams.u.keyed.file") && report.contains("No such file"), "{report}");
}

#[tokio::test]
async fn what_nothing_describes_is_told() {
    let yaml = "upstreams: {u: {keyed: {key: k}}}\nroutes: [{match: /a, to: u/a}]\n";
    let background = Handle::current();
    let asked = async |function| plan(yaml).unwrap().describe(function, &background).await.unwrap_err();
    assert!(matches!(asked("u/a").await, DescribeError::Undescribed { kind: "keyed", .. }));
    assert!(matches!(asked("v/a").await, DescribeError::Unknown { .. }));
    assert!(asked("u").await.to_string().contains("whose functions have names"));
}
