//! One running appliance.

use crate::wait;
use serde_json::Value;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// An appliance in a directory of its own. Dropping it kills it.
pub struct Appliance {
    data: PathBuf,
    child: Option<Child>,
    flags: Vec<String>,
}

/// The binary under test, built beside the tests.
pub fn binary() -> PathBuf {
    let mut directory = std::env::current_exe().unwrap();
    directory.pop();
    directory.pop();
    let binary = directory.join("holdfast");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build` first, or ./tests/run, which does",
        binary.display()
    );
    binary
}

impl Appliance {
    /// Starts one on `data` and waits until it answers.
    pub fn start(data: &Path, flags: &[&str]) -> Self {
        let mut appliance = Self {
            data: data.to_owned(),
            child: None,
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
        };
        appliance.start_again();
        appliance
    }

    /// Starts it after a kill and waits until it answers.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it is still running");
        std::fs::create_dir_all(&self.data).unwrap();
        let log = File::options().create(true).append(true).open(self.data.join("test-serve.log")).unwrap();
        let child = Command::new(binary())
            .arg("serve")
            .arg("--data")
            .arg(&self.data)
            .args(["--listen", "127.0.0.1:0", "--no-tls"])
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait::until("the appliance answers", Duration::from_secs(60), || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("the appliance ended with {status}:\n{}", self.log());
            }
            self.try_cli(&["about", "--json"]).status.success().then_some(())
        });
    }

    /// An appliance that something else started on `data`; only its command line is used.
    pub fn attach(data: &Path) -> Self {
        Self { data: data.to_owned(), child: None, flags: Vec::new() }
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.join("test-serve.log")).unwrap_or_default()
    }

    /// Runs the command line against it.
    pub fn try_cli(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .arg("--data")
            .arg(&self.data)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs the command line, which must succeed, and returns what it printed.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.try_cli(arguments);
        assert!(
            output.status.success(),
            "holdfast {} failed with {}:\n{}{}\nappliance:\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`, parsed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.cli(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}:\n{text}", arguments.join(" ")))
    }

    /// Runs the command line, which must fail, and returns what it said.
    pub fn cli_error(&self, arguments: &[&str]) -> String {
        let output = self.try_cli(arguments);
        assert!(!output.status.success(), "holdfast {} succeeded", arguments.join(" "));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Waits at most `limit` until none of the runs that `filter` lists is queued or started, and returns them, newest first.
    pub fn settled_runs(&self, filter: &[&str], limit: Duration) -> Vec<Value> {
        wait::until(&format!("the runs {filter:?} have ended"), limit, || {
            let runs = self.json(&[&["runs"], filter].concat()).as_array().unwrap().clone();
            let busy = runs.iter().any(|run| matches!(run["state"].as_str(), Some("queued" | "started")));
            (!busy).then_some(runs)
        })
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// A vault, a server with one disk and the bundled backup plugin's grants: what every site has.
    pub fn with_site(&self, server: &str, disk: &Path) {
        let vault = self.data.join("vault");
        self.cli(&["vault", "create", "local", vault.to_str().unwrap()]);
        self.cli(&["server", "add", server, "--disk", disk.to_str().unwrap()]);
        self.grant_backup();
    }

    /// Grants the bundled backup plugin all it asks for.
    pub fn grant_backup(&self) {
        for capability in ["servers", "recovery-points", "retention", "alerts", "metrics"] {
            self.cli(&["plugin", "grant", "holdfast.backup", capability]);
        }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.kill();
    }
}
