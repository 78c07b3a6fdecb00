//! SIGKILL at random moments of a backup, a prune or a settings change. What was acknowledged is there afterwards.

use holdfast_tests::appliance::Appliance;
use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const ROUNDS: u64 = 50;
const LIMIT: Duration = Duration::from_secs(120);

/// A small deterministic generator: the seed is printed, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Changes some blocks of the disk, as a server does between two backups.
fn change(disk: &Path, dice: &mut Dice) {
    let mut file = fs::File::options().write(true).open(disk).unwrap();
    for _ in 0..200 {
        let mut block = vec![0_u8; 16 << 10];
        for byte in &mut block {
            *byte = dice.roll(251) as u8;
        }
        file.seek(SeekFrom::Start(dice.roll(64 << 20) & !0x3fff)).unwrap();
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
}

/// Blocks until a real moment has passed: the random moment is what is being tested.
fn at_random(dice: &mut Dice, most: u64) {
    let wait = Duration::from_millis(dice.roll(most));
    let start = Instant::now();
    while start.elapsed() < wait {
        std::thread::yield_now();
    }
}

/// What the appliance has acknowledged so far.
#[derive(Default)]
struct Acknowledged {
    points: Vec<String>,
    servers: Vec<String>,
}

fn check(appliance: &Appliance, acknowledged: &Acknowledged, round: u64) {
    let points = appliance.json(&["points"]).to_string();
    for id in &acknowledged.points {
        assert!(points.contains(id.as_str()), "round {round}: the acknowledged point {id} is gone");
    }
    let servers = appliance.json(&["server", "list"]).to_string();
    for name in &acknowledged.servers {
        assert!(
            servers.contains(&format!("\"{name}\"")),
            "round {round}: the acknowledged server {name} is gone"
        );
    }
}

fn add_backup_job(appliance: &Appliance) {
    appliance.cli(&[
        "job",
        "add",
        "backup",
        "--plugin",
        "holdfast.backup",
        "--job",
        "backup",
        "--set",
        "vault=local",
        "--set",
        "servers=shop",
        "--set",
        "keep_last=2",
    ]);
}

/// Does not wait for the answer: the kill comes while the order is carried out.
fn give_order(appliance: &Appliance, arguments: &[String]) -> std::process::Child {
    Command::new(holdfast_tests::appliance::binary())
        .arg("--data")
        .arg(appliance.data())
        .args(arguments)
        .arg("--json")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_fifty_random_moments_nothing_acknowledged_is_lost() {
    let seed = std::env::var("HOLDFAST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    eprintln!("HOLDFAST_SEED={seed}");
    let mut dice = Dice(seed);
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk.raw");
    fs::File::create(&disk).unwrap().set_len(64 << 20).unwrap();
    change(&disk, &mut dice);

    let mut appliance = Appliance::start(&directory.path().join("data"), &[]);
    appliance.with_site("shop", &disk);
    add_backup_job(&appliance);
    let mut acknowledged = Acknowledged::default();
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        change(&disk, &mut dice);
        let arguments: Vec<String> = match dice.roll(4) {
            0 | 1 => ["job", "run", "backup"].map(str::to_owned).to_vec(),
            2 => ["vault", "prune", "local"].map(str::to_owned).to_vec(),
            _ => ["server", "add", &format!("extra{round}"), "--disk", disk.to_str().unwrap()]
                .map(str::to_owned)
                .to_vec(),
        };
        let mut order = give_order(&appliance, &arguments);
        at_random(&mut dice, 700);
        appliance.kill();
        let done = order.wait().unwrap().success();
        if done && arguments[0] == "server" {
            acknowledged.servers.push(arguments[2].clone());
        }
        appliance.start_again();
        check(&appliance, &acknowledged, round);
        let runs = appliance.json(&["runs", "--limit", "20"]);
        interrupted += runs.as_array().unwrap().iter().filter(|r| r["state"] == "interrupted").count();
        // What was interrupted is run again; both must be over.
        appliance.settled_runs(&["--limit", "50"], LIMIT);
        acknowledged.points = unexpired(&appliance);
    }
    assert!(interrupted > 0, "no run was ever interrupted: the kills hit nothing");
    eprintln!(
        "{ROUNDS} kills, {interrupted} sightings of interrupted runs, {} points",
        acknowledged.points.len()
    );

    let run = appliance.json(&["backup", "shop"]);
    assert_eq!(run["state"], "succeeded", "{run}");
    let verdict = appliance.json(&["vault", "verify", "local", "--read-data"]);
    assert_eq!(verdict["state"], "succeeded", "{verdict}");
    let target = directory.path().join("restored.raw");
    appliance.cli(&["restore", "shop", "--to", target.to_str().unwrap()]);
    assert!(holdfast_tests::guest::same_bytes(&target, &disk), "the newest point is not the disk");
}

fn unexpired(appliance: &Appliance) -> Vec<String> {
    let points = appliance.json(&["points"]);
    let ids = points.as_array().unwrap().iter().filter(|p| p["expired"].is_null());
    ids.map(|p| p["id"].as_str().unwrap().to_owned()).collect()
}
