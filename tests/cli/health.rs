//! `callgate health`, against a gateway that runs.

use super::{
    callgate, configured, ran,
    serving::{PATIENCE, Running},
};

#[test]
fn health_is_what_the_admin_says() {
    let folder = configured(
        "listeners: {public: {address: '127.0.0.1:0'}}\nadmin: {address: '127.0.0.1:0', token: hush}\nshutdown: {lame_duck: 60s}\nroutes: [{match: /a, respond: {status: 204}}]\n",
    );
    let mut running = Running::start(folder.path(), &[]);
    let admin = running.address("The admin listens.").to_string();
    let asked = |more: &[&str]| ran(&mut callgate(&[&["health", &*admin], more].concat()));
    assert_eq!((asked(&[]).code, asked(&[]).out.as_str()), (Some(0), "ready\n"));
    assert_eq!((asked(&["--live"]).code, asked(&["--live"]).out.as_str()), (Some(0), "live\n"));
    let told: serde_json::Value = serde_json::from_str(&asked(&["--output", "json"]).out).expect("JSON");
    assert_eq!(told["ready"], true);

    running.signal("-TERM");
    running.line("Draining.", |line| line["message"] == "Draining.");
    let end = std::time::Instant::now() + PATIENCE;
    while asked(&[]).code == Some(0) {
        assert!(std::time::Instant::now() < end, "it never said that it drains");
    }
    assert!(asked(&[]).err.starts_with("error: not ready: "), "{}", asked(&[]).err);
    assert_eq!(asked(&["--live"]).code, Some(0), "whoever drains is not restarted");
    running.signal("-TERM");
    assert_eq!(running.ended(), Some(0));

    let gone = asked(&[]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains(&format!("no answer of a gateway's admin at {admin}")), "{}", gone.err);
}

#[test]
fn health_asks_at_a_unix_socket_too() {
    let folder = configured(
        "listeners: {public: {address: '127.0.0.1:0'}}\nadmin: {address: 'unix:admin.sock'}\nshutdown: {lame_duck: 0s}\nroutes: [{match: /a, respond: {status: 204}}]\n",
    );
    let mut running = Running::start(folder.path(), &[]);
    running.line("of the admin", |line| line["message"] == "The admin listens.");
    let asked = ran(callgate(&["health", "unix:admin.sock"]).current_dir(folder.path()));
    assert_eq!((asked.code, asked.out.as_str()), (Some(0), "ready\n"), "{}", asked.err);
    running.signal("-TERM");
    assert_eq!(running.ended(), Some(0));
    assert!(!folder.path().join("admin.sock").exists(), "a clean end leaves no socket behind");
}
