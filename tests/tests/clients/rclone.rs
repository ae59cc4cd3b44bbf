//! rclone, which people keep backups with.

use std::process::Command;

use weijia_store::testing::TestStore;

use crate::awscli::{fill, said, same};
use crate::direct;

pub async fn moves_folders(store: &TestStore) {
    let try_rclone = |arguments: &[&str]| {
        let mut command = Command::new("rclone");
        command.args(["--config", "/dev/null", "--retries", "1", "--s3-provider", "Other"]).args(arguments);
        command.args(["--s3-upload-cutoff", "5Mi", "--s3-chunk-size", "5Mi"]);
        command.env("RCLONE_CONFIG_STORE_TYPE", "s3").env("RCLONE_CONFIG_STORE_ENDPOINT", &store.settings.endpoint);
        command.env("RCLONE_CONFIG_STORE_ACCESS_KEY_ID", &store.settings.access_key);
        command.env("RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY", &store.settings.secret_key);
        command.env("RCLONE_CONFIG_STORE_REGION", &store.settings.region);
        // This rclone will not start with it, and here is nothing to be trusted.
        command.env_remove("AWS_CA_BUNDLE");
        direct(&mut command);
        tokio::task::block_in_place(|| said(command))
    };
    let rclone = |arguments: &[&str]| try_rclone(arguments).unwrap_or_else(|why| panic!("{why}"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (here, back) = (folder.path().join("here"), folder.path().join("back"));
    fill(&here);
    let (here_text, back_text) = (here.to_str().expect("text"), back.to_str().expect("text"));
    let bucket = format!("{}-rclone", store.settings.bucket);
    let at = |key: &str| format!("store:{bucket}/{key}");
    rclone(&["mkdir", &at("")]);

    rclone(&["copy", here_text, &at("backup")]);
    // By the hashes that the store tells, and by the bytes themselves.
    rclone(&["check", here_text, &at("backup")]);
    rclone(&["check", "--download", here_text, &at("backup")]);
    let listed = rclone(&["lsf", "--recursive", "--files-only", &at("backup")]);
    let mut names: Vec<&str> = listed.lines().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["a b+c%20d.txt", "large.mp4", "x", "x.d/y=z&w;#1.bin", "油菜花/empty", "油菜花/开 了.mp4"],
        "{listed}"
    );

    std::fs::remove_dir_all(here.join("x.d")).expect("it was there");
    std::fs::write(here.join("x"), "changed").expect("a file");
    assert!(try_rclone(&["check", here_text, &at("backup")]).is_err(), "a difference is seen");
    rclone(&["sync", here_text, &at("backup")]);
    rclone(&["check", "--download", here_text, &at("backup")]);
    rclone(&["copy", &at("backup"), &at("second")]);
    rclone(&["copy", &at("second"), back_text]);
    same(&here, &back);
    rclone(&["moveto", &at("second/x"), &at("second/油 +菜")]);
    assert_eq!(rclone(&["cat", &at("second/油 +菜")]), "changed");
    assert_eq!(rclone(&["cat", "--offset", "2", "--count", "3", &at("second/油 +菜")]), "ang");

    rclone(&["purge", &at("second")]);
    assert_eq!(rclone(&["lsf", &at("")]), "backup/\n");
    rclone(&["purge", &at("")]);
}
