//! What changed, for those who watch: the page's live updates and the ticker.

/// A record was written or removed; it is durable by the time this is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which table.
    pub table: &'static str,
    /// Its key there.
    pub key: String,
}
