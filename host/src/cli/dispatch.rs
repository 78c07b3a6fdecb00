//! Which command there is and which file does it.

use super::{context::Context, failure::Failure, *};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Run the appliance
    Serve(serve::Arguments),
    /// Run an appliance with something to protect, to see what it does
    Try(trial::Arguments),
    /// Protected servers
    #[command(subcommand)]
    Server(server::Command),
    /// Where recovery points live
    #[command(subcommand)]
    Vault(vault::Command),
    /// Back servers up now
    Backup(backup::Arguments),
    /// Recovery points
    Points(points::Arguments),
    /// Write a recovery point's disks to files
    Restore(restore::Arguments),
    /// Check that a vault is whole
    Verify(verify::Arguments),
    /// Delete what retention let go and whose grace period is over
    Prune(prune::Arguments),
    /// What runs, and when
    #[command(subcommand)]
    Job(job::Command),
    /// Try a cron rule out
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// What was and is being done
    Runs(runs::Arguments),
    /// Plugins and what they are permitted
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// What a person should know
    Alerts(alerts::Arguments),
    /// Who asked for what, and whether it was allowed
    Audit(audit::Arguments),
    /// Who may sign in
    #[command(subcommand)]
    Users(users::Command),
    /// What programs sign in with
    #[command(subcommand)]
    Token(token::Command),
    /// The appliance's state: out, and in again
    #[command(subcommand)]
    State(state::Command),
    /// Which appliance this is, and who you are to it
    About,
}

pub(super) fn run(command: Command, context: Context) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => wait(serve::run(arguments, &context)),
        Command::Try(arguments) => wait(trial::run(arguments, &context)),
        Command::Server(command) => wait(server::run(command, &context)),
        Command::Vault(command) => wait(vault::run(command, &context)),
        Command::Backup(arguments) => wait(backup::run(arguments, &context)),
        Command::Points(arguments) => wait(points::run(arguments, &context)),
        Command::Restore(arguments) => wait(restore::run(arguments, &context)),
        Command::Verify(arguments) => wait(verify::run(arguments, &context)),
        Command::Prune(arguments) => wait(prune::run(arguments, &context)),
        Command::Job(command) => wait(job::run(command, &context)),
        Command::Schedule(command) => wait(schedule::run(command, &context)),
        Command::Runs(arguments) => wait(runs::run(arguments, &context)),
        Command::Plugin(command) => wait(plugin::run(command, &context)),
        Command::Alerts(arguments) => wait(alerts::run(arguments, &context)),
        Command::Audit(arguments) => wait(audit::run(arguments, &context)),
        Command::Users(command) => wait(users::run(command, &context)),
        Command::Token(command) => wait(token::run(command, &context)),
        Command::State(command) => wait(state::run(command, &context)),
        Command::About => wait(about::run(&context)),
    }
}

fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no thread could be started ({error}); nothing was done")))?
        .block_on(work)
}
