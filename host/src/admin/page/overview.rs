//! The first screen: what is protected, what is not, and what to do now.

use super::{
    Asked, AskedQuery, asked,
    icon::{Icon, icon},
    problem::{Answer, sentences},
    shell::{Place, Shell, press},
    shown,
    site::{Site, Steps, Todo, todos},
    standing::{Bar, Protection, Standing, standing},
    words,
};
use crate::{
    admin::{Admin, auth::gate::Visitor},
    model::{
        account::Role,
        alert::Severity,
        job::Work,
        name::{JobName, RunId},
        point::Consistency,
        server::Server,
    },
};
use axum::extract::State;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// One server's line.
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its target in minutes.
    pub rpo_minutes: u32,
    /// How it stands.
    pub standing: Standing,
    /// When its job runs next, and which job.
    pub next: Option<DateTime<Utc>>,
    /// The job that backs it up.
    pub job: Option<JobName>,
    /// A run of that job under way.
    pub running: Option<RunId>,
}

/// Shows the first screen.
pub async fn show(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let Asked { did, .. } = asked(query);
    let site = Site::read(&admin)?;
    let mut lines: Vec<Line> = site.servers.iter().map(|server| line(&admin, &site, server)).collect();
    lines.sort_by(|one, other| {
        (one.standing.protection, &one.name).cmp(&(other.standing.protection, &other.name))
    });
    let todos = todos(&site, &admin.ports);
    let steps = Steps::of(&site);
    let content = html! {
        div id="overview" data-live {
            (headline(&lines, site.now))
            (todo_list(&todos, steps))
            @if !steps.are_done() { (guide(steps, &visitor)) }
            @if !lines.is_empty() { (fleet(&admin, &visitor, &lines, site.now)) }
        }
    };
    let title = title(&lines);
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Overview,
        title: &title,
        did: did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn line(admin: &Admin, site: &Site, server: &Server) -> Line {
    let job = admin.ports.definitions.backup_job_of(server);
    let next = job.as_ref().filter(|job| job.enabled).and_then(|job| admin.ports.definitions.next_run(job));
    let running = job.as_ref().and_then(|job| {
        let of_job =
            |run: &&crate::model::run::Run| run.job == job.name && matches!(run.work, Work::Plugin { .. });
        site.running.iter().find(of_job).map(|run| run.id)
    });
    Line {
        name: server.name.to_string(),
        rpo_minutes: server.rpo_minutes,
        standing: standing(server, site.points_of(server), site.now),
        next,
        job: job.map(|job| job.name),
        running,
    }
}

fn protected(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.standing.protection == Protection::Protected).count()
}

/// The tab says how it stands, too.
fn title(lines: &[Line]) -> String {
    match lines.len() {
        0 => "Overview".to_owned(),
        all => format!("{} of {all} protected", protected(lines)),
    }
}

fn headline(lines: &[Line], now: DateTime<Utc>) -> Markup {
    let (good, all) = (protected(lines), lines.len());
    let worst = lines.iter().map(|line| line.standing.protection).min();
    let (state, mark) = worst.map_or(("none", Icon::None), look_of);
    let newest = lines.iter().filter_map(|line| line.standing.newest.as_ref().map(|newest| newest.0)).max();
    html! {
        div class={"headline " (state)} {
            (icon(mark))
            div {
                h1 {
                    @if all == 0 { "No server is protected yet" }
                    @else if good == all && all == 1 { "The server is protected" }
                    @else if good == all { "All " (all) " servers are protected" }
                    @else { (good) " of " (all) " " (if all == 1 { "server is" } else { "servers are" }) " protected" }
                }
                p {
                    @match newest {
                        Some(at) => { "Newest recovery point " (words::age(now, at)) "." },
                        None if all > 0 => { "There is no recovery point yet." },
                        None => { "Four steps and the first recovery point is there." },
                    }
                }
            }
        }
    }
}

/// Icon and class of a state: shape, colour and word always go together.
pub fn look_of(protection: Protection) -> (&'static str, Icon) {
    match protection {
        Protection::Protected => ("good", Icon::Good),
        Protection::Overdue => ("late", Icon::Late),
        Protection::Unprotected => ("bad", Icon::Bad),
    }
}

fn todo_list(todos: &[Todo], steps: Steps) -> Markup {
    html! {
        @if !todos.is_empty() {
            section aria-labelledby="todo-title" {
                h2 id="todo-title" { "To do now" }
                ul class="todo" {
                    @for todo in todos {
                        @let (class, mark) = severity_look(todo.severity);
                        li class=(class) {
                            (icon(mark))
                            div { strong { (todo.what) } p { @for part in sentences(&todo.why) { (part) " " } } }
                            a class="button quiet" href=(todo.link) { (todo.label) }
                        }
                    }
                }
            }
        } @else if steps.are_done() {
            p class="calm" { "Nothing waits for you." }
        }
    }
}

/// Icon and class of a severity.
pub fn severity_look(severity: Severity) -> (&'static str, Icon) {
    match severity {
        Severity::Critical => ("bad", Icon::Bad),
        Severity::Warning => ("late", Icon::Look),
        Severity::Info => ("none", Icon::Note),
    }
}

