//! Any bytes as the answer of a SOAP service, described or not: JSON comes out, or a refusal. The first byte picks the status
//! and the content type.

#![no_main]

mod description;

use std::sync::LazyLock;

use callgate_wsdl::{Contract, Refused, Reply};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use libfuzzer_sys::fuzz_target;

static DESCRIBED: LazyLock<[Contract; 2]> = LazyLock::new(|| {
    [
        include_str!("../../upstreams/wsdl/tests/corpus/spyne/shop11.wsdl"),
        include_str!("../../upstreams/wsdl/tests/corpus/styles/asmx.wsdl"),
    ]
    .map(|wsdl| description::load(wsdl).expect("a WSDL"))
});

fn check(reply: Result<Reply, Refused>) {
    let json = match reply {
        Ok(Reply::Message(json)) => json,
        Ok(Reply::Fault(fault)) => fault.to_json().to_string(),
        Ok(Reply::Taken) | Err(Refused::Xml(_) | Refused::Unfit(_)) => return,
        // What is wrong is told in bounded length.
        Err(other) => return assert!(other.to_string().len() < 1000, "{other}"),
    };
    serde_json::from_str::<serde_json::Value>(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let status = [200, 500, 202, 503][usize::from(choice % 4)];
    let status = StatusCode::from_u16(status).expect("a status");
    let kind = ["text/xml", "application/soap+xml; charset=utf-8", "text/xml; charset=iso-8859-1", "multipart/related"];
    let kind = HeaderValue::from_static(kind[usize::from(choice / 4 % 4)]);
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
    check(callgate_wsdl::read(status, &headers, body));
    for contract in &*DESCRIBED {
        for (_, operation) in contract.operations() {
            check(operation.read(status, &headers, body));
        }
    }
});
