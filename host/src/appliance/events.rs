//! Turns changes of the state into events that jobs can wait for: a recovery point was made, an alert was raised.

use crate::{
    model::{job::EventKind, name::AlertId},
    run::Runs,
    store::{Change, Store, StoreError},
};
use std::collections::BTreeSet;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// What was there when we looked last; only what is new is an event.
struct Seen {
    points: BTreeSet<String>,
    newest_alert: AlertId,
}

impl Seen {
    fn now(store: &Store) -> Result<Self, StoreError> {
        let points = store.points.list()?.into_iter().map(|p| format!("{}/{}", p.vault, p.id)).collect();
        let newest_alert = store.alerts.newest(1)?.first().map_or(AlertId(0), |alert| alert.id);
        Ok(Self { points, newest_alert })
    }
}

/// Watches until cancelled.
pub(super) async fn watch(store: Store, runs: Runs, stop: CancellationToken) {
    let mut changes = store.subscribe();
    let mut seen = match Seen::now(&store) {
        Ok(seen) => seen,
        Err(error) => {
            tracing::error!(%error, "jobs that wait for events will not be started until the next start");
            return;
        }
    };
    loop {
        let change = tokio::select! {
            () = stop.cancelled() => return,
            change = changes.recv() => change,
        };
        match change {
            Ok(change) => react(&store, &runs, &mut seen, &change).await,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "some changes were not looked at for events")
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn react(store: &Store, runs: &Runs, seen: &mut Seen, change: &Change) {
    match change.table {
        "points" if seen.points.insert(change.key.clone()) => {
            let point = store.points.get(&change.key).ok().flatten();
            if let Some(point) = point {
                runs.event(EventKind::PointCreated, Some(point.server)).await;
            }
        }
        "alerts" => {
            let newest = store.alerts.newest(1).ok().and_then(|alerts| alerts.into_iter().next());
            if let Some(alert) = newest.filter(|alert| alert.id > seen.newest_alert) {
                seen.newest_alert = alert.id;
                runs.event(EventKind::AlertRaised, alert.server).await;
            }
        }
        _ => {}
    }
}
