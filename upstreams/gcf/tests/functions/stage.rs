//! A gateway before functions, and raw servers.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use callgate_core::{Body, Registry, document::Document, plan::Plan};
use callgate_gcf::Gcf;
use callgate_testkit::gateway::{Client, Files};
use http::{Request, Response};
use tokio::time::timeout;

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A gateway; its upstream is called `functions`.
pub(crate) struct Stage {
    client: Client,
}

/// Reads a configuration.
fn read(yaml: &str) -> Result<Plan, String> {
    let document = Document::parse("functions.yaml", yaml, &Files).map_err(|report| report.to_string())?;
    Plan::read(&document, &Registry::new().with::<Gcf>()).map_err(|report| report.to_string())
}

/// Reads a configuration of an upstream's options, what stands beside them, and routes.
pub(crate) fn plan(options: &str, routes: &str) -> Result<Plan, String> {
    read(&format!("upstreams:\n  functions: {{gcf: {options}}}\nroutes:\n{routes}\n"))
}

impl Stage {
    /// A gateway with these routes, as YAML flow mappings.
    pub(crate) async fn with(options: &str, routes: &[&str]) -> Self {
        Self::load(options, routes).await.unwrap()
    }

    pub(crate) async fn load(options: &str, routes: &[&str]) -> Result<Self, String> {
        let routes: Vec<_> = routes.iter().map(|route| format!("  - {route}")).collect();
        Self::start(plan(options, &routes.join("\n"))?).await
    }

    /// A gateway with this configuration; nothing listens.
    pub(crate) async fn of(yaml: &str) -> Result<Self, String> {
        Self::start(read(yaml)?).await
    }

    async fn start(plan: Plan) -> Result<Self, String> {
        let client = Client::of(plan).await.map_err(|error| callgate_core::chain(&error))?;
        Ok(Self { client })
    }

    /// A gateway that sends everything to one function.
    pub(crate) async fn one(options: &str) -> Self {
        Self::with(options, &["{match: \"/{*rest}\", to: functions}"]).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        timeout(LONG, self.client.open(request)).await.expect("it takes too long")
    }

    /// Sends a request and reads the reply to its end.
    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.send(request).await.into_parts();
        let body = timeout(LONG, body.collect(1 << 24)).await.unwrap().unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        Answer { status: head.status.as_u16(), headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn ready(&self) -> Result<(), String> {
        let mut ready = timeout(LONG, self.client.gateway.snapshot().ready()).await.unwrap();
        ready.remove("functions").unwrap().map_err(|error| callgate_core::chain(&error))
    }
}

/// A reply, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Status and code of a failure of the gateway's own.
    pub(crate) fn failure(&self) -> (u16, &str) {
        (self.status, self.header("callgate-error").unwrap_or("no failure"))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A server that answers each request with the same bytes, and keeps the heads of the requests.
pub(crate) struct Raw {
    pub(crate) url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    pub(crate) fn answering(reply: impl Into<String>) -> Self {
        let reply = reply.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (reply, heads) = (reply.clone(), Arc::clone(&kept));
                thread::spawn(move || serve(&stream.unwrap(), &reply, &heads));
            }
        });
        Self { url, heads }
    }

    /// A reply with this status, these header lines and this body.
    pub(crate) fn replying(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::answering(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"))
    }

    /// The head of the last request.
    pub(crate) fn head(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub(crate) fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

fn serve(stream: &TcpStream, reply: &str, heads: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        heads.lock().unwrap().push(head);
        let mut writer = stream;
        // The gateway may have left already, where a test is about that.
        let _sent = writer.write_all(reply.as_bytes());
        if !reply.contains("content-length: ") || reply.ends_with("cut") {
            let _closed = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

/// An address that refuses connections.
pub(crate) fn refusing() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}
