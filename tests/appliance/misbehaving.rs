//! Plugins that misbehave, beside a backup that must not notice.
