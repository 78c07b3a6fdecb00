//! The interface `state`: a plugin's own small data, with a quota. Always granted.

use super::{
    bindings::holdfast::state::state::{Error, Host},
    engines::EngineError,
    session::{Gate, Purpose, Session},
};

/// The longest key, in bytes.
const KEY: usize = 256;
/// The largest value, in bytes.
const VALUE: usize = 1 << 20;
/// Keys in one answer.
const KEYS: usize = 1000;
/// Bytes of keys in one answer.
const ANSWER: usize = 60 << 10;

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Unavailable(words) => Self::Unavailable(words),
            EngineError::Quota(words) => Self::Quota(words),
            EngineError::Invalid(words) => Self::Invalid(words),
            other => Self::Other(other.to_string()),
        }
    }
}

impl Host for Session {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.gate.engines.state.get(&self.gate.manifest.id, &key).await.map_err(Error::from))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.gate.set_checked(&key, value).await)
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        if let Err(denied) = self.gate.may_write("state.delete", &key) {
            return Ok(Err(denied));
        }
        Ok(self.gate.engines.state.delete(&self.gate.manifest.id, &key).await.map_err(Error::from))
    }

    async fn keys(
        &mut self,
        prefix: String,
        after: Option<String>,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let found =
            self.gate.engines.state.keys(&self.gate.manifest.id, &prefix, after.as_deref(), KEYS).await;
        Ok(found.map(within_answer).map_err(Error::from))
    }
}

/// As many keys as fit an answer; the plugin asks on after the last one.
fn within_answer(keys: Vec<String>) -> Vec<String> {
    let mut bytes = 0;
    keys.into_iter()
        .take_while(|key| {
            bytes += key.len();
            bytes <= ANSWER
        })
        .collect()
}

impl Gate {
    fn may_write(&self, action: &str, key: &str) -> Result<(), Error> {
        if self.context.dry_run {
            return Err(Error::Denied(format!(
                "denied: this is a dry run, so {action} of \"{key}\" was not done; start the job without the dry run to do it"
            )));
        }
        if self.purpose == Purpose::CheckSettings {
            return Err(Error::Denied(format!(
                "denied: {action} of \"{key}\" was not done; while settings are checked state can only be read"
            )));
        }
        Ok(())
    }

    async fn set_checked(&self, key: &str, value: Vec<u8>) -> Result<(), Error> {
        if key.is_empty() || key.len() > KEY {
            return Err(Error::Invalid(format!(
                "the key has {} bytes; nothing was written; use 1 to {KEY}",
                key.len()
            )));
        }
        if value.len() > VALUE {
            return Err(Error::Invalid(format!(
                "the value of \"{key}\" has {} bytes; nothing was written; the most is {VALUE}",
                value.len()
            )));
        }
        self.may_write("state.set", key)?;
        let id = &self.manifest.id;
        let old = self.engines.state.get(id, key).await?;
        let used = self.engines.state.usage(id).await?;
        let room = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let had = old.as_ref().map_or(0, |old| room(old.len() + key.len()));
        let (bytes, keys) = (
            used.bytes.saturating_sub(had).saturating_add(room(value.len() + key.len())),
            used.keys + u64::from(old.is_none()),
        );
        let quota = self.state_quota;
        if bytes > quota.bytes || keys > quota.keys {
            return Err(Error::Quota(format!(
                "\"{key}\" was not written: plugin {id} keeps {} bytes in {} keys and may keep {} bytes in {} keys; \
                 delete keys it no longer needs",
                used.bytes, used.keys, quota.bytes, quota.keys
            )));
        }
        self.engines.state.set(id, key, value).await.map_err(Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_keys_stays_under_its_size_and_keeps_their_order() {
        let keys: Vec<String> = (0..1000).map(|n| format!("{n:0>256}")).collect();
        let some = within_answer(keys.clone());
        assert!(some.len() * 256 <= ANSWER);
        assert_eq!(some[..], keys[..some.len()]);
        assert!(!some.is_empty());
    }
}
