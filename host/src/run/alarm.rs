//! Alerts about runs that nobody else would raise: the appliance's own work that failed, and plugins that could not speak
//! for themselves. A failure that a plugin reports is the plugin's to raise, and a person who asked is looking.

use crate::{
    model::{
        alert::Severity,
        job::{Trigger, Work},
        run::{EndCause, Run, RunState},
    },
    store::{NewAlert, Store},
};
use chrono::{DateTime, Utc};

const SOURCE: &str = "appliance";

/// Raises or resolves the alert about the job of a run that has just ended.
pub(super) async fn after(store: &Store, run: &Run, now: DateTime<Utc>) {
    let key = format!("run-failed/{}", run.job);
    let done = if deserves_alert(run) {
        let alert = NewAlert {
            source: SOURCE.to_owned(),
            key,
            severity: Severity::Warning,
            title: format!("{} did not do its work", run.job),
            detail: format!("Run {}: {}", run.id, run.message.as_deref().unwrap_or("no message")),
            server: None,
        };
        store.alerts.raise(alert, now).await.map(|_| ())
    } else if matches!(run.state, RunState::Succeeded | RunState::Degraded) {
        store.alerts.resolve(SOURCE, &key, now).await.map(|_| ())
    } else {
        Ok(())
    };
    if let Err(error) = done {
        tracing::error!(run = %run.id, %error, "the alert about a run could not be written");
    }
}

fn deserves_alert(run: &Run) -> bool {
    let bad = matches!(run.state, RunState::Failed | RunState::Refused);
    let spoke = matches!(run.cause, Some(EndCause::Reported)) && matches!(run.work, Work::Plugin { .. });
    let watched = matches!(run.trigger, Trigger::Person { .. });
    let overlap = matches!(run.cause, Some(EndCause::Overlap));
    bad && !spoke && !watched && !overlap
}
