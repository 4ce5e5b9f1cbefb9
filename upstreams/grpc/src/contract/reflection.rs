//! Descriptions from the service itself, by server reflection.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use callgate_core::{Body, ErrorKind, UpstreamError, excerpt};
use http::{HeaderMap, uri::PathAndQuery};
use prost_reflect::{DescriptorPool, prost::Message};
use protox::file::{ChainFileResolver, FileResolver};

use super::{
    Contract, OWN,
    bundled::behind,
    protocol::{Answer, DescriptorSet, Question, Request, Response},
};
use crate::{
    error::Refused,
    frame,
    reply::{Item, Messages},
    service::Service,
    status::Code,
};

/// The versions, which differ in their names alone; the newer one first.
const VERSIONS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The largest answer, the most bytes and the most files of a description.
const LARGEST: u64 = 16 << 20;
const MOST_BYTES: usize = 64 << 20;
const MOST_FILES: usize = 10_000;

/// How many questions are asked in one call.
const AT_ONCE: usize = 100;

/// Asks a service what it is.
#[derive(Debug, Clone)]
pub(crate) struct Reflection(pub(crate) Service);

/// The files of a description, by name.
#[derive(Debug, Default)]
struct Files {
    found: BTreeMap<String, Bytes>,
    /// Imports that are not there yet.
    missing: BTreeSet<String>,
    bytes: usize,
}

impl Reflection {
    /// The services with all their types.
    ///
    /// # Errors
    /// The service can't be asked. [`ErrorKind::Denied`] says that it has no reflection.
    pub(crate) async fn contract(&self) -> Result<Contract, UpstreamError> {
        for path in VERSIONS {
            let path = PathAndQuery::from_static(path);
            let listed = match self.ask(&path, vec![Question::ListServices(String::new())]).await {
                Ok(listed) => listed,
                Err(Failed::Unimplemented) => continue,
                Err(Failed::Other(error)) => return Err(error),
            };
            return self.describe(&path, listed).await.map_err(Failed::into_error);
        }
        Err(Failed::Unimplemented.into_error())
    }

    async fn describe(&self, path: &PathAndQuery, listed: Vec<Answer>) -> Result<Contract, Failed> {
        let services = listed.into_iter().flat_map(|answer| match answer {
            Answer::Services(services) => services.services,
            Answer::Files(_) | Answer::Error(_) => Vec::new(),
        });
        let names: Vec<_> = services.map(|service| service.name).filter(|name| !name.starts_with(OWN)).collect();
        let mut files = Files::default();
        let mut problems = Vec::new();
        let questions = names.iter().cloned().map(Question::FileContainingSymbol).collect();
        for (name, answer) in names.iter().zip(self.ask(path, questions).await?) {
            if let Err(reason) = files.take(answer) {
                problems.push(format!("the service `{}` is not described: {reason}", excerpt(name)));
            }
        }
        while !files.missing.is_empty() {
            let wanted: Vec<_> = std::mem::take(&mut files.missing).into_iter().collect();
            let questions = wanted.iter().cloned().map(Question::FileByName).collect();
            for (name, answer) in wanted.into_iter().zip(self.ask(path, questions).await?) {
                let taken = files.take(answer);
                if !files.found.contains_key(&name) {
                    // A service may take for granted what comes with protobuf.
                    let bundled = behind(ChainFileResolver::new()).open_file(&name).ok();
                    let bundled = bundled.ok_or_else(|| {
                        let reason = taken.err().unwrap_or_else(|| "another file was answered".to_owned());
                        Failed::wrong(format!("it does not give the file `{}`: {reason}", excerpt(&name)))
                    })?;
                    files.add(bundled.file_descriptor_proto().encode_to_vec().into()).map_err(Failed::wrong)?;
                }
            }
        }
        let mut pool = DescriptorPool::new();
        let set = DescriptorSet { files: files.found.into_values().collect() }.encode_to_vec();
        pool.decode_file_descriptor_set(set.as_slice()).map_err(|error| Failed::wrong(error.to_string()))?;
        let mut contract = Contract::new(&pool);
        contract.problems.append(&mut problems);
        Ok(contract)
    }

    /// Asks questions, each of which has its answer.
    async fn ask(&self, path: &PathAndQuery, questions: Vec<Question>) -> Result<Vec<Answer>, Failed> {
        let mut answers = Vec::with_capacity(questions.len());
        for questions in questions.chunks(AT_ONCE) {
            let mut body = BytesMut::new();
            for question in questions {
                body.extend_from_slice(&frame::encode(&Request { question: Some(question.clone()) }));
            }
            let reply = self.0.call(path.clone(), HeaderMap::new(), Body::from(body.freeze())).await?;
            let (_, mut messages) = Messages::open(reply, LARGEST)?;
            let before = answers.len();
            loop {
                match messages.next().await? {
                    Item::Message(message) => {
                        let answer = Response::decode(message).map_err(Refused::from)?.answer;
                        answers.push(answer.ok_or_else(|| Failed::wrong("it answered nothing".to_owned()))?);
                    }
                    Item::End(status, _) if status.code == Code::OK => break,
                    Item::End(status, _) if status.code == Code::UNIMPLEMENTED => return Err(Failed::Unimplemented),
                    Item::End(status, _) => {
                        let reason = format!("{}: {}", status.code.name(), excerpt(&status.message));
                        return Err(Failed::wrong(reason));
                    }
                }
                if answers.len() - before > questions.len() {
                    return Err(Failed::wrong("it answers more than it was asked".to_owned()));
                }
            }
            if answers.len() - before != questions.len() {
                return Err(Failed::wrong("it does not answer all that it was asked".to_owned()));
            }
        }
        Ok(answers)
    }
}

impl Files {
    fn take(&mut self, answer: Answer) -> Result<(), String> {
        match answer {
            Answer::Files(files) => files.descriptors.into_iter().try_for_each(|file| self.add(file)),
            Answer::Error(error) => Err(format!("{} ({})", excerpt(&error.message), error.code)),
            Answer::Services(_) => Err("services were answered".to_owned()),
        }
    }

    fn add(&mut self, bytes: Bytes) -> Result<(), String> {
        let file = prost_types::FileDescriptorProto::decode(&*bytes).map_err(|error| error.to_string())?;
        let name = file.name().to_owned();
        if self.found.contains_key(&name) {
            return Ok(());
        }
        self.bytes += bytes.len();
        if self.bytes > MOST_BYTES || self.found.len() >= MOST_FILES {
            return Err("the description is too large".to_owned());
        }
        self.missing.remove(&name);
        self.found.insert(name, bytes);
        let wanted = file.dependency.into_iter().filter(|name| !self.found.contains_key(name));
        self.missing.extend(wanted.collect::<Vec<_>>());
        Ok(())
    }
}

/// Why a question has no answer.
enum Failed {
    Unimplemented,
    Other(UpstreamError),
}

impl Failed {
    fn wrong(mut reason: String) -> Self {
        reason.insert_str(0, "server reflection failed: ");
        Self::Other(UpstreamError::new(ErrorKind::BadReply, reason))
    }

    fn into_error(self) -> UpstreamError {
        match self {
            Self::Unimplemented => UpstreamError::new(ErrorKind::Denied, "the service has no server reflection"),
            Self::Other(error) => error,
        }
    }
}

impl From<UpstreamError> for Failed {
    fn from(error: UpstreamError) -> Self {
        Self::Other(error)
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Other(refused.into())
    }
}
