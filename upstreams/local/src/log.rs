//! What processes write, line by line.

use std::collections::VecDeque;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The bytes of a line that are kept.
const LINE_LIMIT: usize = 8 * 1024;
/// The lines that the error of a process which ends tells.
const LAST: usize = 8;

/// Reads lines of bounded length. Waiting for one may be given up at any time; nothing is lost.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: Option<BufReader<R>>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(from: Option<R>) -> Self {
        Self { from: from.map(BufReader::new), line: Vec::new() }
    }

    /// Whether all lines have been read.
    pub(crate) fn is_over(&self) -> bool {
        self.from.is_none()
    }

    /// The next line, without its end; waits for ever after the last one.
    pub(crate) async fn next(&mut self) -> String {
        match self.next_or_end().await {
            Some(line) => line,
            None => std::future::pending().await,
        }
    }

    /// The next line, or `None` at the end.
    pub(crate) async fn next_or_end(&mut self) -> Option<String> {
        loop {
            let from = self.from.as_mut()?;
            let bytes = from.fill_buf().await.unwrap_or_default();
            let at_end = bytes.is_empty();
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let taken = newline.map_or(bytes.len(), |at| at + 1);
            let room = LINE_LIMIT.saturating_sub(self.line.len());
            let text = newline.unwrap_or(bytes.len());
            self.line.extend_from_slice(&bytes[..text.min(room)]);
            from.consume(taken);
            if at_end {
                self.from = None;
            }
            if newline.is_some() || (at_end && !self.line.is_empty()) {
                let line = std::mem::take(&mut self.line);
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
    }
}

/// The last lines that a process wrote to its standard error.
#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<String>);

impl Tail {
    pub(crate) fn push(&mut self, line: String) {
        if self.0.len() == LAST {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    /// ` (it wrote: ... | ...)`, or nothing.
    pub(crate) fn told(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let lines: Vec<_> = self.0.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        format!("; the last that it wrote: {}", lines.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_divided_and_bounded() {
        let long = "x".repeat(LINE_LIMIT + 100);
        let text = format!("one\r\n\n{long}\nlast");
        let mut lines = Lines::new(Some(text.as_bytes()));
        assert_eq!(lines.next_or_end().await.unwrap(), "one");
        assert_eq!(lines.next_or_end().await.unwrap(), "");
        assert_eq!(lines.next_or_end().await.unwrap().len(), LINE_LIMIT);
        assert_eq!(lines.next_or_end().await.unwrap(), "last");
        assert_eq!(lines.next_or_end().await, None);
    }

    #[test]
    fn a_tail_keeps_the_last_lines() {
        let mut tail = Tail::default();
        assert_eq!(tail.told(), "");
        (0..10).for_each(|number| tail.push(number.to_string()));
        assert_eq!(tail.told(), "; the last that it wrote: 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9");
    }
}
