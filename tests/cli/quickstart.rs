//! docs/quickstart.md, followed: its files are written and its commands run in their order, and what comes is what it says.

use std::{
    path::Path,
    process::{Child, Command},
    time::Instant,
};

use callgate_testkit::peers::free_port;

use super::serving::PATIENCE;

/// A block of the page: what stands behind the fence, and its text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut parts = page.split("```");
    let mut blocks = Vec::new();
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        blocks.extend(block.split_once('\n'));
    }
    blocks
}

/// Programs that a page leaves running, which end with the test.
#[derive(Default)]
struct Background(Vec<Child>);

impl Drop for Background {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A command as the page has it, by a shell that finds `callgate`.
fn shell(folder: &Path, command: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_callgate")).parent().expect("a folder");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("PATH='{}':$PATH; {command}", binary.display())]).current_dir(folder);
    shell.env_remove("CALLGATE_LOG");
    shell
}

/// Runs a command until it says what the page says: a gateway needs a moment to start, or to take over a file.
fn expect(folder: &Path, command: &str, expected: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let output = shell(folder, command).output().expect("a shell");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).expect("text");
        if said.trim_end() == expected.trim_end() {
            return;
        }
        assert!(Instant::now() < end, "$ {command}\n{said}\n--- and not\n{expected}");
        std::thread::yield_now();
    }
}

#[test]
fn the_quickstart_is_what_really_comes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/quickstart.md");
    let mut page = std::fs::read_to_string(page).expect("the page");
    let mut health = String::new();
    for port in ["8080", "9901", "9000"] {
        let free = free_port().expect("a port").to_string();
        page = page.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{free}"));
        page = page.replace(&format!("\"127.0.0.1\", {port}"), &format!("\"127.0.0.1\", {free}"));
        if port == "9901" {
            health = format!("callgate health 127.0.0.1:{free}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (mut running, mut commands, mut files) = (Background::default(), 0, 0);
    for (info, text) in blocks(&page) {
        match info.split_once(' ') {
            Some(("python" | "yaml", name)) => {
                std::fs::write(folder.path().join(name), text).expect("written");
                files += 1;
            }
            None if info == "console" => {
                for part in format!("\n{text}").split("\n$ ").skip(1) {
                    let (command, expected) = part.split_once('\n').unwrap_or((part, ""));
                    let command = if command == "callgate health" { &health } else { command };
                    match command.strip_suffix(" &") {
                        Some(program) => {
                            let child = shell(folder.path(), &format!("exec {program}")).spawn();
                            running.0.push(child.expect("it starts"));
                        }
                        None => expect(folder.path(), command, expected),
                    }
                    commands += 1;
                }
            }
            _ => {}
        }
    }
    assert!(commands > 12 && files > 4, "{commands} commands and {files} files were found");
}
