//! A process that changes settings is killed at random moments; everything it said is saved is there after each.

use crate::site::{assert_whole, live};
use holdfast::store::{DirectoryLock, Settings, Store};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

const PLACE: &str = "HOLDFAST_TEST_STATE";

/// Not a test by itself: the process that gets killed. Says after each round that it is saved.
#[tokio::test]
async fn child_that_is_killed() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let _lock = DirectoryLock::take(Path::new(&place)).unwrap();
    let opened = Store::open_healing(Path::new(&place), crate::site::at(0)).unwrap();
    assert_eq!(opened.healed, None, "a kill is no damage");
    // The name is the last thing a round saves; a round that a kill cut off is done again.
    let name: Option<String> = opened.store.settings.get(Settings::SITE_NAME).unwrap();
    let last = name.map(|name| name.trim_start_matches("round ").parse::<u64>().unwrap());
    let first = last.map_or(0, |last| last + 1);
    for round in first.. {
        live(&opened.store, round).await;
        println!("saved {round}");
        if round % 7 == 0 {
            opened.store.save_export(crate::site::at(1)).await.unwrap();
        }
    }
}

fn spawn(place: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child_that_is_killed", "--nocapture"])
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

#[test]
fn everything_acknowledged_is_there_after_each_of_many_kills() {
    let directory = tempfile::tempdir().unwrap();
    let mut saved = None;
    for kill in 0..25u32 {
        let mut child = spawn(directory.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut rounds = lines.filter_map(|line| line.split("saved ").nth(1)?.parse::<u64>().ok());
        // A different number of rounds, and a different moment within the next one.
        saved = rounds.nth(usize::try_from(kill % 5).unwrap());
        assert!(saved.is_some(), "the child of kill {kill} ended by itself");
        for _ in 0..kill * 4001 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        saved = rounds.last().or(saved);
        child.wait().unwrap();
        if kill % 5 == 0 {
            let opened = Store::open_healing(directory.path(), crate::site::at(2)).unwrap();
            assert_eq!(opened.healed, None);
            assert_whole(&opened.store, saved.unwrap() + 1, &format!("kill {kill}"));
        }
    }
    assert_whole(&Store::open(directory.path()).unwrap(), saved.unwrap() + 1, "the end");
}

#[test]
fn a_second_process_is_told_which_directory_and_which_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = spawn(directory.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("saved 0")));
    let said = DirectoryLock::take(directory.path()).unwrap_err().to_string();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.contains(&format!("process {}", child.id())), "{said}");
    assert!(said.contains(&directory.path().display().to_string()), "{said}");
    DirectoryLock::take(directory.path()).unwrap();
}
