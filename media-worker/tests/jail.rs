//! What a file tries from inside the jail, watched from outside it.

mod kit;

use kit::neighbourhood::{Neighbourhood, child, started};
use kit::surgery::with_data_elsewhere;

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
        let hostile = with_data_elsewhere(&film, b"url ", place.as_bytes());
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
    let said = child(&scratch, "prepare").1;
    assert!(!said.contains("done"), "{said}");
    let said = child(&scratch, "probe_jail").1;
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
