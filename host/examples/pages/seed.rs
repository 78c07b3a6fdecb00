//! A site as it could be: four servers in different states, a vault, jobs, runs, alerts. Times hang on `now` alone.

use chrono::{DateTime, Duration, Utc};
use holdfast::{
    model::{
        alert::Severity,
        audit::Verdict,
        job::{Job, Trigger, Work},
        name::{DiskName, JobName, PluginId, RunId, ServerName, Tag, VaultName},
        plugin::{Grant, InstalledPlugin, Manifest, Publisher, Scope},
        point::{Consistency, PointRecord, PointSizes},
        run::{EndCause, LogLevel, LogLine, Progress, Run, RunState},
        schedule::{MissedPolicy, OverlapPolicy, Schedule},
        server::{Disk, DiskLocation, Server, ServerKind},
        vault::{VaultDefinition, VaultLocation},
    },
    store::{AuditEntry, NewAlert, Store},
};
use serde_json::json;

type Seeded<T> = Result<T, Box<dyn std::error::Error>>;

/// Fills an empty store.
pub async fn seed(store: &Store, now: DateTime<Utc>) -> Seeded<()> {
    let vault = VaultName::new("nas")?;
    let location = VaultLocation::Directory { path: "/mnt/nas/holdfast".into() };
    let definition = VaultDefinition {
        name: vault.clone(),
        location,
        id: "7d0e".repeat(8),
        added: now - Duration::days(40),
    };
    store.vaults.put(&vault, &definition).await?;
    plugin(store, now).await?;
    servers(store).await?;
    jobs(store).await?;
    points(store, &vault, now).await?;
    runs(store, now).await?;
    alerts(store, now).await?;
    audit(store, now).await
}

const SERVERS: [(&str, &str, u32); 4] = [
    ("file1", "office", 240),
    ("erp-db", "database", 60),
    ("mail", "office", 240),
    ("terminal2", "terminal", 1440),
];

async fn servers(store: &Store) -> Seeded<()> {
    for (name, tag, rpo_minutes) in SERVERS {
        let disk = |number: u32| -> Seeded<Disk> {
            let location = DiskLocation::from_text(&format!("/var/lib/libvirt/images/{name}-{number}.qcow2"));
            Ok(Disk { name: DiskName::new(format!("disk{number}"))?, location })
        };
        let disks = if name == "erp-db" { vec![disk(0)?, disk(1)?] } else { vec![disk(0)?] };
        let name = ServerName::new(name)?;
        let server = Server { name, kind: ServerKind::Image, tags: vec![Tag::new(tag)?], disks, rpo_minutes };
        store.servers.put(&server.name, &server).await?;
    }
    Ok(())
}

/// The bundled plugin's manifest as a site sees it.
fn manifest() -> Seeded<Manifest> {
    Ok(serde_json::from_value(json!({
        "id": "holdfast.backup", "name": "Backup", "version": "0.1.0", "api": "0.1",
        "description": "Takes recovery points of servers, keeps the ones your rule names, and raises an alert when one fails.",
        "job": [{ "name": "backup", "cron": "0 * * * *", "why": "Takes a recovery point of each server you choose." }],
        "permission": [
            { "use": "servers", "why": "To know which servers there are and how old their newest point may be." },
            { "use": "recovery-points", "why": "To take recovery points and check the newest one." },
            { "use": "retention", "why": "To let points go that your rule no longer names." },
            { "use": "vaults", "why": "To stop before the vault is full." },
            { "use": "alerts", "why": "To tell you when a server could not be backed up." },
            { "use": "metrics", "why": "To compare a backup with the server's own history." }
        ],
        "settings": {
            "servers": { "type": "servers", "title": "Which servers", "required": true },
            "vault": { "type": "vault", "title": "Into which vault", "required": true },
            "keep-hourly": { "type": "integer", "title": "Hourly points to keep", "default": 24, "minimum": 0, "maximum": 999 },
            "keep-daily": { "type": "integer", "title": "Daily points to keep", "default": 14, "minimum": 0, "maximum": 999 },
            "keep-monthly": { "type": "integer", "title": "Monthly points to keep", "default": 12, "minimum": 0, "maximum": 999 },
            "watch-changes": { "type": "boolean", "title": "Watch for sudden changes", "help": "Raises an alert and holds older points when far more changes than usual", "default": true }
        }
    }))?)
}

