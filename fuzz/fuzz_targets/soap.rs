//! Any bytes as the answer of a SOAP service, described or not: JSON comes out, or a refusal. The first byte picks the status
//! and the content type.

#![no_main]

use std::sync::LazyLock;

use callgate_soap::fuzzing::{Loaded, read_free};
use libfuzzer_sys::fuzz_target;

static DESCRIBED: LazyLock<[Loaded; 2]> = LazyLock::new(|| {
    [
        include_str!("../../upstreams/soap/tests/corpus/spyne/shop11.wsdl"),
        include_str!("../../upstreams/soap/tests/corpus/styles/asmx.wsdl"),
    ]
    .map(|wsdl| Loaded::new(wsdl).expect("a WSDL"))
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let status = [200, 500, 202, 503][usize::from(choice % 4)];
    let kind = ["text/xml", "application/soap+xml; charset=utf-8", "text/xml; charset=iso-8859-1", "multipart/related"];
    let kind = kind[usize::from(choice / 4 % 4)];
    read_free(status, kind, body).expect("JSON");
    for loaded in &*DESCRIBED {
        loaded.read(status, kind, body).expect("JSON");
    }
});
