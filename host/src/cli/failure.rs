//! How a command fails: the words for a person and the exit code for a script.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | all of it was done |
//! | 1 | it was not done, or only part of it |
//! | 2 | the command line is not one this program understands |
//! | 3 | the appliance cannot be reached |

use crate::admin::api::problem::Problem;
use std::process::ExitCode;

/// What `--help` says of exit codes.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done; 1 not done, or only part of it; 2 wrong command line; 3 the appliance cannot be reached.";

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was not done. The text says why and what to do.
    #[error("{0}")]
    Failed(String),
    /// The appliance said no.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// What was typed cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// No answer from the appliance.
    #[error("{0}")]
    Unreachable(String),
    /// It was done or not, and all that needed saying has been said.
    #[error("")]
    Said,
}

impl Failure {
    /// It was not done.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    /// What was typed cannot be meant.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Refused(_) | Self::Said => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
        }
    }

    /// Says it on standard error, as words or as JSON, and ends with its code.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if matches!(self, Self::Said) {
            return ExitCode::from(self.code());
        }
        if json {
            let error = match self {
                Self::Refused(problem) => serde_json::json!({ "error": problem.detail, "problem": problem }),
                other => serde_json::json!({ "error": other.to_string() }),
            };
            eprintln!("{error}");
        } else {
            eprintln!("{}", self.words());
        }
        ExitCode::from(self.code())
    }

    /// The error as a person reads it; every wrong field on a line of its own.
    pub fn words(&self) -> String {
        let mut words = format!("holdfast: {self}");
        if let Self::Refused(problem) = self
            && problem.errors.len() > 1
        {
            for error in &problem.errors {
                words.push_str(&format!("\n  {}: {}", error.field, error.detail));
            }
        }
        words
    }
}

impl From<crate::model::name::NameError> for Failure {
    fn from(error: crate::model::name::NameError) -> Self {
        Self::Usage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::api::problem::{FieldError, Kind};

    #[test]
    fn scripts_can_tell_a_wrong_command_line_from_a_dead_appliance() {
        assert_eq!(Failure::failed("x").code(), 1);
        assert_eq!(Failure::usage("x").code(), 2);
        assert_eq!(Failure::Unreachable("x".into()).code(), 3);
        assert_eq!(Failure::Refused(Box::new(Problem::new(Kind::Invalid, "x"))).code(), 1);
    }

    #[test]
    fn several_wrong_fields_are_listed_below_the_first() {
        let field = |name: &str, detail: &str| FieldError { field: name.into(), detail: detail.into() };
        let problem = Problem::fields(vec![
            field("disks", "is empty; a server has at least one disk"),
            field("rpo_minutes", "is 0; give 1 to 2635200"),
        ]);
        insta::assert_snapshot!(Failure::Refused(Box::new(problem)).words(), @r"
        holdfast: disks: is empty; a server has at least one disk (and 1 more); nothing was changed
          disks: is empty; a server has at least one disk
          rpo_minutes: is 0; give 1 to 2635200
        ");
    }
}
