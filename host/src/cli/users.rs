//! `holdfast users`: who may sign in.

use super::{
    context::Context,
    failure::Failure,
    show::{Column, Table},
};
use crate::{
    admin::api::people::{NewUser, PasswordOrder, RoleOrder, UserView},
    model::{account::Role, name::UserName},
};
use hyper::Method;
use std::{io::IsTerminal, path::PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Everybody who may sign in
    List,
    /// Add a person
    Add {
        /// What to call them
        name: UserName,
        /// viewer sees, operator runs and restores, owner changes
        #[arg(long, value_parser = parse_role, value_name = "viewer|operator|owner")]
        role: Role,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Change what a person may do
    Role {
        /// The person
        name: UserName,
        /// viewer sees, operator runs and restores, owner changes
        #[arg(value_parser = parse_role, value_name = "viewer|operator|owner")]
        role: Role,
    },
    /// Set a person's password and end their sessions
    Password {
        /// The person
        name: UserName,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Remove a person
    Remove {
        /// The person
        name: UserName,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct PasswordSource {
    /// A file with the password on its first line, or - for standard input [default: ask]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    fn read(&self) -> Result<String, Failure> {
        let text = match self.password_file.as_deref() {
            Some(path) if path.as_os_str() != "-" => std::fs::read_to_string(path),
            None if std::io::stdin().is_terminal() => return ask(),
            _ => std::io::read_to_string(std::io::stdin()),
        };
        let text = text.map_err(|error| {
            Failure::failed(format!(
                "the password cannot be read ({error}); nothing was changed: check the file"
            ))
        })?;
        first_line(&text)
    }
}

fn first_line(text: &str) -> Result<String, Failure> {
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::usage("the password is empty; nothing was changed: put it on the first line")),
    }
}

/// Twice, without showing it.
fn ask() -> Result<String, Failure> {
    let once = hidden("New password: ")?;
    if once != hidden("Again: ")? {
        return Err(Failure::failed("the two passwords differ; nothing was changed: try again"));
    }
    first_line(&once)
}

/// A line from the terminal, which shows nothing of it and is as before afterwards, whatever happens.
fn hidden(prompt: &str) -> Result<String, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    struct Restore(Termios);
    impl Drop for Restore {
        fn drop(&mut self) {
            // Nothing better can be done about a terminal that is gone.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
        }
    }
    let failed = |error: std::io::Error| {
        Failure::failed(format!(
            "the terminal cannot be used for a password ({error}); nothing was changed: use --password-file"
        ))
    };
    let before = tcgetattr(std::io::stdin()).map_err(|error| failed(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let _restore = Restore(before);
    tcsetattr(std::io::stdin(), OptionalActions::Now, &silent).map_err(|error| failed(error.into()))?;
    eprint!("{prompt}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    eprintln!();
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A role as people write it.
pub(super) fn parse_role(text: &str) -> Result<Role, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("\"{text}\" is none of viewer, operator, owner"))
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List => {
            let users: Vec<UserView> = client.get("/users").await?;
            context.print(&users, |users| table(users))
        }
        Command::Add { name, role, password } => {
            let new = NewUser { name, role, password: password.read()? };
            let user: UserView = client.post("/users", &new).await?;
            context.print(&user, |user| format!("{} may sign in from now on.\n", user.name))
        }
        Command::Role { name, role } => {
            let user: UserView = client.put(&format!("/users/{name}"), &RoleOrder { role }).await?;
            context.print(&user, |user| format!("{} is now {}.\n", user.name, role_name(user.role)))
        }
        Command::Password { name, password } => {
            let order = PasswordOrder { password: password.read()? };
            client.tell(Method::POST, &format!("/users/{name}/password"), &order).await?;
            context.done(&format!("{name} has a new password and is signed out everywhere."))
        }
        Command::Remove { name } => {
            client.act(Method::DELETE, &format!("/users/{name}")).await?;
            context.done(&format!("{name} may no longer sign in."))
        }
    }
}

/// A role in one word.
pub(super) fn role_name(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

fn table(users: &[UserView]) -> String {
    let mut table = Table::new(&[Column::Left("USER"), Column::Left("ROLE")]);
    for user in users {
        table.row([user.name.to_string(), role_name(user.role)]);
    }
    table.text("Nobody may sign in yet. Open the page with the claim code that the appliance printed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_as_it_is() {
        assert_eq!(first_line(" with spaces \nrest\n").unwrap(), " with spaces ");
        assert!(first_line("\n").is_err());
        assert!(first_line("").is_err());
    }
}
