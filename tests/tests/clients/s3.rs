//! boto3, awscli, rclone and @uppy/aws-s3, all on one store.

use std::process::Command;

use weijia_core::storage::StorageSettings;
use weijia_store::testing::TestStore;

use crate::{Arrivals, awscli, chromium, direct, installed, node, python, rclone, succeeds};

/// As every client of AWS reads it, and nothing of the caller's own.
pub fn told(store: &StorageSettings, mut command: Command) -> Command {
    command.env("AWS_ACCESS_KEY_ID", &store.access_key).env("AWS_SECRET_ACCESS_KEY", &store.secret_key);
    command.env("AWS_DEFAULT_REGION", &store.region).env("AWS_REGION", &store.region);
    command.env("AWS_ENDPOINT_URL", &store.endpoint).env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_PAGER", "");
    command
        .env("AWS_CONFIG_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/clients/aws-config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
    direct(&mut command);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_s3() {
    let Some(folder) = installed() else { return };
    let place = tempfile::tempdir().expect("a temporary folder");
    let store = TestStore::start(place.path()).await;
    let arrivals = Arrivals::none_yet();
    let script = |command: Command| {
        let mut command = told(&store.settings, command);
        command.env("WEIJIA_BUCKET", &store.settings.bucket).env("WEIJIA_ARRIVED", arrivals.path());
        command.env("WEIJIA_CHROMIUM", chromium());
        // In bytes, as S3 has it; a Garage over LMDB has 511 for a key and what it puts before that.
        command.env("WEIJIA_LONGEST_KEY", if store.embedded { "1024" } else { "450" });
        command
    };
    succeeds(script(python(&folder, "boto3_test.py"))).await;
    awscli::moves_folders(&folder, &store).await;
    rclone::moves_folders(&store).await;
    // A cluster has to be told which pages may come; the embedded store lets in whoever has signed.
    if !store.embedded {
        awscli::lets_pages_in(&folder, &store).await;
    }
    succeeds(script(node(&folder, "aws-s3.test.mjs"))).await;
    let arrived = arrivals.are_objects(&store.settings).await;
    assert!(arrived >= 4, "only {arrived} objects were compared");
}
