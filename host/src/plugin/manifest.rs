//! `plugin.toml` inside a package: read, and all that is wrong with it said at once.

use super::settings;
use crate::model::plugin::{LimitsAsked, Manifest};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The contract this appliance serves.
pub const CONTRACT: (u32, u32) = (0, 1);

/// Why a manifest cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, or not these fields.
    #[error(
        "the plugin's manifest cannot be read: {reason}; nothing was installed; its author has to correct plugin.toml"
    )]
    Malformed {
        /// Where and what.
        reason: String,
    },
    /// Written for a newer contract.
    #[error(
        "plugin {id} needs appliance contract {needed}, this one has {}.{}; nothing was installed; update the appliance, or ask \
         the author for a version for this contract", CONTRACT.0, CONTRACT.1
    )]
    NewerContract {
        /// The plugin.
        id: String,
        /// What it needs.
        needed: String,
    },
    /// Readable, but wrong.
    #[error("the plugin's manifest is wrong: {}; nothing was installed; its author has to correct plugin.toml", problems.join("; "))]
    Wrong {
        /// Everything wrong with it.
        problems: Vec<String>,
    },
}

/// What any contract's manifest begins with.
#[derive(Deserialize)]
struct Header {
    id: String,
    api: String,
}

/// Reads a manifest and checks all of it.
pub fn read(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let malformed = |reason: String| ManifestError::Malformed { reason };
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8 text".to_owned()))?;
    // A newer contract may have fields unknown here; that it is newer is what its reader has to hear.
    let header: Header = toml::from_str(text).map_err(|error| malformed(one_line(&error)))?;
    if contract(&header.api).is_some_and(|needed| needed > CONTRACT) {
        return Err(ManifestError::NewerContract { id: header.id, needed: header.api });
    }
    let manifest: Manifest = toml::from_str(text).map_err(|error| malformed(one_line(&error)))?;
    let problems = problems(&manifest);
    if problems.is_empty() { Ok(manifest) } else { Err(ManifestError::Wrong { problems }) }
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().trim().replace('\n', " ")
}

fn contract(api: &str) -> Option<(u32, u32)> {
    let (major, minor) = api.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The part of the id that names the publisher.
pub fn publisher(manifest: &Manifest) -> &str {
    manifest.id.as_str().split('.').next().unwrap_or_default()
}

/// Everything wrong with a readable manifest, in words; empty is good.
pub fn problems(manifest: &Manifest) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |problem: String| found.push(problem);
    if !matches!(manifest.id.as_str().split_once('.'), Some((who, what)) if !who.is_empty() && !what.is_empty())
    {
        say(format!("the id \"{}\" is not of the form publisher.name", manifest.id));
    }
    if contract(&manifest.api).is_none() {
        say(format!("api \"{}\" is not a contract version like \"0.1\"", manifest.api));
    }
    if manifest.name.trim().is_empty() {
        say("the name is empty".to_owned());
    }
    if manifest.jobs.is_empty() {
        say("it offers no [[job]]".to_owned());
    }
    let mut jobs = BTreeSet::new();
    for job in &manifest.jobs {
        if !is_word(&job.name) {
            say(format!("the job name \"{}\" is not lower-case letters, digits and '-'", job.name));
        }
        if !jobs.insert(&job.name) {
            say(format!("the job \"{}\" is there twice", job.name));
        }
        if job.why.trim().is_empty() {
            say(format!("the job \"{}\" does not say why", job.name));
        }
    }
    let mut asked = BTreeSet::new();
    for permission in &manifest.permissions {
        let name = permission.capability.name();
        if !asked.insert(name) {
            say(format!("the permission \"{name}\" is asked twice"));
        }
        if permission.why.trim().is_empty() {
            say(format!("the permission \"{name}\" does not say why"));
        }
    }
    found.extend(limit_problems(&manifest.limits));
    found.extend(settings::schema_problems(&manifest.settings));
    found
}

/// Zero is never a limit somebody wants; upper bounds are the appliance's and cap silently.
fn limit_problems(limits: &LimitsAsked) -> Vec<String> {
    [
        ("memory_mib", limits.memory_mib),
        ("cpu_seconds", limits.cpu_seconds),
        ("wall_seconds", limits.wall_seconds),
        ("log_kib", limits.log_kib),
        ("state_kib", limits.state_kib),
        ("operations", limits.operations),
    ]
    .into_iter()
    .filter(|(_, asked)| *asked == Some(0))
    .map(|(name, _)| format!("the limit {name} is 0; leave it out for the default"))
    .collect()
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        id = "acme.x"
        name = "X"
        version = "1.0.0"
        api = "0.1"
        [[job]]
        name = "go"
        why = "test"
    "#;

    #[test]
    fn a_good_manifest_is_read() {
        assert_eq!(read(GOOD.as_bytes()).unwrap().jobs.len(), 1);
    }

    #[test]
    fn a_newer_contract_is_named_even_if_the_rest_is_unknown_here() {
        let newer = GOOD.replace("0.1", "0.2").replace("[[job]]", "[future]\nx = 1\n[[job]]");
        let error = read(newer.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("needs appliance contract 0.2, this one has 0.1"), "{error}");
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let bad = GOOD.replace("acme.x", "acme").replace("\"go\"", "\"Go!\"").replace("\"test\"", "\" \"")
            + "[limits]\nmemory_mib = 0\n[settings.v]\ntype = \"integer\"\ntitle = \"V\"\ndefault = \"x\"\n";
        let Err(ManifestError::Wrong { problems }) = read(bad.as_bytes()) else { panic!("accepted") };
        assert_eq!(problems.len(), 5, "{problems:#?}");
    }

    #[test]
    fn an_unknown_field_is_named() {
        let typo = GOOD.replace("name = \"X\"", "name = \"X\"\ncolour = \"red\"");
        assert!(read(typo.as_bytes()).unwrap_err().to_string().contains("colour"));
    }
}
