//! The main job once: a point, a change, a second point, both restored and compared, and the vault checked to the last byte.

use super::{
    super::{client::Client, context::Context, failure::Failure},
    Protected, compare,
    disk::DemoDisk,
    report::{Report, Step},
    server_name,
    site::{Site, to_success},
};
use crate::{
    admin::api::{points::RestoreOrder, runs::RunQueued, vaults::VerifyOrder},
    machine::image,
    model::{job::RestoreFormat, point::PointRecord, run::Run, server::DiskLocation},
};
use holdfast_vault::DiskReader;
use std::path::Path;

pub(super) async fn run(
    context: &Context,
    client: &Client,
    room: &Path,
    protected: &Protected,
) -> Result<(), Failure> {
    let site =
        Site::furnish(client, &room.join("vault"), protected.path(), server_name(protected)?, None).await?;
    say(context, "Taking the first recovery point …");
    let before = digest(protected.path()).await?;
    let (first_run, first) = site.back_up(client, context).await?;
    let changed = change(protected).await?;
    say(context, "Taking the second …");
    let (second_run, second) = site.back_up(client, context).await?;
    say(context, "Restoring both and comparing …");
    let mut steps =
        vec![made("recovery point 1", &first_run, &first), made("recovery point 2", &second_run, &second)];
    for (number, point) in [(1, &first), (2, &second)] {
        let target = room.join(format!("restored-{number}.raw"));
        let run = restore(client, context, point, &target).await?;
        let verdict = match number {
            1 => same_digest(&before, &target).await?,
            _ => same_bytes(protected, &target).await?,
        };
        steps.push(restored(number, &run, point, protected, verdict, &target));
        if matches!(protected, Protected::Demo(_)) {
            remove(&target)?;
        }
    }
    steps.push(verified(client, context, &site, &[&first, &second]).await?);
    if !changed {
        say(context, "Your own disk is only read, so nothing was changed between the two points.");
    }
    let report = Report { server: site.server.to_string(), good: steps.iter().all(|step| step.good), steps };
    context.print(&report, Report::text)?;
    if report.good { Ok(()) } else { Err(Failure::Said) }
}

fn say(context: &Context, text: &str) {
    if !context.json {
        eprintln!("{text}");
    }
}

/// Whether the disk was changed: the demo's is, a person's own never.
async fn change(protected: &Protected) -> Result<bool, Failure> {
    match protected {
        Protected::Demo(disk) => {
            let mut disk = disk.clone();
            blocking(move || disk.change()).await??;
            Ok(true)
        }
        Protected::Own(_) => Ok(false),
    }
}

async fn restore(
    client: &Client,
    context: &Context,
    point: &PointRecord,
    target: &Path,
) -> Result<Run, Failure> {
    remove(target)?;
    let order = RestoreOrder {
        target: target.to_owned(),
        disk: point.disks.first().map(|(name, _)| name.clone()),
        format: RestoreFormat::Raw,
        overwrite: false,
    };
    let path = format!("/points/{}/{}/restore", point.vault, point.id);
    let queued: RunQueued = client.post(&path, &order).await?;
    to_success(client, context, queued).await
}

async fn verified(
    client: &Client,
    context: &Context,
    site: &Site,
    points: &[&PointRecord],
) -> Result<Step, Failure> {
    let path = format!("/vaults/{}/verify", site.vault);
    let queued: RunQueued = client.post(&path, &VerifyOrder { read_data: true }).await?;
    let run = to_success(client, context, queued).await?;
    Ok(Step {
        step: "verify, every byte".to_owned(),
        disk: points.iter().map(|point| point.sizes.stored).sum(),
        read: None,
        changed: None,
        stored: None,
        seconds: seconds(&run),
        good: true,
        result: "intact".to_owned(),
    })
}

fn made(step: &str, run: &Run, point: &PointRecord) -> Step {
    Step {
        step: step.to_owned(),
        disk: point.sizes.disks,
        read: Some(point.sizes.read),
        changed: Some(point.sizes.changed),
        stored: Some(point.sizes.stored),
        seconds: seconds(run),
        good: true,
        result: point.id.chars().take(12).collect(),
    }
}

fn restored(
    number: u32,
    run: &Run,
    point: &PointRecord,
    protected: &Protected,
    difference: Option<String>,
    target: &Path,
) -> Step {
    let sound = match protected {
        Protected::Demo(_) => DemoDisk::is_sound(target),
        Protected::Own(_) => None,
    };
    let result = match (&difference, sound) {
        (Some(difference), _) => difference.clone(),
        (None, Some(true)) => "identical, file system sound".to_owned(),
        (None, Some(false)) => "identical, but the file system is not sound".to_owned(),
        (None, None) => "identical".to_owned(),
    };
    Step {
        step: format!("restore of point {number}"),
        disk: point.sizes.disks,
        read: None,
        changed: None,
        stored: None,
        seconds: seconds(run),
        good: difference.is_none() && sound != Some(false),
        result,
    }
}

fn seconds(run: &Run) -> f64 {
    let took = run.started.zip(run.ended).map(|(from, to)| (to - from).num_milliseconds());
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
    let seconds = took.unwrap_or(0) as f64 / 1000.0;
    seconds
}

async fn same_digest(before: &str, target: &Path) -> Result<Option<String>, Failure> {
    let after = digest(target).await?;
    Ok((after != before).then(|| "DIFFERENT from the disk as it was".to_owned()))
}

async fn same_bytes(protected: &Protected, target: &Path) -> Result<Option<String>, Failure> {
    let (one, other) = (protected.path().to_owned(), target.to_owned());
    let difference = blocking(move || {
        compare::first_difference(&*open(&one)?, &*open(&other)?).map_err(|error| unreadable(&other, &error))
    })
    .await??;
    Ok(difference.map(|at| match protected {
        Protected::Demo(_) => format!("DIFFERENT from byte {at} on"),
        Protected::Own(_) => format!("DIFFERENT from byte {at} on; was the disk in use?"),
    }))
}

async fn digest(path: &Path) -> Result<String, Failure> {
    let path = path.to_owned();
    blocking(move || compare::digest(&*open(&path)?).map_err(|error| unreadable(&path, &error))).await?
}

fn open(path: &Path) -> Result<Box<dyn DiskReader>, Failure> {
    image::open(&DiskLocation::from_text(&path.to_string_lossy()))
        .map_err(|error| Failure::failed(error.to_string()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "{} cannot be read ({error}); nothing was compared: check the path",
        path.display()
    ))
}

fn remove(target: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::failed(format!(
            "{} is in the way and cannot be removed ({error})",
            target.display()
        ))),
        _ => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::failed(format!("a thread of the trial ended ({error}); report this")))
}
