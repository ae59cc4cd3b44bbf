use super::*;

/// A supervisor whose child is a shell that reads its script from the scratch folder: `sh job --spec ...`.
fn with(script: &str) -> (Supervisor, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("job"), script).unwrap();
    (Supervisor::new("/bin/sh".into(), false, 1), folder)
}

async fn outcome(script: &str) -> (Result<(), Ended<&'static str>>, Vec<Event>) {
    let (supervisor, folder) = with(script);
    let mut events = Vec::new();
    let ended = supervisor
        .run(folder.path(), Task::Prepare, Published::default(), &CancellationToken::new(), async |event| {
            events.push(event);
            Ok(())
        })
        .await;
    (ended, events)
}

/// The process whose number the script wrote down.
async fn is_gone(folder: &Path) {
    let grandchild = std::fs::read_to_string(folder.join("grandchild")).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim())).unwrap_or_default();
    for _ in 0..50 {
        if state().is_empty() || state().contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still there: {}", state());
}

#[tokio::test]
async fn events_come_in_order_and_the_end_is_an_end() {
    let (ended, events) = outcome(r#"echo '{"event":"progress","percent":5}'; echo '{"event":"done"}'"#).await;
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(events, [Event::Progress { percent: 5 }, Event::Done { left: None }]);
}

#[tokio::test]
async fn a_child_that_dies_or_talks_nonsense_did_not_do_its_job() {
    for (script, word) in [
        ("echo sorry >&2; exit 3", "sorry"),
        ("kill -SEGV $$", "signal"),
        ("exit 0", "ended with"),
        (r#"echo '{"event":"done"}'; exit 9"#, "exit status: 9"),
        ("echo hello", "unreadable event"),
        ("head -c 100000000 /dev/zero | tr '\\000' x", "a line without an end"),
    ] {
        let (ended, _) = outcome(script).await;
        assert!(matches!(&ended, Err(Ended::Child(why)) if why.contains(word)), "{script}: {ended:?}");
    }
    let (ended, _) = outcome("kill -KILL $$").await;
    assert!(matches!(&ended, Err(Ended::Killed(why)) if why.contains("SIGKILL")), "{ended:?}");
}

#[tokio::test]
async fn a_child_that_hangs_is_killed_with_all_it_started() {
    let (mut supervisor, folder) = with("sleep 60 & echo $! > grandchild; wait");
    supervisor.silence = Duration::from_secs(2);
    let ended: Result<(), Ended<()>> = supervisor
        .run(folder.path(), Task::Prepare, Published::default(), &CancellationToken::new(), async |_| Ok(()))
        .await;
    assert!(matches!(&ended, Err(Ended::Child(why)) if why.contains("no progress")), "{ended:?}");
    is_gone(folder.path()).await;
}

#[tokio::test]
async fn an_interruption_ends_it_at_once() {
    let (supervisor, folder) = with("sleep 60");
    let interrupted = CancellationToken::new();
    interrupted.cancel();
    let ended: Result<(), Ended<()>> =
        supervisor.run(folder.path(), Task::Prepare, Published::default(), &interrupted, async |_| Ok(())).await;
    assert!(matches!(ended, Err(Ended::Interrupted)));
}

#[tokio::test]
async fn a_flood_of_progress_is_dropped_and_a_flood_of_events_ends_it() {
    let flood =
        |n| format!("yes '{{\"event\":\"progress\",\"percent\":5}}' | head -n {n}; echo '{{\"event\":\"done\"}}'");
    let (ended, events) = outcome(&flood(15_000)).await;
    assert!(ended.is_ok(), "{ended:?}");
    assert!(events.len() < 30, "{}", events.len());
    let (ended, events) = outcome(&flood(20_000)).await;
    assert!(matches!(&ended, Err(Ended::Child(why)) if why.contains("20000 events")), "{ended:?}");
    assert!(events.len() < 30, "{}", events.len());
}

#[tokio::test]
async fn what_it_leaves_behind_is_killed_and_holds_nothing_up() {
    let began = std::time::Instant::now();
    let script = "sleep 60 & echo $! > grandchild; echo sorry >&2; exit 3";
    let (supervisor, folder) = with(script);
    let ended: Result<(), Ended<()>> = supervisor
        .run(folder.path(), Task::Prepare, Published::default(), &CancellationToken::new(), async |_| Ok(()))
        .await;
    assert!(matches!(&ended, Err(Ended::Child(why)) if why.contains("sorry")), "{ended:?}");
    is_gone(folder.path()).await;
    // In a session of its own, where no kill of a group reaches it: its pipes are left alone after a while.
    let script = "setsid sleep 20 & echo lost >&2; sleep 0.2; exit 3";
    let (ended, _) = outcome(script).await;
    assert!(matches!(&ended, Err(Ended::Child(why)) if why.contains("lost")), "{ended:?}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[test]
fn a_clip_has_time_by_its_length() {
    assert_eq!(time_for(0).as_secs(), 60);
    assert_eq!(time_for(60_000).as_secs(), 60 + 720);
    assert_eq!(time_for(i64::MAX), time_for(MAX_DURATION_MS));
    let mut clock = WallClock::start(0);
    let left = |clock: &WallClock| (clock.ends() - clock.began).as_secs();
    let facts =
        |duration_ms| Event::Facts { width: 1, height: 1, duration_ms, detail: serde_json::json!({}), measures: None };
    clock.hear(&facts(10_000));
    assert_eq!(left(&clock), 180);
    for n in 0..10 {
        clock.hear(&Event::Segment { name: "480".into(), n, duration_ms: 2_000, file: String::new() });
    }
    assert_eq!(left(&clock), 300, "it is longer than it said");
    clock.hear(&facts(0));
    assert_eq!(left(&clock), time_for(MAX_DURATION_MS).as_secs(), "it does not say");
}

#[test]
fn time_that_publishing_takes_is_not_the_clips() {
    let mut clock = WallClock::start(0);
    let long = Duration::from_secs(70);
    clock.began -= long;
    assert!(clock.is_over());
    clock.stood_still(long);
    assert!(!clock.is_over());
}
