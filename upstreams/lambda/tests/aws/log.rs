//! What of an invocation goes to the gateway's own log.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::json;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::set_default,
};

use crate::{
    gateway::Bed,
    wire::{StandIn, message},
};

/// Keeps every event as a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn the_end_of_a_functions_log_is_written_to_ours() {
    let tail = STANDARD.encode("START\nhello from the function\n");
    let completion = json!({"LogResult": tail}).to_string();
    let service = StandIn::start(move |_, request| {
        assert_eq!(request.headers()["x-amz-log-type"], "Tail");
        let response = http::Response::builder().header("x-amzn-requestid", "r-1");
        if request.uri().path().ends_with("/invocations") {
            let body = Bytes::from_static(b"{\"statusCode\":204}");
            return response.header("x-amz-log-result", &tail).body(body).unwrap();
        }
        let stream = [message("PayloadChunk", b"plain"), message("InvokeComplete", completion.as_bytes())].concat();
        response.body(stream.into()).unwrap()
    })
    .await;
    let lambda = json!({
        "region": "eu-west-1",
        "endpoint": service.endpoint,
        "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret"},
    });
    for stream in [false, true] {
        let lines = Lines::default();
        let _log = set_default(lines.clone());
        let route = format!("{{match: /, to: {{upstream: aws, function: f, log_tail: true, stream: {stream}}}}}");
        let bed = Bed::start(&format!("upstreams: {{aws: {{lambda: {lambda}}}}}\nroutes: [{route}]")).await;
        bed.get("/").await;
        let lines = lines.0.lock().unwrap();
        let line = lines.iter().find(|line| line.contains("hello from the function"));
        let line = line.unwrap_or_else(|| panic!("{lines:#?}"));
        assert!(line.contains("function=\"f\"") && line.contains("aws_request_id=\"r-1\""), "{line}");
    }
}
