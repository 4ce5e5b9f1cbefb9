//! Any text as a WSDL: it loads or is refused, and what loads can be described, with an example whose envelope can be read.

#![no_main]

mod description;

use callgate_wsdl::Reply;
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let Ok(contract) = description::load(input) else { return };
    for (_, operation) in contract.operations() {
        drop(operation.stub());
        let Some(envelope) = operation.describe().sent else { continue };
        match callgate_wsdl::read(StatusCode::OK, &HeaderMap::new(), envelope.as_bytes()) {
            Ok(Reply::Message(_) | Reply::Fault(_)) => {}
            other => panic!("{other:?}: {envelope}"),
        }
    }
});
