//! Real server processes.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server on a data folder of its own.
pub struct Server {
    pub address: String,
    pub token: String,
    _process: Child,
}

/// Runs the server until the tests end, however they end: then standard input closes.
const UNTIL_INPUT_ENDS: &str = r#"
folder=$1; shift
"$@" --data "$folder/data" --ready-file "$folder/ready" >"$folder/log" 2>&1 &
pid=$!
cat >/dev/null
kill $pid
wait $pid
rm -rf "$folder"
"#;

const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The server that tests share when they need no settings of their own.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start(&[]))
}

/// Start a server with these options, and wait until it answers.
pub fn start(options: &[&str]) -> Server {
    let command = std::env::var_os("VEXFS_COMMAND")
        .unwrap_or_else(|| OsString::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.venv/bin/vexfs")));
    // The shell removes the folder when the server has ended.
    let folder = TempDir::with_prefix("vexfs-sdk-rust-").unwrap().keep();
    let process = Command::new("sh")
        .args(["-c", UNTIL_INPUT_ENDS, "sh"])
        .arg(&folder)
        .arg(command)
        .args(["serve", "--rest-port", "0", "--grpc-port", "0"])
        .args(options)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let ready = wait_for(&folder);
    Server {
        address: ready["grpc"].as_str().unwrap().to_owned(),
        token: std::fs::read_to_string(ready["token_file"].as_str().unwrap()).unwrap().trim().to_owned(),
        _process: process,
    }
}

fn wait_for(folder: &Path) -> serde_json::Value {
    let begin = Instant::now();
    loop {
        let ready = std::fs::read(folder.join("ready")).unwrap_or_default();
        if let Ok(ready) = serde_json::from_slice(&ready) {
            return ready;
        }
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(begin.elapsed() < START_TIMEOUT, "the server did not start:\n{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}
