//! Single values: the site's name, its time zone, the number of boots.

use super::{Engine, StoreError, Table};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::sync::Arc;

/// Single values by name.
#[derive(Clone)]
pub struct Settings {
    table: Table<String, Value>,
}

impl Settings {
    /// What the site is called, text.
    pub const SITE_NAME: &'static str = "site-name";
    /// The site's IANA time zone, text.
    pub const TIME_ZONE: &'static str = "time-zone";
    /// How often the appliance has started, number.
    pub const BOOTS: &'static str = "boots";

    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self { table: Table::new("settings", engine) }
    }

    /// The value of that name.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(value) = self.table.get(&name.to_owned())? else { return Ok(None) };
        serde_json::from_value(value)
            .map(Some)
            .map_err(|source| StoreError::Decode { table: "settings", reason: format!("{name}: {source}") })
    }

    /// Sets a value.
    pub async fn put<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        let value = serde_json::to_value(value)
            .map_err(|source| StoreError::Encode { table: "settings", reason: source.to_string() })?;
        self.table.put(&name.to_owned(), &value).await
    }

    /// Forgets a value and says whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.table.remove(&name.to_owned()).await
    }

    /// Counts a start of the appliance and gives its number, from 1.
    pub async fn count_boot(&self) -> Result<u64, StoreError> {
        let table = self.table.clone();
        self.table
            .engine
            .commit(move |transaction| {
                let key = Self::BOOTS.to_owned();
                let before = table.get_in(transaction, &key)?.and_then(|value| value.as_u64()).unwrap_or(0);
                table.put_in(transaction, &key, &Value::from(before + 1))?;
                Ok(before + 1)
            })
            .await
    }
}
