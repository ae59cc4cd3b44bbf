//! The same journey in a real browser: tests/browser/journey.test.mjs drives Chromium, this starts what it needs.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weijia_tests::{TestServer, media};

/// `WEIJIA_CHROMIUM` (which `make test` sets) names the browser; where `CI` is set its absence is a failure, not a skip.
#[tokio::test(flavor = "multi_thread")]
async fn the_journey_in_a_browser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let browser = std::env::var("WEIJIA_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&browser).exists() || !folder.join("node_modules").exists() {
        assert!(std::env::var_os("CI").is_none(), "CI needs {browser} and `npm ci` in tests/browser");
        return;
    }
    let server = TestServer::start().await;
    let people = json!({
        "trainee": server.newcomer().await.1,
        "mentor": person(&server, "mentor"),
        "staff": person(&server, "staff"),
    });
    let status = Command::new("node")
        .args(["--test", "--test-reporter=spec", "journey.test.mjs"])
        .current_dir(&folder)
        .env("WEIJIA_URL", &server.base)
        .env("WEIJIA_PEOPLE", people.to_string())
        .env("WEIJIA_CLIP", media::portrait(8))
        .env("WEIJIA_CHROMIUM", browser)
        .status();
    assert!(status.expect("node is installed").success(), "the browser's journey failed; its report is above");
    server.end().await;
}

fn person(server: &TestServer, role: &str) -> Value {
    let people = server.ready["people"].as_array().expect("the demo's people");
    people.iter().find(|p| p["role"] == role).expect("someone of that role").clone()
}
