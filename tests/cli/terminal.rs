//! Completions, and what only a person at a terminal sees.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use super::{callgate, configured, on, ran};

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let printed = ran(&mut callgate(&["completions", shell]));
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        for command in ["explain", "discover", "health"] {
            assert!(printed.out.contains(command), "{shell} does not complete {command}");
        }
    }
    let help = ran(&mut callgate(&["completions", "--help"]));
    assert!(help.out.contains("~/.local/share/bash-completion/completions/callgate"), "{}", help.out);
}

#[test]
fn bash_completes_by_the_script() {
    let script = ran(&mut callgate(&["completions", "bash"])).out;
    let ask = "COMP_WORDS=(callgate expl); COMP_CWORD=1; _callgate callgate expl callgate; echo \"${COMPREPLY[@]}\"";
    let told = Command::new("bash").args(["-c", &format!("{script}\n{ask}")]).output().expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "explain", "{}", String::from_utf8_lossy(&told.stderr));
}

/// An upstream that takes connections and says nothing, and a configuration that wants its functions.
fn silent() -> (std::net::TcpListener, tempfile::TempDir) {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("an address"));
    let folder = configured(&format!(
        "upstreams: {{faas: {{openfaas: {{url: '{url}'}}}}}}\nroutes: [{{match: /a, to: faas/a}}]\n"
    ));
    (socket, folder)
}

#[test]
fn a_command_that_waits_says_so_on_a_terminal() {
    let (_socket, folder) = silent();
    let command = format!("{} discover callgate.yaml faas", env!("CARGO_BIN_EXE_callgate"));
    // It makes a terminal for the command and passes on what is written there.
    let mut typescript = Command::new("script")
        .args(["-qefc", &command, "/dev/null"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script of util-linux runs");
    let mut screen = typescript.stdout.take().expect("its screen");
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&seen).contains("asking faas for its functions (0s)") {
        assert_eq!(screen.read(&mut byte).expect("read"), 1, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    typescript.kill().ok();
    typescript.wait().expect("it ends");
}

#[test]
fn a_command_that_waits_says_nothing_where_there_is_no_terminal() {
    let (socket, folder) = silent();
    let answering = std::thread::spawn(move || {
        let (mut connection, _) = socket.accept().expect("a connection");
        // Longer than a person would wait without a word.
        connection.set_read_timeout(Some(std::time::Duration::from_millis(800))).expect("a time-out");
        while connection.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        drop(socket);
    });
    let discovered = on(folder.path(), &["discover"], &["faas"]);
    answering.join().expect("it ends");
    assert_eq!(discovered.code, Some(1), "{}", discovered.out);
    assert!(discovered.err.starts_with("error: "), "{}", discovered.err);
}
