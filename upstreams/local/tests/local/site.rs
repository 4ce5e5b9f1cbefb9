//! A gateway before functions whose files are in a folder of their own.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use callgate_core::{
    Body, Connection, Gateway, Registry, Snapshot,
    document::{Document, References},
    plan::Plan,
};
use callgate_local::Local;
use callgate_testkit::peers::until;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;

/// Long enough for a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Files;

impl References for Files {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }
}

pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    connection: Arc<Connection>,
    folder: TempDir,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Site {
    /// `functions` are lines of YAML, `name: {...}`; each is reached by `/name`.
    pub(crate) async fn start(functions: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        Self::with("timeout: 60s", functions, files).await
    }

    /// Like [`Self::start`], with these `defaults` of the document.
    pub(crate) async fn with(defaults: &str, functions: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let mut document = "upstreams:\n  at:\n    local: {}\n    functions:\n".to_owned();
        for (name, options) in functions {
            document += &format!("      {name}: {{{options}}}\n");
        }
        document += &format!("defaults: {{{defaults}}}\nroutes:\n");
        for (name, _) in functions {
            document += &format!("  - {{match: '/{name}/{{*rest}}', to: at/{name}}}\n");
        }
        let file = folder.path().join("callgate.yaml");
        fs::write(&file, document).unwrap();
        Self { folder, ..Self::load(&file).await }
    }

    /// A gateway of a document that is there already.
    pub(crate) async fn load(file: &Path) -> Self {
        let plan = Plan::load(file, &Files, &Registry::new().with::<Local>()).unwrap();
        let snapshot = Snapshot::load(plan, &Handle::current()).await.unwrap();
        let connection = Connection::new("test".into(), "192.0.2.1:1".parse().ok(), false, Arc::from([]));
        Self { gateway: Gateway::new(snapshot), connection: Arc::new(connection), folder: tempfile::tempdir().unwrap() }
    }

    /// Why a document with a function of these options is not loaded.
    pub(crate) async fn refused(options: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("callgate.yaml");
        let upstreams = format!("upstreams: {{at: {{local: {{}}, functions: {{f: {{{options}}}}}}}}}\n");
        fs::write(&file, upstreams + "routes: [{match: GET /, to: at/f}]\n").unwrap();
        let plan = match Plan::load(&file, &Files, &Registry::new().with::<Local>()) {
            Ok(plan) => plan,
            Err(report) => return report.to_string(),
        };
        match Snapshot::load(plan, &Handle::current()).await {
            Ok(_) => panic!("{options} is loaded"),
            Err(error) => error.to_string(),
        }
    }

    /// Sends a request whose body breaks off.
    pub(crate) async fn post_broken(&self, path: &str) -> Answer {
        let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(io::Error::from(io::ErrorKind::UnexpectedEof))];
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        let request = Request::post(path).header("host", "local.test").body(body).unwrap();
        Self::read_answer(self.gateway.handle(request, &self.connection).await).await
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn open(&self, path: &str) -> Response<Body> {
        self.gateway
            .handle(Request::get(path).header("host", "local.test").body(Body::empty()).unwrap(), &self.connection)
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Self::read_answer(self.open(path).await).await
    }

    async fn read_answer(response: Response<Body>) -> Answer {
        let (parts, body) = response.into_parts();
        let code = parts.headers.get("callgate-error").map(|code| code.to_str().unwrap().to_owned());
        let body = body.collect(u64::MAX).await.unwrap();
        Answer { status: parts.status.as_u16(), code, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// The answer to a path is this failure of the gateway, and the next call is served.
    pub(crate) async fn fails(&self, path: &str, status: u16, code: &str) {
        let answer = self.get(path).await;
        assert_eq!((answer.status, answer.code.as_deref()), (status, Some(code)), "{answer:?}");
    }

    /// Waits until a file exists, and reads it.
    pub(crate) async fn read(&self, name: &str) -> String {
        let path = self.path(name);
        assert!(until(PATIENCE, async || path.exists()).await, "no {name}");
        fs::read_to_string(path).unwrap()
    }
}

/// Reads a document, without connecting anything.
pub(crate) fn plan(document: &str) -> Result<Plan, String> {
    let document = Document::parse("callgate.yaml", document, &Files).map_err(|report| report.to_string())?;
    Plan::read(&document, &Registry::new().with::<Local>()).map_err(|report| report.to_string())
}

/// Whether the process runs; a zombie does not.
pub(crate) fn alive(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub(crate) async fn gone(process: &str) -> bool {
    until(PATIENCE, async || !alive(process)).await
}
