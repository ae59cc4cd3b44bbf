//! tus-js-client, tuspy, Uppy with its Golden Retriever, and curl, all on one server.

use std::process::Command;

use weijia_tests::TestServer;

use crate::{Arrivals, chromium, curl, direct, installed, node, python, succeeds};

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_tus() {
    let Some(folder) = installed() else { return };
    let server = TestServer::start().await;
    let arrivals = Arrivals::none_yet();
    let she = server.sign_in("trainee", 0).await;
    let told = |mut command: Command| {
        command.env("WEIJIA_URL", &server.base).env("WEIJIA_COOKIE", she.cookie());
        command.env("WEIJIA_ARRIVED", arrivals.path()).env("WEIJIA_CHROMIUM", chromium());
        direct(&mut command);
        command
    };
    succeeds(told(node(&folder, "tus-js-client.test.mjs"))).await;
    succeeds(told(python(&folder, "tuspy_test.py"))).await;
    succeeds(told(node(&folder, "golden-retriever.test.mjs"))).await;
    curl::speaks_tus(&server, &she, &arrivals).await;
    let arrived = arrivals.are_uploads(&server).await;
    assert!(arrived >= 25, "only {arrived} uploads were compared");
    server.end().await;
}
