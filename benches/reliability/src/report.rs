//! Figures in a document: a table between two marks, a row for each thing that was measured.

use std::path::Path;

use crate::Problem;

/// A table of a document, between `<!-- measured: NAME -->` and `<!-- end: NAME -->`.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Its head with the line below.
    pub(crate) head: &'static str,
}

impl Table {
    /// Puts a row in the place of the one with the same first cell, or at the end.
    pub(crate) fn write(&self, file: &Path, cells: &[String]) -> Result<(), Problem> {
        let text = std::fs::read_to_string(file)?;
        Ok(std::fs::write(file, self.with(&text, cells)?)?)
    }

    fn with(&self, text: &str, cells: &[String]) -> Result<String, Problem> {
        let (begin, end) = (format!("<!-- measured: {} -->\n", self.name), format!("<!-- end: {} -->", self.name));
        let missing = || format!("the document has no `{}`", begin.trim());
        let (before, rest) = text.split_once(&begin).ok_or_else(missing)?;
        let (table, after) = rest.split_once(&end).ok_or_else(|| format!("the document has no `{end}`"))?;
        let row = format!("| {} |", cells.join(" | "));
        let key = |row: &str| row.split('|').nth(1).map(|cell| cell.trim().to_owned());
        let mut rows: Vec<String> = table.lines().skip(2).filter(|row| !row.is_empty()).map(str::to_owned).collect();
        match rows.iter_mut().find(|known| key(known) == key(&row)) {
            Some(known) => *known = row,
            None => rows.push(row),
        }
        Ok(format!("{before}{begin}{}\n{}\n{end}{after}", self.head, rows.join("\n")))
    }
}

/// What figures depend on beside the code: how the gateway was built, by the name of the folder that it is in, and how many
/// tasks wanted a core of this machine in the last minute.
pub(crate) fn circumstances(binary: &Path) -> [String; 2] {
    let build = binary.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    [build, format!("{} on {cores} cores", load.split(' ').next().unwrap_or_default())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_replaces_its_former() {
        let table = Table { name: "t", head: "| a | b |\n|---|---|" };
        let cells = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let text = table.with("x\n<!-- measured: t -->\n<!-- end: t -->\ny", &cells("one", "1")).unwrap();
        let text = table.with(&text, &cells("two", "2")).unwrap();
        let text = table.with(&text, &cells("one", "3")).unwrap();
        let expected = "x\n<!-- measured: t -->\n| a | b |\n|---|---|\n| one | 3 |\n| two | 2 |\n<!-- end: t -->\ny";
        assert_eq!(text, expected);
        table.with("no marks", &cells("one", "1")).unwrap_err();
    }
}
