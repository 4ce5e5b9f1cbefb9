//! A function, bound: its templates compiled, everything that doesn't change from call to call ready.

use callgate_core::{Invalid, UpstreamError};
use callgate_message::{Accepted, Draft, Form, Message, Whole};

use crate::{
    shape::BINDING,
    stream::StreamName,
    target::{Mode, Target},
};

/// A stream with all that is done with it.
#[derive(Debug)]
pub struct Function {
    stream: StreamName,
    form: Form,
    mode: Mode,
    create: bool,
    max_length: Option<u64>,
}

/// A call, ready to be made.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) append: Append,
    /// What the client is answered once the message is there.
    pub(crate) accepted: Accepted,
    pub(crate) wants_reply: bool,
}

/// What is appended where.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) stream: String,
    pub(crate) create: bool,
    pub(crate) max_length: Option<u64>,
    pub(crate) message: Message,
}

impl Function {
    /// Compiles a target.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn compile(target: &Target) -> Result<Self, Vec<Invalid>> {
        match (StreamName::compile(&target.stream, &target.allow), target.options().compile(&BINDING)) {
            (Ok(stream), Ok(form)) => Ok(Self {
                stream,
                form,
                mode: target.mode,
                create: target.create,
                max_length: target.max_length.map(Into::into),
            }),
            (stream, form) => Err(stream.err().into_iter().chain(form.err().unwrap_or_default()).collect()),
        }
    }

    /// What is appended for a request.
    pub(crate) fn call(&self, whole: &Whole) -> Result<Call, UpstreamError> {
        let stream = self.stream.render(whole)?;
        let Draft { message, accepted } = self.form.draft(whole)?;
        let append = Append { stream, create: self.create, max_length: self.max_length, message };
        Ok(Call { append, accepted, wants_reply: self.mode == Mode::Request })
    }

    /// The stream's name, where it does not depend on the request.
    pub(crate) fn fixed_stream(&self) -> Option<&str> {
        self.stream.fixed()
    }
}
