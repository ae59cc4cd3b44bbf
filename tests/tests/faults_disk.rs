//! The power is cut, and the disk is full: on a disk of our own, an ext4 in a file, where this machine lets us make one.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weijia_core::db::Db;
use weijia_core::storage::Storage;
use weijia_store::EmbeddedStore;
use weijia_tests::faults::{Created, Ended, Program, S3Proxy, Sender, Site, Wrong, embedded_at, film};

const MIB: usize = 1 << 20;
/// Three parts, the last one small.
const LENGTH: usize = 16 * MIB + 200_013;

/// An ext4 of its own, in a file, mounted in a folder.
struct Disk {
    folder: tempfile::TempDir,
    device: String,
}

impl Disk {
    /// `None`, with a word about why, where the machine has no such thing.
    fn make(size: &str) -> Option<Disk> {
        // SAFETY: geteuid touches no memory.
        if unsafe { libc::geteuid() } != 0 {
            return skip("only root can mount a disk");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("image");
        std::fs::create_dir(folder.path().join("disk")).expect("a folder");
        let made = run("truncate", &["-s", size, path(&image)])
            .and_then(|_| run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=1", path(&image)]))
            .and_then(|_| run("losetup", &["--find", "--show", path(&image)]));
        let device = match made {
            Ok(said) => said.trim().to_owned(),
            Err(why) => return skip(&format!("no disk in a file on this machine: {why}")),
        };
        let disk = Disk { folder, device };
        if let Err(why) = disk.mount() {
            return skip(&format!("nothing can be mounted on this machine: {why}"));
        }
        Some(disk)
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// The journal is written so rarely that only what somebody asked to be synced is on the disk.
    fn mount(&self) -> Result<String, String> {
        run("mount", &["-t", "ext4", "-o", "commit=300", &self.device, path(&self.at())])
    }

    fn unmount(&self) {
        // Who has used it is gone; the kernel may take a moment to see that.
        let began = Instant::now();
        while let Err(why) = run("umount", &[path(&self.at())]) {
            assert!(began.elapsed() < Duration::from_secs(10), "somebody still uses the disk: {why}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// From this moment on nothing reaches the disk, not even what the file system has already taken.
    fn cut(&self) {
        const SHUTDOWN: libc::c_ulong = 0x8004_587d;
        let without_log: u32 = 2;
        let root = std::fs::File::open(self.at()).expect("the disk");
        // SAFETY: the kernel reads one u32, which outlives the call.
        let status = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN as _, &raw const without_log) };
        assert_eq!(status, 0, "{}", std::io::Error::last_os_error());
    }

    fn sync(&self) {
        let root = std::fs::File::open(self.at()).expect("the disk");
        // SAFETY: syncfs touches no memory.
        assert_eq!(unsafe { libc::syncfs(root.as_raw_fd()) }, 0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", path(&self.at())]);
        let _ = run("losetup", &["-d", &self.device]);
    }
}

/// Where `CI` is set a machine that has what this needs must do it.
fn skip(why: &str) -> Option<Disk> {
    // SAFETY: geteuid touches no memory.
    let able = unsafe { libc::geteuid() } == 0 && Path::new("/dev/loop-control").exists();
    assert!(!able || std::env::var_os("CI").is_none(), "CI needs a disk: {why}");
    eprintln!("skipped: {why}");
    None
}

fn path(path: &Path) -> &str {
    path.to_str().expect("plain text")
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    // Administrators' programs are not in everybody's path.
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let done =
        Command::new(program).args(arguments).env("PATH", search).output().map_err(|e| format!("{program}: {e}"))?;
    let said = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if done.status.success() { Ok(said(done.stdout)) } else { Err(format!("{program}: {}", said(done.stderr))) }
}

/// A server that keeps everything on this disk, and what looks at it from outside.
async fn stage(disk: &Disk, n: usize) -> (Program, Site, Vec<(Created, Sender)>) {
    let data = disk.at().join("data");
    let program = Program::start(&data, None, None).await;
    let nowhere = embedded_at("127.0.0.1:1".parse().expect("an address"));
    let db = Db::connect(&format!("sqlite:{}", data.join("weijia.db").display())).await.expect("the database");
    let proxy = S3Proxy::start("127.0.0.1:1".parse().expect("an address")).await;
    let mut site = Site::around(program.address(), proxy, db, Storage::connect(&nowhere), &program.secret());
    let person = site.people(1).await.remove(0);
    let mut uploads = Vec::new();
    for seed in 0..n as u64 {
        // Every other one in a single piece, so that whole objects are acknowledged too.
        let length = if seed % 2 == 0 { LENGTH } else { 3 * MIB };
        let created = site.create(&person, length).await;
        let sender = site.sender(&person, &created, &film(length, seed));
        uploads.push((created, sender));
    }
    // An open handle of ours would keep the disk busy.
    site.db.close().await;
    site.db = Db::connect("sqlite::memory:").await.expect("a database");
    (program, site, uploads)
}

/// The server has stopped: its store, served by us, and its database tell what became of the uploads.
async fn judge(disk: &Disk, site: &mut Site, uploads: &[(Created, Sender, Ended)]) -> Vec<Wrong> {
    let data = disk.at().join("data");
    site.db = Db::connect(&format!("sqlite:{}", data.join("weijia.db").display())).await.expect("the database");
    let store = EmbeddedStore::open(&data.join("store")).await.expect("the store");
    assert_eq!(store.swept().missing, 0, "rows without their bytes");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = embedded_at(listener.local_addr().expect("an address"));
    let (ended, (access, secret)) =
        (CancellationToken::new(), (settings.access_key.clone(), settings.secret_key.clone()));
    let serving = tokio::spawn({
        let ended = ended.clone();
        async move { store.serve(listener, &access, &secret, ended).await }
    });
    site.storage = Storage::connect(&settings);
    let mut found = Vec::new();
    for (created, sender, ended) in uploads {
        for finding in site.judge(created, sender, ended).await {
            println!("{finding}\n{}", sender.ledger.story());
            found.push(finding.wrong);
        }
    }
    ended.cancel();
    serving.await.expect("the store");
    site.db.close().await;
    found
}

/// Cuts the power in the middle of uploads, starts again, and says what was acknowledged before and is not there after.
async fn lost_by_a_power_cut(disk: &Disk, preload: Option<&Path>) -> usize {
    let (mut program, mut site, uploads) = stage(disk, 8).await;
    disk.sync();
    if let Some(library) = preload {
        program.stop();
        program.with("LD_PRELOAD", library);
        program.restart().await;
    }
    // Small steps, so that much is acknowledged before the end.
    let sending = uploads.iter().map(|(_, sender)| {
        let sender = sender.clone().slowly(4 * MIB).cut([1_300_000; 60]);
        tokio::spawn(async move { sender.send_for(Duration::from_secs(120)).await })
    });
    let sending: Vec<_> = sending.collect();
    let acknowledged = || uploads.iter().map(|(_, sender)| sender.ledger.acknowledged()).sum::<usize>();
    weijia_tests::until("enough to be acknowledged", Duration::from_secs(120), || async {
        if acknowledged() > 20 * MIB { Ok(()) } else { Err(format!("{} bytes", acknowledged())) }
    })
    .await;
    disk.cut();
    program.kill();
    sending.iter().for_each(tokio::task::JoinHandle::abort);
    join_all(sending).await;
    disk.unmount();
    disk.mount().expect("the disk");
    let acknowledged: Vec<_> = uploads.iter().map(|(_, sender)| sender.ledger.acknowledged()).collect();
    if preload.is_some() {
        // Without its rows a server may not even start; what it has lost is told by the rows that are left.
        return lost_rows(disk, &uploads, &acknowledged).await;
    }
    program.restart().await;
    let ended = uploads.into_iter().map(async |(created, sender)| {
        let ended = sender.clone().unhindered().send().await;
        (created, sender, ended)
    });
    let ended = join_all(ended).await;
    program.stop();
    judge(disk, &mut site, &ended).await.len()
}

/// Uploads of which the database knows less than was acknowledged.
async fn lost_rows(disk: &Disk, uploads: &[(Created, Sender)], acknowledged: &[usize]) -> usize {
    let url = format!("sqlite:{}", disk.at().join("data/weijia.db").display());
    let Ok(db) = Db::connect(&url).await else { return uploads.len() };
    let mut lost = 0;
    for ((created, _), acknowledged) in uploads.iter().zip(acknowledged) {
        lost += usize::from(durable(&db, &created.ids()[0]).await.unwrap_or(0) < *acknowledged as i64);
    }
    db.close().await;
    lost
}

async fn durable(db: &Db, upload: &str) -> weijia_core::Result<i64> {
    let mut tx = db.read().await?;
    let id = upload.parse().map_err(|_| weijia_core::Error::NotFound)?;
    let upload = weijia_core::upload::sql::find(&mut tx, &id).await?;
    Ok(weijia_core::upload::sql::durable(&mut tx, &upload).await?.offset)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let Some(disk) = Disk::make("4G") else { return };
    assert_eq!(lost_by_a_power_cut(&disk, None).await, 0);
}

/// The negative control: where syncing does nothing, the same cut must show a loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_syncing_a_power_cut_is_seen_to_lose() {
    let Some(disk) = Disk::make("4G") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library) = (folder.path().join("nosync.c"), folder.path().join("nosync.so"));
    let text = "int fsync(int f) { return 0; }\nint fdatasync(int f) { return 0; }\n\
                int sync_file_range(int f, long o, long n, unsigned g) { return 0; }\n";
    std::fs::write(&source, text).expect("a source");
    run("cc", &["-shared", "-fPIC", "-o", path(&library), path(&source)]).expect("a C compiler");
    assert!(CString::new(path(&library)).is_ok());
    let lost = lost_by_a_power_cut(&disk, Some(&library)).await;
    println!("{lost} of 8 uploads lost what was acknowledged");
    assert!(lost > 0, "the test does not see a loss");
}

/// The disk fills up under uploads: nothing acknowledged goes, and when there is room again they go on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_stops_uploads_and_loses_nothing() {
    let Some(disk) = Disk::make("256M") else { return };
    let (mut program, mut site, uploads) = stage(&disk, 6).await;
    let ballast = disk.at().join("ballast");
    fill(&disk, &ballast, 24 * MIB);
    let mut ended: Vec<(Created, Sender, Ended)> = Vec::new();
    let sending = uploads.iter().map(|(_, sender)| {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send().await })
    });
    let sending: Vec<_> = sending.collect();
    // More is to be sent than there is room for, so somebody is turned away.
    weijia_tests::until("the disk to be full", Duration::from_secs(120), || async {
        let told = |story: String| story.lines().any(|line| line.contains(": 5"));
        match uploads.iter().any(|(_, sender)| told(sender.ledger.story())) {
            true => Ok(()),
            false => Err("everything was taken".to_owned()),
        }
    })
    .await;
    std::fs::remove_file(&ballast).expect("the ballast");
    for ((created, sender), sending) in uploads.into_iter().zip(sending) {
        ended.push((created, sender, sending.await.expect("a client")));
    }
    program.stop();
    assert_eq!(judge(&disk, &mut site, &ended).await, []);
}

/// Takes all the room but so many bytes.
fn fill(disk: &Disk, ballast: &Path, left: usize) {
    let at = CString::new(path(&disk.at())).expect("plain text");
    // SAFETY: all zeros is a value of this struct of numbers.
    let mut room: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a path that ends in zero, and room for the answer.
    assert_eq!(unsafe { libc::statvfs(at.as_ptr(), &raw mut room) }, 0);
    let free = room.f_bavail as usize * room.f_frsize as usize;
    let n = free.saturating_sub(left);
    run("fallocate", &["-l", &n.to_string(), path(ballast)]).expect("the ballast");
}
