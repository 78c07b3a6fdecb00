//! What a component can be linked to: our interfaces and WASI with an empty context; and what it asks for, in words.
//!
//! WASI is there because every toolchain's runtime imports it. Its context is empty: no files, no environment, no
//! sockets, no input; it can tell the time, draw random numbers and write to a tail that only a fault shows.

use super::{instance::InstanceData, manifest::CONTRACT};
use crate::capability::{
    bindings::{Plugin, PluginPre},
    session::Session,
};
use wasmparser::{Parser, Payload};
use wasmtime::{
    Engine,
    component::{Component, HasData, Linker},
};

/// Our interfaces live in packages with this prefix.
const OURS: &str = "holdfast:";

/// From a store's data to the session the capabilities work on.
struct InSession;

impl HasData for InSession {
    type Data<'a> = &'a mut Session;
}

/// A linker with everything this appliance offers.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<InstanceData>> {
    let mut linker: Linker<InstanceData> = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Plugin::add_to_linker::<_, InSession>(&mut linker, |data| &mut data.session)?;
    Ok(linker)
}

/// Links a component without running it; what does not fit is said in words.
pub(super) fn fit(
    linker: &Linker<InstanceData>,
    component: &Component,
) -> Result<PluginPre<InstanceData>, String> {
    let linked = linker
        .instantiate_pre(component)
        .map_err(|error| format!("it imports something this appliance does not offer: {error:#}"))?;
    PluginPre::new(linked).map_err(|error| {
        format!(
            "it does not export what a plugin must (holdfast:plugin/jobs@{}.{}.0): {error:#}",
            CONTRACT.0, CONTRACT.1
        )
    })
}

/// The names a component imports, read without compiling it.
pub(super) fn imports(component: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentImportSection(section)) if depth == 0 => {
                names.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Ok(_) => {}
            // What does not parse does not compile either, and that is where it is said.
            Err(_) => break,
        }
    }
    names
}

/// Our interfaces among them: an upper bound of what the plugin can use.
pub(super) fn our_interfaces(imports: &[String]) -> Vec<String> {
    imports.iter().filter(|name| name.starts_with(OURS)).cloned().collect()
}

/// Which of our interfaces are asked for in a version this appliance does not have, in words.
pub(super) fn version_problems(imports: &[String], offered: &[String]) -> Vec<String> {
    our_interfaces(imports)
        .iter()
        .filter_map(|import| {
            let (name, version) = import.split_once('@')?;
            let line = |version: &str| version.rsplit_once('.').map(|(line, _)| line.to_owned());
            let have: Vec<&str> = offered
                .iter()
                .filter_map(|offer| offer.split_once('@'))
                .filter(|(offer, _)| *offer == name)
                .map(|(_, version)| version)
                .collect();
            if have.is_empty() {
                return Some(format!(
                    "it needs {name} {version}, which this appliance does not have; update the appliance"
                ));
            }
            let fits = have.iter().any(|have| line(have) == line(version));
            (!fits).then(|| format!("it needs {name} {version}, this appliance has {}", have.join(" and ")))
        })
        .collect()
}

/// Our interfaces in the versions this appliance has.
pub(super) fn offered() -> Vec<String> {
    let names = [
        "run/run",
        "state/state",
        "operations/operations",
        "servers/servers",
        "recovery-points/recovery-points",
        "retention/retention",
        "vaults/vaults",
        "alerts/alerts",
        "metrics/metrics",
    ];
    names.iter().map(|name| format!("{OURS}{name}@0.1.0")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_line_of_an_interface_is_named_with_both_versions() {
        let imports = ["holdfast:vaults/vaults@0.2.0".to_owned(), "wasi:io/poll@0.2.0".to_owned()];
        assert_eq!(
            version_problems(&imports, &offered()),
            ["it needs holdfast:vaults/vaults 0.2.0, this appliance has 0.1.0"]
        );
    }

    #[test]
    fn a_patch_within_the_line_is_left_to_the_linker() {
        assert!(version_problems(&["holdfast:run/run@0.1.7".to_owned()], &offered()).is_empty());
    }

    #[test]
    fn an_unknown_interface_is_named() {
        assert_eq!(version_problems(&["holdfast:power/power@0.1.0".to_owned()], &offered()).len(), 1);
    }

    #[test]
    fn what_is_said_to_be_offered_is_what_the_contract_imports() {
        let contract = include_str!("../../../wit/plugin/plugin.wit");
        let imported: Vec<String> = contract
            .lines()
            .filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'))
            .map(str::to_owned)
            .collect();
        assert_eq!(offered(), imported);
    }
}
