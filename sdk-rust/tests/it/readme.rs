//! The program in the README is the example, and prints what the README says.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::server;

const README: &str = include_str!("../../README.md");
const PROGRAM: &str = include_str!("../../examples/quickstart.rs");

fn block(kind: &str) -> &'static str {
    README.split_once(&format!("```{kind}\n")).and_then(|(_, rest)| rest.split_once("```")).expect(kind).0
}

/// The example as cargo built it beside this test; and, if named, as a crate built it that depends on the packed SDK.
fn programs() -> Vec<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let example = test.parent().and_then(Path::parent).unwrap().join("examples/quickstart");
    [Some(example), std::env::var_os("VEXFS_QUICKSTART").map(PathBuf::from)].into_iter().flatten().collect()
}

#[test]
fn the_readme_shows_the_example_and_what_it_prints() {
    assert_eq!(block("rust,no_run"), PROGRAM.split_once("\n\n").unwrap().1);
    for program in programs() {
        let server = server::start(&[]);
        // A busy machine takes a while to embed what the program writes.
        let settings = [("VEXFS_ADDRESS", server.address.as_str()), ("VEXFS_TOKEN", &server.token), ("VEXFS_TIMEOUT", "120")];
        let run = Command::new(&program).envs(settings).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{}: {err}", program.display());
        assert_eq!(out, block("text"), "{}", program.display());
    }
}
