//! What the documents name is there: paths, commands, pictures, settings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use weijia_tests::server::weijia;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every `code span` of a document.
fn spans(text: &str) -> Vec<String> {
    let outside_blocks = text.split("```").step_by(2);
    outside_blocks.flat_map(|part| part.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// What a Markdown document links to, pictures included.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://"))
        .map(|target| target.split('#').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_path_in_the_architecture_exists() {
    let text = read("ARCHITECTURE.md");
    let tops: BTreeSet<String> =
        std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // A span is a path when it begins with something at the top of the project.
    let paths: Vec<String> = spans(&text)
        .into_iter()
        .filter(|span| span.contains('/') && tops.contains(span.split('/').next().unwrap()))
        .collect();
    assert!(paths.len() > 20, "{paths:?}");
    let missing: Vec<&String> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "not there: {missing:?}");
}

#[test]
fn every_link_leads_somewhere() {
    for document in ["README.md", "README.en.md", "ARCHITECTURE.md"] {
        for target in links(&read(document)) {
            assert!(root().join(&target).exists(), "{document} links to {target}");
        }
    }
}

#[test]
fn the_commands_of_the_readmes_exist() {
    let makefile = read("Makefile");
    let run = weijia(&["--help"]).output().expect("weijia --help");
    let help = String::from_utf8(run.stdout).expect("text");
    for document in ["README.md", "README.en.md"] {
        let text = read(document);
        let made = text.split("make ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next());
        for target in made.filter(|target| ["run", "test", "build", "clean", "bench"].contains(target)) {
            assert!(makefile.contains(&format!("\n{target}:")), "{document}: make {target}");
        }
        let subcommands = spans(&text).into_iter().filter_map(|span| Some(span.strip_prefix("weijia ")?.to_owned()));
        for command in subcommands.filter_map(|rest| rest.split(' ').next().map(str::to_owned)) {
            assert!(
                help.lines().any(|line| line.split_whitespace().next() == Some(&command)),
                "{document}: weijia {command}"
            );
        }
    }
}

/// The program's own test holds weijia.example.env against the code; the READMEs follow the file.
#[test]
fn the_readmes_name_every_setting() {
    let example = read("weijia.example.env");
    let assignments = example.lines().filter_map(|line| line.trim_start_matches('#').split_once('='));
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let settings: Vec<&str> =
        assignments.map(|(name, _)| name).filter(|name| !name.is_empty() && is_name(name)).collect();
    assert!(settings.len() >= 10, "{settings:?}");
    for document in ["README.md", "README.en.md"] {
        let named = spans(&read(document));
        for setting in &settings {
            assert!(named.iter().any(|span| span == setting), "{document} does not name {setting}");
        }
    }
}

/// The licence holds for every crate, and the one binary that brings the GPL along is named.
#[test]
fn the_licence_is_said_everywhere() {
    assert!(read("LICENSE").contains("Apache License"));
    assert!(read("Cargo.toml").contains("license = \"Apache-2.0\""));
    for word in ["weijia-media", "FFmpeg", "GNU General Public License", "hunan-divisions.tsv"] {
        assert!(read("NOTICE").contains(word), "NOTICE does not say {word}");
    }
}
