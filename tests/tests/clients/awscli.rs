//! awscli, which people move folders with.

use std::path::Path;
use std::process::Command;

use weijia_store::testing::TestStore;

use crate::s3::told;

/// Names that have to be escaped somewhere on the way, and one file of more than one part.
pub fn fill(folder: &Path) {
    let files = [
        ("a b+c%20d.txt", 3),
        ("油菜花/开 了.mp4", 70_000),
        ("油菜花/empty", 0),
        ("x", 1),
        ("x.d/y=z&w;#1.bin", 5_000),
        ("large.mp4", (9 << 20) + 1),
    ];
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let noise: Vec<u8> = (0..bytes as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(path, noise).expect("a file");
    }
}

/// Both folders hold the same files, as diff(1) sees it.
pub fn same(a: &Path, b: &Path) {
    let told = Command::new("diff").arg("-r").arg(a).arg(b).output().expect("diff is there");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

/// Runs it and answers what it printed.
pub fn said(mut command: Command) -> Result<String, String> {
    let output = command.output().expect("the client is installed");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(out.into_owned()) } else { Err(format!("{command:?}\n{out}{err}")) }
}

struct Aws<'a> {
    clients: &'a Path,
    store: &'a TestStore,
}

impl Aws<'_> {
    fn try_run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(self.clients.join("python/bin/aws"));
        command.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        tokio::task::block_in_place(|| said(told(&self.store.settings, command)))
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments).unwrap_or_else(|why| panic!("{why}"))
    }
}

pub async fn moves_folders(clients: &Path, store: &TestStore) {
    let aws = Aws { clients, store };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (here, back) = (folder.path().join("here"), folder.path().join("back"));
    fill(&here);
    let (here_text, back_text) = (here.to_str().expect("text"), back.to_str().expect("text"));
    let bucket = format!("{}-aws", store.settings.bucket);
    let at = |key: &str| format!("s3://{bucket}/{key}");
    aws.run(&["s3", "mb", &at("")]);

    aws.run(&["s3", "sync", here_text, &at("films/"), "--no-progress"]);
    aws.run(&["s3", "sync", &at("films/"), back_text, "--no-progress"]);
    same(&here, &back);
    // Nothing has changed, so nothing is sent again.
    assert_eq!(aws.run(&["s3", "sync", here_text, &at("films/"), "--no-progress"]), "");
    let listed = aws.run(&["s3", "ls", "--recursive", &at("films/")]);
    assert_eq!(listed.lines().count(), 6, "{listed}");
    assert!(listed.contains("films/油菜花/开 了.mp4") && listed.contains("films/a b+c%20d.txt"), "{listed}");
    let top = aws.run(&["s3", "ls", &at("films/")]);
    assert!(top.contains("PRE x.d/") && top.contains("PRE 油菜花/"), "{top}");

    // A copy inside the store, of one part and of several.
    aws.run(&["s3", "cp", &at("films/"), &at("copies/"), "--recursive", "--no-progress"]);
    std::fs::remove_dir_all(&back).expect("it was there");
    aws.run(&["s3", "cp", &at("copies/"), back_text, "--recursive", "--no-progress"]);
    same(&here, &back);
    aws.run(&["s3", "mv", &at("copies/x"), &at("copies/moved +1"), "--no-progress"]);
    assert!(aws.try_run(&["s3api", "head-object", "--bucket", &bucket, "--key", "copies/x"]).is_err());
    let head = aws.run(&["s3api", "head-object", "--bucket", &bucket, "--key", "copies/moved +1"]);
    assert!(head.contains("\"ContentLength\": 1"), "{head}");

    // What is not there any more goes, when it is asked to.
    std::fs::remove_file(here.join("x")).expect("it was there");
    let deleted = aws.run(&["s3", "sync", here_text, &at("films/"), "--delete", "--no-progress"]);
    assert!(deleted.contains("delete") && deleted.lines().count() == 1, "{deleted}");

    let link = aws.run(&["s3", "presign", &at("films/油菜花/开 了.mp4"), "--expires-in", "600"]);
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let fetched = http.get(link.trim()).send().await.expect("an answer").bytes().await.expect("a body");
    assert_eq!(fetched, std::fs::read(here.join("油菜花/开 了.mp4")).expect("a file"));

    let why = aws.try_run(&["s3", "rb", &at("")]).expect_err("a bucket that holds something stays");
    assert!(why.contains("BucketNotEmpty"), "{why}");
    aws.run(&["s3", "rm", "--recursive", &at(""), "--quiet"]);
    aws.run(&["s3", "rb", &at("")]);
}

/// Lets every page send to the bucket, and read the ETag of what it has sent.
pub async fn lets_pages_in(clients: &Path, store: &TestStore) {
    let rules = r#"{"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
                                   "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}]}"#;
    let aws = Aws { clients, store };
    aws.run(&["s3api", "put-bucket-cors", "--bucket", &store.settings.bucket, "--cors-configuration", rules]);
}
