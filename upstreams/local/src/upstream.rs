//! The kind `local`.

use std::{
    ffi::OsString,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use callgate_aws_event::{Payload, decode, encode_call, preview, xray};
use callgate_core::{Context, Files, Invalid, Invocation, Response, Upstream, UpstreamError};
use http::HeaderValue;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    config::{LocalConfig, LocalTarget},
    environment, error, files,
    function::LocalFunction,
    job::{Job, Outcome},
    pool::Pool,
    process::Spec,
    program::Program,
};

/// Functions that Callgate itself runs.
#[derive(Debug)]
pub struct Local {
    config: LocalConfig,
    context: Context,
    /// One pool for each function, however many routes lead to it. Locked at load, never by a call.
    pools: Mutex<Vec<(LocalTarget, Arc<Pool>)>>,
}

impl Local {
    fn pool(&self, target: &LocalTarget) -> Result<Arc<Pool>, Invalid> {
        // Shapes don't matter to a process.
        let key = LocalTarget { payload: Payload::default(), reply: None, ..target.clone() };
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(pool));
        }
        let pool = Arc::new(Pool::start(self.spec(target)?, &self.context));
        pools.push((key, Arc::clone(&pool)));
        Ok(pool)
    }

    fn spec(&self, target: &LocalTarget) -> Result<Spec, Invalid> {
        let directory = self.config.folder(Some(target));
        let name = target.display_name();
        let arn = HeaderValue::try_from(environment::arn(name))
            .map_err(|_| Invalid::new("a function's name is visible ASCII text").at("name"))?;
        let variables = environment::variables(target, &self.config.environment, &directory);
        // A program may be gone since the settings were checked.
        if let Some(missing) = missing(target, &directory, &variables) {
            return Err(missing);
        }
        Ok(Spec {
            name: name.to_owned(),
            arn,
            program: Program::of(target),
            variables,
            directory,
            timeout: target.timeout.map(Into::into),
            memory_limit: target.memory_limit.map(|limit| limit.bytes()),
            max: target.processes.max,
            idle_timeout: target.processes.idle_timeout.into(),
            watch: target.watch,
            stream: target.stream,
        })
    }
}

/// What of a function's files is missing.
fn missing(target: &LocalTarget, directory: &Path, variables: &[(OsString, OsString)]) -> Option<Invalid> {
    let elsewhere = variables.iter().any(|(name, _)| name == "PYTHONPATH");
    files::check(target, directory, elsewhere)
}

impl Upstream for Local {
    const KIND: &'static str = "local";
    const SUMMARY: &'static str = "Lambda functions as processes that Callgate itself runs";
    type Config = LocalConfig;
    type Target = LocalTarget;
    type Function = LocalFunction;

    fn read_files(config: &mut LocalConfig, files: &Files) -> Vec<Invalid> {
        config.root = files.directory().to_owned();
        let folder = config.folder(None);
        let missing = || Invalid::new(format!("there is no folder {}", folder.display())).at("directory");
        if folder.is_dir() { Vec::new() } else { vec![missing().hint(files::START)] }
    }

    fn check_target(config: &LocalConfig, target: &LocalTarget) -> Vec<Invalid> {
        let directory = config.folder(Some(target));
        let variables = environment::variables(target, &config.environment, &directory);
        missing(target, &directory, &variables).into_iter().collect()
    }

    async fn connect(mut config: LocalConfig, context: Context) -> Result<Self, UpstreamError> {
        config.root = context.live_file("");
        Ok(Self { config, context, pools: Mutex::default() })
    }

    fn bind(&self, target: LocalTarget) -> Result<LocalFunction, Invalid> {
        Ok(LocalFunction { pool: self.pool(&target)?, shape: target.shape() })
    }

    async fn call(&self, function: &LocalFunction, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let (parts, body) = request.into_parts();
        let body = body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?;
        let (answer, answered) = oneshot::channel();
        function.pool.submit(Job {
            event: encode_call(function.shape.payload, &parts, &body, &context, None),
            id: context.request_id(),
            trace: xray(&parts.headers),
            deadline: context.deadline().map(Instant::from_std),
            stream_deadline: context.stream_deadline().map(Instant::from_std),
            max_body: context.max_body(),
            answer,
        })?;
        match answered.await.unwrap_or_else(|_| Err(error::closed()))? {
            Outcome::Reply(reply) => Ok(decode(function.shape, &reply)?),
            Outcome::Streamed(head, body) => {
                let mut response = Response::new(body);
                *response.status_mut() = head.status;
                *response.headers_mut() = head.headers;
                Ok(response)
            }
        }
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        let specs: Vec<_> = {
            let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            pools.iter().map(|(_, pool)| Arc::clone(&pool.spec)).collect()
        };
        let found = self.context.blocking(move || specs.iter().try_for_each(|spec| spec.find_program().map(drop)));
        found.await.map_err(|_| error::closed())?
    }

    fn preview(_: &LocalConfig, target: &LocalTarget, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        Ok(Some(preview(target.payload, &invocation, None)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use callgate_core::RequestId;
    use http_body_util::BodyExt;
    use serde_json::json;
    use tokio::{runtime::Handle, time::timeout_at};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stream_outlives_the_time_that_its_head_has() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stream.py"), include_str!("../tests/functions/stream.py")).unwrap();
        let context = Context::new("at", folder.path(), Handle::current());
        let local = Local::connect(LocalConfig::default(), context).await.unwrap();
        let target = json!({"name": "s", "command": ["python3", "stream.py"], "stream": true});
        let function = local.bind(serde_json::from_value(target).unwrap()).unwrap();
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + Duration::from_secs(10);
        let job = Job {
            event: json!({"pathParameters": {"rest": "whole"}}).to_string().into(),
            id: RequestId::random(),
            trace: None,
            deadline: Some(deadline),
            stream_deadline: None,
            max_body: 1000,
            answer,
        };
        function.pool.submit(job).unwrap();
        let Outcome::Streamed(_, mut body) = answered.await.unwrap().unwrap() else { panic!("it streams") };
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        // The function waits for the file, and the time of the head passes.
        timeout_at(deadline + Duration::from_millis(500), body.frame()).await.unwrap_err();
        std::fs::write(folder.path().join("go"), "").unwrap();
        assert_eq!(body.collect(100).await.unwrap(), " second");
    }
}
