//! What changed, told to open pages as server-sent events. An event says only *that* something changed: the page asks
//! again by itself, with its own rights, so nothing can leak here.
//!
//! The stream ends with the session, with the appliance, and when the browser goes. It does not keep a session alive.

use super::{Admin, auth::gate::Visitor};
use crate::model::name::RunId;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{Stream, stream};
use serde::Deserialize;
use std::{convert::Infallible, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Interval, MissedTickBehavior, interval},
};

/// How often progress is looked at, and the session with it.
const BEAT: Duration = Duration::from_secs(1);
/// A line that says nothing, so that a dead connection is noticed.
const STILL_HERE: u32 = 15;
/// Changes of these tables are not shown on any page, or are made by looking at it.
const SILENT: [&str; 2] = ["sessions", "metrics"];

/// The route of the stream.
pub fn router() -> Router<Admin> {
    Router::new().route("/events", get(listen))
}

#[derive(Debug, Default, Deserialize)]
struct Watched {
    run: Option<RunId>,
}

async fn listen(
    State(admin): State<Admin>,
    watched: Query<Watched>,
    request: axum::extract::Request,
) -> Response {
    let Some(visitor) = request.extensions().get::<Visitor>().cloned() else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let changes = admin.store.subscribe();
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let line = Line { admin, visitor, run: watched.run, changes, beat, quiet: 0, progress: None };
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(line.words())).into_response()
}

/// One open stream.
struct Line {
    admin: Admin,
    visitor: Visitor,
    run: Option<RunId>,
    changes: Receiver<crate::store::Change>,
    beat: Interval,
    quiet: u32,
    progress: Option<crate::model::run::Progress>,
}

impl Line {
    fn words(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        let begin = Bytes::from_static(b"retry: 3000\n\n");
        stream::unfold((self, Some(begin)), async |(mut line, begin)| {
            let word = match begin {
                Some(begin) => begin,
                None => line.next().await?,
            };
            Some((Ok(word), (line, None)))
        })
    }

    /// The next thing to say; none ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let changed = tokio::select! {
                () = self.admin.closing.cancelled() => return None,
                change = self.changes.recv() => match change {
                    Ok(change) => !SILENT.contains(&change.table),
                    Err(RecvError::Lagged(_)) => true,
                    Err(RecvError::Closed) => return None,
                },
                _ = self.beat.tick() => match self.on_beat() {
                    Beat::End => return None,
                    Beat::StillHere => return Some(Bytes::from_static(b": still here\n\n")),
                    Beat::Progress => true,
                    Beat::Nothing => false,
                },
            };
            if changed {
                self.quiet = 0;
                return Some(Bytes::from_static(b"event: change\ndata:\n\n"));
            }
        }
    }

    fn on_beat(&mut self) -> Beat {
        let session = &self.visitor.session;
        if !matches!(self.admin.store.sessions.get(&session.digest), Ok(Some(_))) {
            return Beat::End;
        }
        let now = self.run.and_then(|run| self.admin.ports.runs.progress(run));
        if now != self.progress {
            self.progress = now;
            return Beat::Progress;
        }
        self.quiet += 1;
        if self.quiet >= STILL_HERE {
            self.quiet = 0;
            return Beat::StillHere;
        }
        Beat::Nothing
    }
}

enum Beat {
    End,
    Progress,
    StillHere,
    Nothing,
}
