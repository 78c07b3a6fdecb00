//! Which servers a job means.

/// A server the plugin may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) rpo_minutes: u32,
}

/// What a job means, and what it names that is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) servers: Vec<Candidate>,
    pub(crate) missing: Vec<String>,
}

const TAG: &str = "tag:";

/// The granted servers a job names, each once, in the order of their names. Naming none means all.
pub(crate) fn choose(granted: &[Candidate], named: &[String]) -> Chosen {
    let is_named = |server: &Candidate| named.is_empty() || named.iter().any(|name| matches(server, name));
    let mut servers: Vec<Candidate> = granted.iter().filter(|server| is_named(server)).cloned().collect();
    servers.sort_by(|a, b| a.name.cmp(&b.name));
    servers.dedup_by(|a, b| a.name == b.name);
    let is_missing =
        |name: &&String| !name.starts_with(TAG) && !granted.iter().any(|server| server.name == **name);
    Chosen { servers, missing: named.iter().filter(is_missing).cloned().collect() }
}

fn matches(server: &Candidate, name: &str) -> bool {
    match name.strip_prefix(TAG) {
        Some(tag) => server.tags.iter().any(|have| have == tag),
        None => server.name == name,
    }
}

/// Why there is nothing to do.
pub(crate) fn nothing_to_do(named: &[String]) -> String {
    if named.is_empty() {
        return "there is no server to back up; add one, or grant this plugin the servers it should protect"
            .to_owned();
    }
    format!(
        "none of the servers this job names can be backed up ({}); no recovery point was made; correct the job's servers, or \
         grant this plugin these servers",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn server(name: &str, tags: &[&str]) -> Candidate {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Candidate { name: name.to_owned(), tags, rpo_minutes: 60 }
    }

    fn names(chosen: &Chosen) -> Vec<&str> {
        chosen.servers.iter().map(|server| server.name.as_str()).collect()
    }

    #[test]
    fn naming_nothing_means_every_server() {
        let granted = [server("b", &[]), server("a", &[])];
        assert_eq!(names(&choose(&granted, &[])), ["a", "b"]);
    }

    #[test]
    fn a_server_meant_by_name_and_by_tag_is_taken_once() {
        let granted = [server("a", &["web"]), server("b", &["web"]), server("c", &[])];
        let chosen = choose(&granted, &["tag:web".into(), "a".into(), "gone".into()]);
        assert_eq!(names(&chosen), ["a", "b"]);
        assert_eq!(chosen.missing, ["gone"]);
    }

    #[test]
    fn a_tag_nobody_has_is_not_missing_but_chooses_nothing() {
        let chosen = choose(&[server("a", &[])], &["tag:web".into()]);
        assert_eq!(chosen, Chosen { servers: vec![], missing: vec![] });
    }

    proptest! {
        #[test]
        fn only_granted_servers_are_ever_chosen(
            granted in prop::collection::vec("[a-e]", 0..6),
            named in prop::collection::vec("(tag:)?[a-g]", 0..6),
        ) {
            let granted: Vec<Candidate> = granted.iter().map(|name| server(name, &[name])).collect();
            let chosen = choose(&granted, &named);
            prop_assert!(chosen.servers.iter().all(|server| granted.contains(server)));
            prop_assert!(chosen.missing.iter().all(|name| named.contains(name)));
        }
    }
}
