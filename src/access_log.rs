//! Writes the access log: workers hand lines over and never wait; one thread makes their text and writes it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use callgate_core::{AccessLine, AccessSink, plan::AccessLog};
use tracing::error;

use crate::log::flush;

/// Lines that may wait to be written.
const WAITING: usize = 8192;

/// How often it is looked whether the file is still the one of that name.
const LOOK: Duration = Duration::from_secs(1);

/// An access log that is written. When the last sink is dropped, its thread ends.
#[derive(Debug)]
pub(crate) struct AccessWriter {
    orders: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

enum Order {
    Line(Box<AccessLine>),
    /// Tells when all lines before it are written.
    Flush(SyncSender<()>),
}

/// The file can't be written.
#[derive(Debug, thiserror::Error)]
#[error("the access log {} can't be written: {reason}", path.display())]
pub(crate) struct Unwritable {
    path: PathBuf,
    reason: io::Error,
}

impl AccessWriter {
    /// Opens the log and starts its thread.
    ///
    /// # Errors
    /// A file that can't be opened, or no thread.
    pub(crate) fn start(log: AccessLog) -> Result<Self, Unwritable> {
        let path = log.file.clone().unwrap_or_else(|| "on standard output".into());
        let unwritable = |reason| Unwritable { path: path.clone(), reason };
        let output = match &log.file {
            None => Output::Stdout(BufWriter::new(io::stdout())),
            Some(path) => Output::File(Opened::open(path).map_err(unwritable)?),
        };
        let (orders, taken) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let work = move || write(&log, output, &taken, &counter);
        thread::Builder::new().name("access-log".to_owned()).spawn(work).map_err(unwritable)?;
        Ok(Self { orders, lost })
    }

    /// Waits until all lines so far are written, two seconds at most: nobody may read what they go to. It blocks: for the
    /// end of the process.
    pub(crate) fn flush(&self) {
        flush(&self.orders, Order::Flush);
    }
}

impl AccessSink for AccessWriter {
    fn take(&self, line: AccessLine) {
        if self.orders.try_send(Order::Line(Box::new(line))).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

fn write(log: &AccessLog, mut output: Output, orders: &Receiver<Order>, lost: &AtomicU64) {
    let mut failing = false;
    while let Ok(first) = orders.recv() {
        let mut waiting = Vec::new();
        let mut wrote = Ok(());
        for order in [first].into_iter().chain(orders.try_iter()).take(WAITING) {
            match order {
                Order::Line(line) => {
                    let Some(mut text) = log.line(&line) else { continue };
                    text.push('\n');
                    let done = output.write(&text);
                    if done.is_err() {
                        lost.fetch_add(1, Relaxed);
                    }
                    wrote = wrote.and(done);
                }
                Order::Flush(done) => waiting.push(done),
            }
        }
        let wrote = wrote.and_then(|()| output.flush());
        for done in waiting {
            // Who waited may have given up.
            done.send(()).ok();
        }
        match (wrote, failing) {
            (Err(error), false) => {
                error!(%error, "The access log can't be written; lines are lost.");
                failing = true;
            }
            (result, _) => failing = result.is_err(),
        }
    }
}

enum Output {
    Stdout(BufWriter<io::Stdout>),
    File(Opened),
}

impl Output {
    fn write(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.write_all(text.as_bytes()),
            Self::File(file) => file.current()?.write_all(text.as_bytes()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.writer.flush(),
        }
    }
}

/// A file that is opened anew once another, or none, has its name: whoever rotates logs need only rename it.
struct Opened {
    path: PathBuf,
    writer: BufWriter<File>,
    looked: Instant,
}

impl Opened {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), writer: BufWriter::new(file), looked: Instant::now() })
    }

    fn current(&mut self) -> io::Result<&mut BufWriter<File>> {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if !self.has_its_name() {
                self.writer.flush()?;
                *self = Self::open(&self.path)?;
            }
        }
        Ok(&mut self.writer)
    }

    fn has_its_name(&self) -> bool {
        let same = || {
            let (named, open) = (fs::metadata(&self.path)?, self.writer.get_ref().metadata()?);
            io::Result::Ok((named.dev(), named.ino()) == (open.dev(), open.ino()))
        };
        same().unwrap_or(false)
    }
}
