//! Any bytes as a body of gRPC or gRPC-Web: messages come out in bounded memory, the same ones however the body is cut into
//! pieces. The first byte picks the compression, the second one how it is cut.
//!
//! The files are taken as they are, without the rest of their crate.

#![no_main]
#![allow(dead_code)]

#[path = "../../upstreams/grpc/src/frame.rs"]
mod frame;
#[path = "../../upstreams/grpc/src/call/text.rs"]
mod text;

use bytes::Bytes;
use frame::{Decoder, Encoding, Malformed};
use libfuzzer_sys::fuzz_target;

/// The most bytes of a message.
const LIMIT: u64 = 1000;

fn messages(encoding: &Encoding, body: &[u8], piece: usize) -> (Vec<Bytes>, Result<(), Malformed>) {
    let (mut decoder, mut found) = (Decoder::new(encoding.clone(), LIMIT), Vec::new());
    for piece in body.chunks(piece) {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(malformed) => return (found, Err(malformed)),
            }
        }
    }
    let end = decoder.end();
    (found, end)
}

fn decoded(body: &[u8], piece: usize) -> Result<Vec<u8>, String> {
    let (mut groups, mut out) = (text::Groups::default(), Vec::new());
    for piece in body.chunks(piece) {
        groups.push(piece, &mut out).map_err(|error| error.to_string())?;
    }
    groups.end().map_err(|error| error.to_string())?;
    Ok(out)
}

fuzz_target!(|input: &[u8]| {
    let [encoding, cut, body @ ..] = input else { return };
    let encoding =
        [Encoding::Gzip, Encoding::Identity, Encoding::Other("br".to_owned())][usize::from(encoding % 3)].clone();
    let whole = messages(&encoding, body, usize::MAX);
    assert!(whole.0.iter().all(|message| message.len() as u64 <= LIMIT));
    assert_eq!(messages(&encoding, body, usize::from(cut % 16) + 1), whole);

    let whole = decoded(body, usize::MAX);
    let cut = decoded(body, usize::from(cut % 16) + 1);
    assert_eq!(cut.ok(), whole.ok());
});