async fn plugin(store: &Store, now: DateTime<Utc>) -> Seeded<()> {
    let id = PluginId::new("holdfast.backup")?;
    let installed = now - Duration::days(40);
    let plugin = InstalledPlugin {
        manifest: manifest()?,
        digest: "c41d".repeat(16),
        publisher: Publisher::Bundled,
        installed,
        paused: None,
    };
    store.plugins.put(&id, &plugin).await?;
    for permission in &plugin.manifest.permissions {
        let grant = Grant {
            plugin: id.clone(),
            capability: permission.capability,
            servers: Scope::All,
            tags: vec![],
            vaults: Scope::All,
            by: "user:anna".to_owned(),
            at: installed,
        };
        store.grants.put(&format!("{id}/{}", permission.capability.name()), &grant).await?;
    }
    Ok(())
}

fn work(servers: &[&str]) -> Seeded<Work> {
    let settings = json!({ "servers": servers, "vault": "nas", "keep-hourly": 24, "keep-daily": 14, "watch-changes": true });
    Ok(Work::Plugin { plugin: PluginId::new("holdfast.backup")?, job: "backup".to_owned(), settings })
}

async fn jobs(store: &Store) -> Seeded<()> {
    for (name, cron, servers) in
        [("office", "0 */4 * * *", &["tag:office"][..]), ("erp", "*/15 * * * *", &["erp-db"][..])]
    {
        let schedule = Schedule {
            cron: cron.to_owned(),
            zone: "Europe/Berlin".to_owned(),
            missed: MissedPolicy::CatchUpOnce,
            jitter_seconds: 0,
            blackouts: vec![],
        };
        let job = Job {
            name: JobName::new(name)?,
            work: work(servers)?,
            schedules: vec![schedule],
            events: vec![],
            overlap: OverlapPolicy::Skip,
            rerun_interrupted: true,
            timeout_seconds: 6 * 3600,
            enabled: true,
        };
        store.jobs.put(&job.name, &job).await?;
    }
    Ok(())
}

async fn points(store: &Store, vault: &VaultName, now: DateTime<Utc>) -> Seeded<()> {
    for (name, first, every, count, disk) in
        [("file1", 72, 240, 22, 512_u64), ("erp-db", 12, 15, 40, 256), ("mail", 1630, 240, 16, 128)]
    {
        for number in 0..count {
            let age = first + every * i64::from(number);
            // Sizes that differ like real ones and are the same each time.
            let noise = (u64::try_from(age)? * 2_654_435_761) % 1000;
            let stored = (4_000_000 + noise * noise * 220) * if number % 6 == 0 { 4 } else { 1 };
            let point = PointRecord {
                id: format!(
                    "{:016x}{:08x}{:08x}",
                    (noise + 11) * 0x9e37_79b9_7f4a,
                    disk,
                    u64::try_from(age)?
                ),
                vault: vault.clone(),
                server: ServerName::new(name)?,
                taken: now - Duration::minutes(age),
                consistency: Consistency::Crash,
                held: number == 3,
                expired: (number == count - 1).then(|| now - Duration::hours(20)),
                run: None,
                sizes: PointSizes {
                    disks: disk << 30,
                    read: stored * 3,
                    changed: stored * 2,
                    incompressible: stored / 5,
                    stored,
                },
                disks: vec![("disk0".to_owned(), disk << 30)],
                verified: (number > 2).then(|| now - Duration::days(2)),
            };
            store.points.put(&format!("{vault}/{}", point.id), &point).await?;
        }
    }
    Ok(())
}

struct Past {
    job: &'static str,
    servers: &'static [&'static str],
    minutes_ago: i64,
    seconds: i64,
    state: RunState,
    message: &'static str,
}

const RUNS: [Past; 5] = [
    Past {
        job: "office",
        servers: &["tag:office"],
        minutes_ago: 312,
        seconds: 214,
        state: RunState::Succeeded,
        message: "2 recovery points, 1.9 GB stored.",
    },
    Past {
        job: "erp",
        servers: &["erp-db"],
        minutes_ago: 27,
        seconds: 41,
        state: RunState::Succeeded,
        message: "1 recovery point, 212 MB stored.",
    },
    Past {
        job: "office",
        servers: &["tag:office"],
        minutes_ago: 72,
        seconds: 187,
        state: RunState::Degraded,
        message: "file1: 1 recovery point, 1.1 GB stored; mail: the disk /var/lib/libvirt/images/mail-0.qcow2 cannot be read: permission denied.",
    },
    Past {
        job: "erp",
        servers: &["erp-db"],
        minutes_ago: 12,
        seconds: 38,
        state: RunState::Succeeded,
        message: "1 recovery point, 186 MB stored.",
    },
    Past {
        job: "erp",
        servers: &["erp-db"],
        minutes_ago: 1,
        seconds: 0,
        state: RunState::Started,
        message: "",
    },
];

