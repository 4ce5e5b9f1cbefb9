//! How many processes there are, and when.

use std::collections::HashSet;

use callgate_testkit::peers::until;
use futures_util::future::join_all;

use crate::site::{PATIENCE, Site, alive, gone};

const FUNCTION: &str = r#"
import os, subprocess, time

def pid(event, context):
    return str(os.getpid())

def meet(event, context):
    # Ends once so many invocations run at once.
    count = int(event["pathParameters"]["rest"])
    open(f"here-{os.getpid()}", "w").close()
    while sum(name.startswith("here-") for name in os.listdir(".")) < count:
        time.sleep(0.01)
    return str(os.getpid())

def once(event, context):
    open("started", "w").write(str(os.getpid()))
    while not os.path.exists("go"):
        time.sleep(0.01)
    open("finished", "w").close()
    return "done"

def chatter(event, context):
    # A child that writes without end, whether there is an invocation or not.
    subprocess.Popen(["yes"])
    return str(os.getpid())
"#;

fn function(name: &str, options: &str) -> String {
    format!("runtime: python3, handler: at.{name}, {options}")
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_get_a_process_each_up_to_the_limit() {
    let options = function("meet", "processes: {max: 3}");
    let site = Site::start(&[("meet", &options)], &[("at.py", FUNCTION)]).await;
    let answers = join_all((0..3).map(|_| site.get("/meet/3"))).await;
    let processes: HashSet<_> = answers.into_iter().map(|answer| answer.body).collect();
    assert_eq!(processes.len(), 3, "{processes:?}");

    // Further calls share them.
    let answers = join_all((0..20).map(|_| site.get("/meet/1"))).await;
    assert!(answers.iter().all(|answer| processes.contains(&answer.body)), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_one_after_the_other_share_processes() {
    let site = Site::start(&[("pid", &function("pid", ""))], &[("at.py", FUNCTION)]).await;
    let mut processes = HashSet::new();
    for _ in 0..20 {
        processes.insert(site.get("/pid/x").await.body);
    }
    // On a loaded machine a process may be slow to come back for the next call, and another is started then.
    assert!(processes.len() <= 3, "{processes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_ends_and_the_next_call_starts_another() {
    let options = function("pid", "processes: {idle_timeout: 100ms}");
    let site = Site::start(&[("pid", &options)], &[("at.py", FUNCTION)]).await;
    let first = site.get("/pid/x").await.body;
    assert!(gone(&first).await);
    assert_ne!(site.get("/pid/x").await.body, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_writes_without_end_serves_on_and_ends_when_idle() {
    let options = function("chatter", "processes: {max: 1, idle_timeout: 1s}");
    let site = Site::start(&[("chatter", &options)], &[("at.py", FUNCTION)]).await;
    let process = site.get("/chatter/x").await.body;
    assert!(site.get("/chatter/x").await.body.parse::<u32>().is_ok());
    assert!(gone(&process).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_while_idle_costs_no_call() {
    let site = Site::start(&[("pid", &function("pid", ""))], &[("at.py", FUNCTION)]).await;
    for _ in 0..5 {
        let process = site.get("/pid/x").await.body;
        std::process::Command::new("kill").args(["-9", &process]).status().unwrap();
        assert!(gone(&process).await);
        assert_eq!(site.get("/pid/x").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_restart_the_function() {
    let options = function("pid", "watch: true");
    let site = Site::start(&[("pid", &options)], &[("at.py", FUNCTION)]).await;
    let old = site.get("/pid/x").await.body;
    // The watcher has to have seen the first state: it looks twice a second.
    let changed = until(PATIENCE, async || {
        std::fs::write(site.path("at.py"), "def pid(event, context):\n    return 'new'\n# again").unwrap();
        site.get("/pid/x").await.body == "new"
    })
    .await;
    assert!(changed && gone(&old).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_waits_for_still_ends() {
    let site = Site::start(&[("once", &function("once", "processes: {max: 1}"))], &[("at.py", FUNCTION)]).await;
    let started = site.path("started");
    tokio::select! {
        _ = site.get("/once/x") => panic!("the function was not to end"),
        started = until(PATIENCE, async || std::fs::read_to_string(&started).is_ok_and(|text| !text.is_empty())) => assert!(started),
    }
    let process = site.read("started").await;
    std::fs::write(site.path("go"), "").unwrap();
    site.read("finished").await;
    assert_eq!(site.get("/once/x").await.body, "done");
    assert!(alive(&process));
    assert_eq!(site.read("started").await, process);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_the_queue_does_not_hold_are_told_to_come_again() {
    let site = Site::start(&[("once", &function("once", "processes: {max: 1}"))], &[("at.py", FUNCTION)]).await;
    let calls = join_all((0..1100).map(|_| site.get("/once/x")));
    // Those that are refused are answered while the function still waits.
    let refused = async {
        let more = join_all((0..20).map(|_| site.get("/once/x"))).await;
        assert!(more.iter().all(|answer| answer.code.as_deref() == Some("upstream_unavailable")), "{more:?}");
        std::fs::write(site.path("go"), "").unwrap();
    };
    let (answers, ()) = tokio::join!(calls, refused);
    let served = answers.iter().filter(|answer| answer.body == "done").count();
    assert!((1000..1100).contains(&served), "{served}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_whose_clients_left_take_no_place_in_the_queue() {
    let site = Site::start(&[("once", &function("once", "processes: {max: 1}"))], &[("at.py", FUNCTION)]).await;
    let refused = async {
        let more = join_all((0..20).map(|_| site.get("/once/x"))).await;
        assert!(more.iter().all(|answer| answer.code.as_deref() == Some("upstream_unavailable")), "{more:?}");
    };
    tokio::select! {
        biased;
        _ = join_all((0..1100).map(|_| site.get("/once/x"))) => panic!("the function was not to end"),
        () = refused => {}
    }
    let go = async { std::fs::write(site.path("go"), "").unwrap() };
    let (answer, ()) = tokio::join!(site.get("/once/x"), go);
    assert_eq!(answer.body, "done", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_kills_processes_and_their_children() {
    let script = "sleep 600 & echo $! > child; echo $$ > parent; wait";
    let command = format!("command: [sh, -c, '{script}']");
    let site = Site::start(&[("sh", &command), ("pid", &function("pid", ""))], &[("at.py", FUNCTION)]).await;
    let idle = site.get("/pid/x").await.body;
    let (parent, child) = (site.path("parent"), site.path("child"));
    tokio::select! {
        answer = site.get("/sh/x") => panic!("{answer:?}"),
        started = until(PATIENCE, async || std::fs::read_to_string(&parent).is_ok_and(|text| text.ends_with('\n'))) => assert!(started),
    }
    let read = |path| std::fs::read_to_string(path).unwrap().trim().to_owned();
    let processes = [read(&parent), read(&child), idle];
    assert!(processes.iter().all(|process| alive(process)));
    site.gateway.snapshot().close().await;
    for process in &processes {
        assert!(gone(process).await, "{process}");
    }
    let answer = site.get("/pid/x").await;
    assert_eq!((answer.status, answer.code.as_deref()), (503, Some("upstream_unavailable")));
}
