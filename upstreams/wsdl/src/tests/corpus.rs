//! Descriptions of different stacks: each loads, each operation that can be called is bound, and an example of its input
//! comes out of the envelope as it went in.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde_json::Value;

use super::{corpus, read, read_text, round_trip};
use crate::{describe::example, wsdl::Contract};

fn wsdls(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            wsdls(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "wsdl") {
            found.push(path);
        }
    }
}

/// Every description, by its name in the corpus.
static CONTRACTS: LazyLock<BTreeMap<String, Contract>> = LazyLock::new(|| {
    let root = corpus("");
    let mut files = Vec::new();
    wsdls(Path::new(&root), &mut files);
    let contract = |file: PathBuf| {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let contract = read(&file.to_string_lossy()).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        (name, contract)
    };
    files.into_iter().map(contract).collect()
});

#[test]
fn every_operation_takes_its_example_and_gives_it_back() {
    let mut counts = BTreeMap::new();
    for (name, contract) in &*CONTRACTS {
        for (operation, found) in contract.operations() {
            let example = example(&found.schema, &found.bound.input);
            let back =
                round_trip(&found, &example).unwrap_or_else(|reason| panic!("{name} {operation}: {reason}\n{example}"));
            assert_eq!(back, example, "{name} {operation}");
            assert!(contract.operation(&operation, None).is_ok(), "{operation} can be bound");
            *counts.entry(name.clone()).or_insert(0) += 1;
        }
    }
    let expected = [
        ("afip/ws_sr_padron_a13.wsdl", 3),
        ("afip/wsaa.wsdl", 1),
        ("afip/wsfe.wsdl", 20),
        ("bingads/bulk_service.wsdl", 6),
        ("bingads/customerbilling_service.wsdl", 12),
        ("fedex/AddressValidationService_v4.wsdl", 1),
        ("fedex/CountryService_v8.wsdl", 1),
        ("fedex/TrackService_v16.wsdl", 3),
        ("fedex/UploadDocumentService_v11.wsdl", 2),
        ("nfelib/mdfeconsulta.wsdl", 1),
        ("nfelib/nfeautorizacao4.wsdl", 2),
        ("nfelib/nfedistribuicaodfe.wsdl", 1),
        ("onvif/events.wsdl", 19),
        ("onvif/ptz.wsdl", 27),
        ("onvif/receiver.wsdl", 8),
        ("spyne/shop11.wsdl", 11),
        ("spyne/shop12.wsdl", 11),
        ("strong-soap/stockquote.wsdl", 1),
        ("strong-soap/weather.wsdl", 3),
        ("styles/asmx.wsdl", 2),
        ("styles/axis.wsdl", 2),
        ("styles/wcf.wsdl", 2),
        ("zeep/hello_world_recursive.wsdl", 6),
        ("zeep/hello_world_recursive_import.wsdl", 6),
        ("zeep/soap.wsdl", 2),
        ("zeep/soap_import_main.wsdl", 1),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected.map(|(name, count)| (name.to_owned(), count)));
}

#[test]
fn what_cannot_be_called_says_why_and_where() {
    let contracts = &*CONTRACTS;
    for (name, operation, says) in [
        ("styles/axis.wsdl", "list", "line 61: body is encoded (rpc/encoded), which is not supported"),
        ("styles/axis.wsdl", "listLiteral", "line 13: Array belongs to rpc/encoded messages"),
        ("styles/axis.wsdl", "upload", "has attachments (MIME parts), which are not supported"),
        ("zeep/claim.wsdl", "GetClaimDetails", "body is encoded (rpc/encoded)"),
        ("zeep/soap_header.wsdl", "GetLastTradePrice", "has a type and no element"),
    ] {
        let invalid = contracts[name].operation(operation, None).unwrap_err();
        assert!(invalid.message.contains(says), "{name} {operation}: {invalid}");
    }
}

#[test]
fn a_name_that_would_break_a_message_is_told() {
    let axis = std::fs::read_to_string(corpus("styles/axis.wsdl")).unwrap();
    let told = |from: &str, to: &str, operation: &str| {
        assert!(axis.contains(from), "{from}");
        read_text(&axis.replace(from, to)).operation(operation, None).unwrap_err().message
    };
    let part = told("<wsdl:part name=\"level\"", "<wsdl:part", "setLevel");
    assert!(part.contains("part has no name that an element can have"), "{part}");
    let operation = told("\"setLevel\"", "\"a&gt;b\"", "a>b");
    assert!(operation.contains("operation has no name that an element can have"), "{operation}");
    let element = told("name=\"sku\"", "name=\"s k\"", "setLevel");
    assert!(element.contains("an element has a name that is none of XML"), "{element}");
}

#[test]
fn an_operation_is_found_by_its_shortest_name_and_by_its_whole() {
    let contracts = &*CONTRACTS;
    let books = &contracts["styles/asmx.wsdl"];
    let version = |name: &str, port: Option<&str>| books.find(name, port).map(|listed| listed.version.to_string());
    assert_eq!(version("Find", None).unwrap(), "1.1");
    assert_eq!(version("Find", Some("BooksSoap12")).unwrap(), "1.2");
    assert_eq!(version("BooksSoap12.Find", None).unwrap(), "1.2");
    assert_eq!(version("Books.BooksSoap12.Find", None).unwrap(), "1.2");
    let invalid = version("Fnd", None).unwrap_err();
    assert_eq!(invalid.hint.as_deref(), Some("did you mean `Find`?"));
    let invalid = version("Find", Some("Nowhere")).unwrap_err();
    assert_eq!(invalid.hint.as_deref(), Some("it is at `BooksSoap`, `BooksSoap12`"));
    assert_eq!(books.names().map(|(name, _)| name).collect::<Vec<_>>(), ["Find", "Data"]);
}

#[test]
fn every_description_can_be_described() {
    for (name, contract) in &*CONTRACTS {
        for (operation, found) in contract.operations() {
            let description = found.describe();
            assert!(description.sent.is_some() && description.input().is_object(), "{name} {operation}");
            assert_ne!(found.stub(), Value::Null, "{name} {operation}");
        }
    }
}
