//! What a file tries from inside the jail, watched from outside it.

mod kit;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

/// A listener that nobody may reach, and a file beside the scratch folder that nobody may touch.
struct Neighbourhood {
    listener: TcpListener,
    folder: tempfile::TempDir,
}

const SECRET: &[u8] = b"a neighbour's";

impl Neighbourhood {
    fn new() -> Neighbourhood {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("neighbour"), SECRET).unwrap();
        Neighbourhood { listener, folder }
    }

    fn address(&self) -> String {
        format!("http://{}/x.ts", self.listener.local_addr().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("neighbour")
    }

    fn scratch(&self) -> PathBuf {
        let scratch = self.folder.path().join("scratch");
        let _ = std::fs::create_dir(&scratch);
        scratch
    }

    /// Runs the real child on these bytes and looks at what came of it: nothing of the neighbour's in what it made, and
    /// no call.
    fn survives(&self, what: &str, bytes: &[u8]) -> String {
        let scratch = self.scratch();
        std::fs::write(scratch.join("source"), bytes).unwrap();
        let mut said = String::new();
        for task in ["prepare", "fast_start", "ladder"] {
            said += &child(&scratch, task);
        }
        assert!(self.listener.accept().is_err(), "{what}: it called home");
        assert_eq!(std::fs::read(self.file()).unwrap(), SECRET, "{what}");
        let beside: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(beside.len(), 2, "{what}: {beside:?}");
        said
    }
}

fn started(scratch: &Path, task: &str) -> Child {
    let limits = json!({"address_space": 4_u64 << 30, "cpu_seconds": 60, "file_size": 1 << 30, "open_files": 64});
    let spec = scratch.join("spec.json");
    std::fs::write(&spec, json!({"task": task, "threads": 2, "nice": 0, "limits": limits}).to_string()).unwrap();
    let mut command = Command::new(kit::PROGRAM);
    command.args(["job", "--spec"]).arg(&spec);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn child(scratch: &Path, task: &str) -> String {
    let mut child = started(scratch, task);
    // It ends when its standard input does.
    let _lifeline = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_file_that_names_other_places_reaches_none_of_them() {
    let here = Neighbourhood::new();
    let (url, path) = (here.address(), here.file());
    let path = path.display();
    let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXTINF:5,\nfile://{path}\n");
    let concat = format!("ffconcat version 1.0\nfile '{url}'\nfile '{path}'\n");
    for (what, text) in [("playlist", playlist), ("concat", concat)] {
        let said = here.survives(what, text.as_bytes());
        assert!(said.contains("refused"), "{what}: {said}");
    }
    let film = kit::film(
        "testsrc2=size=320x240:rate=30",
        Some("sine=frequency=440"),
        2,
        &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"],
    );
    let film = std::fs::read(film).unwrap();
    // The data of its tracks is said to lie elsewhere.
    for (what, place) in [("dref to an address", url), ("dref to a file", format!("file://{path}"))] {
        let hostile = with_data_elsewhere(&film, &place);
        assert!(hostile.len() > film.len());
        here.survives(what, &hostile);
    }
}

#[test]
fn a_link_that_lies_in_the_scratch_folder_already_leads_nowhere() {
    let here = Neighbourhood::new();
    let scratch = here.scratch();
    std::os::unix::fs::symlink(here.file(), scratch.join("link")).unwrap();
    std::os::unix::fs::symlink(here.file(), scratch.join("source")).unwrap();
    let said = child(&scratch, "prepare");
    assert!(!said.contains("done"), "{said}");
    let said = child(&scratch, "probe_jail");
    assert!(said.contains(r#""allowed":[]"#), "{said}");
}

#[test]
fn it_is_the_first_to_go_when_memory_runs_out() {
    let film = kit::film("testsrc2=size=640x360:rate=30", None, 5, &["-c:v", "libx264", "-preset", "ultrafast"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(film, folder.path().join("source")).unwrap();
    let mut child = started(folder.path(), "prepare");
    let score = format!("/proc/{}/oom_score_adj", child.id());
    let mut seen = String::new();
    while child.try_wait().unwrap().is_none() && seen.trim() != "1000" {
        seen = std::fs::read_to_string(&score).unwrap_or(seen);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(seen.trim(), "1000");
}

/// The film with every `dref` naming `place` in place of the film itself. Its `moov` lies behind its `mdat`, so nothing
/// that a sample table names moves.
fn with_data_elsewhere(film: &[u8], place: &str) -> Vec<u8> {
    let entry = [&[0; 4], place.as_bytes(), &[0]].concat();
    with_reference(film, &boxed(b"url ", &entry))
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
}

/// Boxes within boxes, each `dref` with this one entry.
fn with_reference(mut bytes: &[u8], entry: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while bytes.len() >= 8 {
        let len = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        let kind: [u8; 4] = bytes[4..8].try_into().unwrap();
        let body = &bytes[8..len];
        out.extend(match &kind {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"dinf" => boxed(&kind, &with_reference(body, entry)),
            b"dref" => boxed(&kind, &[&body[..8], entry].concat()),
            _ => boxed(&kind, body),
        });
        bytes = &bytes[len..];
    }
    out
}
