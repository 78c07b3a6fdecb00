//! Alerts: at most one open alert for each source and key; raising it again counts up.

use super::{Engine, StoreError, Table, Transaction, key::part};
use crate::model::{
    alert::{Alert, Severity},
    name::{AlertId, ServerName},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;

/// The mark that counts alerts.
pub(super) const COUNTER: &str = "alerts";

const OPEN: &str = "alerts/open/";

/// What is wrong, from whoever found it.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// A plugin's id or `appliance`.
    pub source: String,
    /// What makes it the same alert.
    pub key: String,
    /// How bad.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: String,
    /// What it means and what to do.
    pub detail: String,
    /// The server it is about.
    pub server: Option<ServerName>,
}

/// Alerts, open and past.
#[derive(Clone)]
pub struct Alerts {
    table: Table<AlertId, Alert>,
    index: Table<String, u64>,
    marks: Table<String, u64>,
}

impl Alerts {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            table: Table::new("alerts", engine),
            index: Table::new("index", engine),
            marks: Table::new("marks", engine),
        }
    }

    /// Opens an alert, or counts up the open one of the same source and key. A count of 1 says it is new.
    pub async fn raise(&self, new: NewAlert, now: DateTime<Utc>) -> Result<Alert, StoreError> {
        let this = self.clone();
        self.table.engine.commit(move |transaction| this.raise_in(transaction, new, now)).await
    }

    /// As [`Alerts::raise`], together with other changes.
    pub fn raise_in(
        &self,
        transaction: &mut Transaction<'_>,
        new: NewAlert,
        now: DateTime<Utc>,
    ) -> Result<Alert, StoreError> {
        let place = open_key(&new.source, &new.key);
        let open = match self.index.get_in(transaction, &place)? {
            Some(id) => self.table.get_in(transaction, &AlertId(id))?,
            None => None,
        };
        let alert = match open {
            Some(open) => again(open, new, now),
            None => {
                let number = self.marks.get_in(transaction, &COUNTER.to_owned())?.unwrap_or(0) + 1;
                self.marks.put_in(transaction, &COUNTER.to_owned(), &number)?;
                first(AlertId(number), new, now)
            }
        };
        self.put_in(transaction, &alert)?;
        Ok(alert)
    }

    /// Ends the open alert of that source and key, if there is one.
    pub async fn resolve(
        &self,
        source: &str,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Alert>, StoreError> {
        let place = open_key(source, key);
        self.change(
            move |this, transaction| Ok(this.index.get_in(transaction, &place)?.map(AlertId)),
            move |alert| alert.resolved = Some(now),
        )
        .await
    }

    /// Ends an open alert by its number.
    pub async fn resolve_by_id(&self, id: AlertId, now: DateTime<Utc>) -> Result<Option<Alert>, StoreError> {
        self.change(
            move |_, _| Ok(Some(id)),
            move |alert| {
                alert.resolved.get_or_insert(now);
            },
        )
        .await
    }

    /// Marks an alert as seen and taken by `who`.
    pub async fn acknowledge(&self, id: AlertId, who: &str) -> Result<Option<Alert>, StoreError> {
        let who = who.to_owned();
        self.change(move |_, _| Ok(Some(id)), move |alert| alert.acknowledged = Some(who)).await
    }

    async fn change(
        &self,
        find: impl FnOnce(&Self, &Transaction<'_>) -> Result<Option<AlertId>, StoreError> + Send + 'static,
        change: impl FnOnce(&mut Alert) + Send + 'static,
    ) -> Result<Option<Alert>, StoreError> {
        let this = self.clone();
        self.table
            .engine
            .commit(move |transaction| {
                let Some(id) = find(&this, transaction)? else { return Ok(None) };
                let Some(mut alert) = this.table.get_in(transaction, &id)? else { return Ok(None) };
                change(&mut alert);
                this.put_in(transaction, &alert)?;
                Ok(Some(alert))
            })
            .await
    }

    fn put_in(&self, transaction: &mut Transaction<'_>, alert: &Alert) -> Result<(), StoreError> {
        self.table.put_in(transaction, &alert.id, alert)?;
        let (place, open) = index_of(alert);
        if open {
            self.index.put_in(transaction, &place, &alert.id.0)?;
        } else if self.index.get_in(transaction, &place)? == Some(alert.id.0) {
            self.index.remove_in(transaction, &place);
        }
        Ok(())
    }

    /// One alert.
    pub fn get(&self, id: &AlertId) -> Result<Option<Alert>, StoreError> {
        self.table.get(id)
    }

    /// The open alert of that source and key.
    pub fn open_of(&self, source: &str, key: &str) -> Result<Option<Alert>, StoreError> {
        match self.index.get(&open_key(source, key))? {
            Some(id) => self.table.get(&AlertId(id)),
            None => Ok(None),
        }
    }

    /// Open alerts: the worst first, then the newest.
    pub fn open(&self) -> Result<Vec<Alert>, StoreError> {
        let ids = self.index.list_prefix(OPEN)?;
        let mut open: Vec<Alert> = ids
            .into_iter()
            .filter_map(|id| self.table.get(&AlertId(id)).transpose())
            .collect::<Result<_, _>>()?;
        open.sort_by_key(|alert| std::cmp::Reverse((alert.severity, alert.seen, alert.id)));
        Ok(open)
    }

    /// All alerts, oldest first.
    pub fn list(&self) -> Result<Vec<Alert>, StoreError> {
        self.table.list()
    }

    /// The newest alerts, open and past, newest first.
    pub fn newest(&self, limit: usize) -> Result<Vec<Alert>, StoreError> {
        self.table.newest("", None, limit, |_| true)
    }

    /// Deletes alerts that were resolved more than `age` ago, and says how many.
    pub async fn prune(&self, age: TimeDelta, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let this = self.clone();
        self.table
            .engine
            .commit(move |transaction| {
                let mut gone = 0;
                for (_, alert) in this.table.list_in(transaction, "")? {
                    if alert.resolved.is_some_and(|resolved| now - resolved > age) {
                        this.table.remove_in(transaction, &alert.id);
                        gone += 1;
                    }
                }
                Ok(gone)
            })
            .await
    }
}

fn first(id: AlertId, new: NewAlert, now: DateTime<Utc>) -> Alert {
    Alert {
        id,
        key: new.key,
        source: new.source,
        severity: new.severity,
        title: new.title,
        detail: new.detail,
        server: new.server,
        raised: now,
        seen: now,
        count: 1,
        acknowledged: None,
        resolved: None,
    }
}

/// The newest words count; what got worse has to be acknowledged anew.
fn again(open: Alert, new: NewAlert, now: DateTime<Utc>) -> Alert {
    let acknowledged = open.acknowledged.filter(|_| new.severity <= open.severity);
    Alert {
        severity: new.severity,
        title: new.title,
        detail: new.detail,
        server: new.server,
        seen: now,
        count: open.count.saturating_add(1),
        acknowledged,
        ..open
    }
}

fn open_key(source: &str, key: &str) -> String {
    format!("{OPEN}{}/{}", part(source), part(key))
}

/// The index entry of an alert: its key, and whether it is there now.
pub(super) fn index_of(alert: &Alert) -> (String, bool) {
    (open_key(&alert.source, &alert.key), alert.resolved.is_none())
}