fn guide(steps: Steps, visitor: &Visitor) -> Markup {
    let all = [
        (
            steps.vault,
            "Make a vault",
            "Where recovery points live: a directory, or a share that is mounted here.",
            "/vaults/new",
        ),
        (
            steps.server,
            "Add a server",
            "Its disks: files, block devices or network block devices this box can read.",
            "/servers/new",
        ),
        (
            steps.grants,
            "Grant the backup plugin what it asks for",
            "A plugin can do nothing until you allow it.",
            "/plugins",
        ),
        (
            steps.job,
            "Add a job",
            "Which servers, into which vault, how often, how long to keep.",
            "/jobs/new",
        ),
    ];
    let next = all.iter().position(|step| !step.0);
    html! {
        section class="card" aria-labelledby="guide-title" {
            h2 id="guide-title" { "Set up in four steps" }
            ol class="guide" {
                @for (position, (done, name, why, link)) in all.iter().enumerate() {
                    li class=(if *done { "good" } else { "none" }) {
                        (icon(if *done { Icon::Good } else { Icon::None }))
                        div { strong { (name) } p { @if *done { "Done." } @else { (why) } } }
                        @if !done && visitor.may(Role::Owner) {
                            a class=(if Some(position) == next { "button" } else { "button quiet" }) href=(link) { "Go" }
                        }
                    }
                }
            }
        }
    }
}

fn fleet(admin: &Admin, visitor: &Visitor, lines: &[Line], now: DateTime<Utc>) -> Markup {
    html! {
        section aria-labelledby="fleet-title" {
            div class="heading" {
                h2 id="fleet-title" { "Servers" }
                @if visitor.may(Role::Owner) { a class="button quiet" href="/servers/new" { "Add a server" } }
            }
            ul class="fleet" { @for line in lines { (fleet_line(admin, visitor, line, now)) } }
        }
    }
}

fn fleet_line(admin: &Admin, visitor: &Visitor, line: &Line, now: DateTime<Utc>) -> Markup {
    let (class, mark) = look_of(line.standing.protection);
    html! {
        li class=(class) {
            div class="state" {
                (icon(mark))
                div {
                    a class="name" href={"/servers/" (line.name)} { (line.name) }
                    p class="word" { (line.standing.protection.word()) }
                }
            }
            div class="fact" {
                p class="label" { "Newest recovery point" }
                (newest(&line.standing, line.rpo_minutes, now))
            }
            div class="fact" {
                p class="label" { "Latest points" }
                (bars(&line.standing.bars, admin, now))
            }
            div class="fact" {
                p class="label" { "Next run" }
                @if let Some(run) = line.running {
                    p { a href={"/runs/" (run)} { (icon(Icon::Busy)) "under way" } }
                } @else if let Some(at) = line.next {
                    p title=(words::full(at, admin.zone)) { (words::age(now, at)) }
                    p class="small" { (words::moment(now, at, admin.zone)) }
                } @else if line.job.is_some() {
                    p { "only when started" }
                } @else {
                    p { "no job" }
                }
            }
            @if line.job.is_some() && line.running.is_none() {
                (press(visitor, Role::Operator, &format!("/servers/{}/back-up", line.name), "quiet", html! { "Back up now" }))
            }
        }
    }
}

fn newest(standing: &Standing, rpo_minutes: u32, now: DateTime<Utc>) -> Markup {
    html! {
        @if let Some((at, _, consistency)) = &standing.newest {
            p { strong { (words::age(now, *at)) } " " span class="small" { "· at most " (words::target(rpo_minutes)) } }
            (meter(standing.used))
            p class="small" { (consistency_in_words(*consistency)) }
        } @else {
            p { strong { "none" } " " span class="small" { "· at most " (words::target(rpo_minutes)) " old wanted" } }
        }
    }
}

/// How consistent a point is, in words.
pub fn consistency_in_words(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Crash => "crash-consistent",
        Consistency::Application => "application-consistent",
    }
}

/// The age against the target: full is at the target, over it the bar is full and of another kind.
pub fn meter(used: u32) -> Markup {
    let width = used.clamp(2, 100);
    html! {
        svg class=(if used > 100 { "meter over" } else { "meter" }) viewBox="0 0 100 4" preserveAspectRatio="none" role="img"
            aria-label={ (used) " percent of the allowed age" } {
            rect class="track" width="100" height="4" rx="2" {}
            rect class="fill" width=(width) height="4" rx="2" {}
        }
    }
}

/// The newest points as bars: a small history at one glance, sizes on a scale that keeps small ones visible.
pub fn bars(bars: &[Bar], admin: &Admin, now: DateTime<Utc>) -> Markup {
    const WIDTH: usize = 14;
    html! {
        svg class="bars" viewBox="0 0 140 28" role="img" aria-label={ (words::count(bars.len(), "recovery point", "recovery points")) } {
            @for slot in 0..WIDTH.saturating_sub(bars.len()) {
                rect class="gap" x=(slot * 10 + 1) y="25" width="7" height="3" rx="1" {}
            }
            @for (position, bar) in bars.iter().enumerate() {
                @let height = (bar.height * 28 / 100).max(3);
                rect x=((WIDTH - bars.len() + position) * 10 + 1) y=(28 - height) width="7" height=(height) rx="1.5" {
                    title { (words::moment(now, bar.taken, admin.zone)) ": " (words::size(bar.stored)) " stored" }
                }
            }
        }
    }
}
