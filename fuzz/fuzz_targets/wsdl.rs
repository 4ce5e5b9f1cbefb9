//! Any text as a WSDL: it loads or is refused, and what loads can be described, with an example whose envelope can be read.

#![no_main]

use callgate_soap::fuzzing::Loaded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    if let Ok(loaded) = Loaded::new(input) {
        loaded.describe().expect("its own envelopes");
    }
});
