//! The document that a gateway publishes of itself, read by those who wrote no line of it.

use std::{fs, path::Path};

use callgate_testkit::peers::{GrpcService, Python, Wire, present};
use serde_json::Value;

use crate::{gate::SOON, gateway::serve};

/// What `openapi-spec-validator` says against a document; `None` where it has nothing to say.
fn refused(python: &Python, document: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    fs::write(&file, document).unwrap();
    let mut command = python.program_command("openapi-spec-validator").unwrap();
    let told = command.args(["--errors", "all"]).arg(&file).output().unwrap();
    let text = [told.stdout, told.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (!told.status.success()).then_some(text)
}

#[tokio::test]
async fn a_document_of_routes_to_soap_grpc_and_openapi_is_one_of_openapi() {
    let Some(python) = present(Python::find()) else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let contract = folder.path().join("pets.yaml");
    fs::write(
        &contract,
        "{openapi: 3.0.3, info: {title: pets, version: '1'}, paths: {'/pets/{id}': {get: {operationId: pet, parameters: \
         [{name: id, in: path, required: true, schema: {type: integer, nullable: true}}], responses: {'200': {description: \
         A pet., content: {application/json: {schema: {type: object, properties: {age: {type: integer, minimum: 0, \
         exclusiveMinimum: true}}}}}}}}}}}",
    )
    .unwrap();
    let yaml = format!(
        "
upstreams:
  soap: {{soap: {{wsdl: '{}', url: 'http://127.0.0.1:1'}}}}
  grpc: {{grpc: {{descriptors: '{}', url: 'http://127.0.0.1:1'}}}}
  pets: {{rest: {{openapi: '{}', url: 'http://127.0.0.1:1'}}}}
routes:
  - {{match: POST /hello, to: soap/say_hello}}
  - {{match: POST /kinds, to: soap/kinds}}
  - {{match: POST /shape, to: soap/shape}}
  - {{match: 'GET /totals/{{sku}}', to: {{upstream: soap, function: total, input: {{item: {{sku: '{{{{ params.sku }}}}', qty: 1}}}}}}}}
  - {{match: POST /greet, to: grpc/shop.v1.Shop/Greet}}
  - {{match: POST /echo, to: grpc/shop.v1.Shop/Echo}}
  - {{match: 'GET /count/{{to}}', to: grpc/shop.v1.Shop/Count}}
  - {{match: 'GET /pets/{{id}}', to: pets/pet}}
  - {{match: '/pass/{{*rest}}', to: pets}}
  - {{match: GET /openapi.json, openapi: {{title: All, version: '1'}}}}
",
        root.join(WSDL).display(),
        GrpcService::source().display(),
        contract.display()
    );
    let (_server, address) = serve(&yaml, &callgate::registry()).await;
    let mut wire = Wire::connect(address).await.unwrap();
    wire.send("GET /openapi.json HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let answer = wire.read_to_end(SOON).await.text();
    let (_, document) = answer.split_once("\r\n\r\n").unwrap();
    let published: Value = serde_json::from_str(document).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let paths = published["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 10, "{:?}", paths.keys());
    for path in ["/kinds", "/echo"] {
        let schema = &paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{path} says what it takes: {schema}");
    }
    assert_eq!(refused(&python, document), None, "{document}");
    let broken = document.replacen("\"description\"", "\"descripton\"", 1);
    assert!(broken != document && refused(&python, &broken).is_some(), "it refuses nothing");
}

const WSDL: &str = "upstreams/wsdl/tests/corpus/spyne/shop11.wsdl";