async fn runs(store: &Store, now: DateTime<Utc>) -> Seeded<()> {
    for past in RUNS {
        let started = now - Duration::minutes(past.minutes_ago);
        let is_over = past.state.is_settled();
        let progress = if is_over {
            Progress::default()
        } else {
            Progress { done: 11_300_000_000, total: 18_200_000_000, note: "erp-db: reading disk0".to_owned() }
        };
        let draft = Run {
            id: RunId(0),
            job: JobName::new(past.job)?,
            work: work(past.servers)?,
            trigger: Trigger::Schedule { due: started, caught_up: false },
            dry_run: false,
            state: past.state,
            queued: started,
            started: Some(started),
            ended: is_over.then(|| started + Duration::seconds(past.seconds)),
            boot: None,
            message: Some(past.message.to_owned()).filter(|text| !text.is_empty()),
            cause: is_over.then_some(EndCause::Reported),
            progress,
        };
        let run = store.runs.create(draft).await?;
        let lines = [
            (LogLevel::Info, "1 server, newest point 15 min old"),
            (LogLevel::Info, "erp-db: 2 disks, 256 GB; comparing with the newest point"),
            (LogLevel::Warn, "erp-db: the guest agent does not answer, so the point is crash-consistent"),
        ];
        for (number, (level, text)) in (1..).zip(lines) {
            let at = started + Duration::seconds(i64::try_from(number)?);
            store.runs.logs().append(run.id, number, &LogLine { at, level, text: text.to_owned() })?;
        }
    }
    Ok(())
}

async fn alerts(store: &Store, now: DateTime<Utc>) -> Seeded<()> {
    let alert = |key: &str, severity, title: &str, detail: &str, server: &str| -> Seeded<NewAlert> {
        Ok(NewAlert {
            key: key.to_owned(),
            source: "holdfast.backup".to_owned(),
            severity,
            title: title.to_owned(),
            detail: detail.to_owned(),
            server: Some(ServerName::new(server)?),
        })
    };
    let failed = alert(
        "backup-failed/mail",
        Severity::Critical,
        "mail could not be backed up",
        "the disk /var/lib/libvirt/images/mail-0.qcow2 cannot be read: permission denied; its newest recovery point is a day old; \
         let the appliance read that file",
        "mail",
    )?;
    for hours in [25, 21, 17, 1] {
        store.alerts.raise(failed.clone(), now - Duration::hours(hours)).await?;
    }
    let old = alert(
        "backup-failed/file1",
        Severity::Warning,
        "file1 could not be backed up",
        "the vault did not answer",
        "file1",
    )?;
    store.alerts.raise(old, now - Duration::days(6)).await?;
    store
        .alerts
        .resolve("holdfast.backup", "backup-failed/file1", now - Duration::days(6) + Duration::hours(1))
        .await?;
    Ok(())
}

async fn audit(store: &Store, now: DateTime<Utc>) -> Seeded<()> {
    let entries = [
        ("user:anna", "sign-in", "anna", Verdict::Allowed, None),
        ("user:anna", "plugins.grant", "holdfast.backup/retention", Verdict::Allowed, None),
        ("plugin:holdfast.backup run:4", "recovery-points.create", "erp-db", Verdict::Allowed, None),
        ("user:otto", "sign-in", "otto", Verdict::Refused, Some("wrong name or password, from 10.0.0.31")),
    ];
    for (number, (who, action, subject, verdict, reason)) in (0..).zip(entries) {
        let at = now - Duration::minutes(90 - 20 * number);
        let (who, action, subject) = (who.to_owned(), action.to_owned(), subject.to_owned());
        store
            .audit
            .append(AuditEntry { at, who, action, subject, verdict, reason: reason.map(str::to_owned) })
            .await?;
    }
    Ok(())
}
