//! Lines of the log on their way to standard error: a thread of its own writes them, and who logs never waits.
//!
//! Standard error may be a pipe that nobody reads, a disk that is full, or closed. None of it may hold up a request.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tracing_subscriber::fmt::MakeWriter;

use super::flush;

/// Lines that may wait to be written.
const WAITING: usize = 8192;
/// Bytes that may wait to be written.
const BYTES: usize = 8 << 20;

/// Where lines go. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    orders: SyncSender<Order>,
    waiting: AtomicUsize,
    lost: AtomicU64,
}

#[derive(Debug)]
enum Order {
    Line(Vec<u8>),
    /// Tells when all lines before it are written.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Writes to an output from now on.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn to(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (orders, taken) = sync_channel(WAITING);
        let lines = Self(Arc::new(Shared { orders, waiting: AtomicUsize::new(0), lost: AtomicU64::new(0) }));
        let shared = Arc::downgrade(&lines.0);
        let lose = move |bytes: usize, lost: u64| {
            if let Some(shared) = shared.upgrade() {
                shared.waiting.fetch_sub(bytes, Relaxed);
                shared.lost.fetch_add(lost, Relaxed);
            }
        };
        thread::Builder::new().name("log".to_owned()).spawn(move || write(output, &taken, lose))?;
        Ok(lines)
    }

    /// How many lines could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Relaxed)
    }

    /// Waits until all lines so far are written, two seconds at most. It blocks: for the end of the process.
    pub(super) fn flush(&self) {
        flush(&self.0.orders, Order::Flush);
    }

    fn take(&self, line: &[u8]) {
        let shared = &self.0;
        if shared.waiting.fetch_add(line.len(), Relaxed) + line.len() <= BYTES
            && shared.orders.try_send(Order::Line(line.to_vec())).is_ok()
        {
            return;
        }
        shared.waiting.fetch_sub(line.len(), Relaxed);
        shared.lost.fetch_add(1, Relaxed);
    }
}

/// Writes what comes. What can't be written is lost, and counted.
fn write(mut output: impl Write, orders: &Receiver<Order>, done: impl Fn(usize, u64)) {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Line(line) => {
                let wrote = output.write_all(&line).and_then(|()| output.flush());
                done(line.len(), u64::from(wrote.is_err()));
            }
            // Who waited may have given up.
            Order::Flush(done) => drop(done.send(())),
        }
    }
}

/// One line; the subscriber writes it in one go.
#[derive(Debug)]
pub(super) struct Line<'a>(&'a Lines);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.take(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// An output that can be filled, broken and mended.
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<(Vec<u8>, bool)>>);

    impl Output {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()).unwrap()
        }

        fn breaks(&self, broken: bool) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = broken;
        }
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if held.1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            held.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(lines: &Lines, text: &str) {
        lines.make_writer().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let output = Output::default();
        let lines = Lines::to(output.clone()).unwrap();
        (0..100).for_each(|number| log(&lines, &format!("{number}\n")));
        lines.flush();
        assert_eq!(output.text(), (0..100).map(|number| format!("{number}\n")).collect::<String>());
        assert_eq!(lines.lost(), 0);
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_lost_and_counted_and_the_next_line_is_tried() {
        let output = Output::default();
        let lines = Lines::to(output.clone()).unwrap();
        output.breaks(true);
        log(&lines, "lost\n");
        lines.flush();
        output.breaks(false);
        log(&lines, "written\n");
        lines.flush();
        assert_eq!((output.text().as_str(), lines.lost()), ("written\n", 1));
    }

    #[test]
    fn nobody_waits_for_an_output_that_takes_nothing() {
        let output = Output::default();
        let held = output.clone();
        let held = held.0.lock().unwrap();
        let (lines, long) = (Lines::to(output.clone()).unwrap(), Lines::to(output.clone()).unwrap());
        let megabyte = "x".repeat(1 << 20);
        (0..100).for_each(|_| log(&long, &megabyte));
        assert!(long.lost() >= 90, "what waits is bounded in bytes: {}", long.lost());
        (0..2 * WAITING).for_each(|_| log(&lines, "\n"));
        // One more than waits is with the thread that writes.
        assert!(lines.lost() >= WAITING as u64 - 1, "and in lines: {}", lines.lost());
        drop(held);
        long.flush();
        lines.flush();
        assert!(output.text().len() <= BYTES + WAITING + 1);
    }
}
