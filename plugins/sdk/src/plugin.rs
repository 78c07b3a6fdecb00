//! The trait an author implements and the macro that makes it the component's export.

use crate::{Failure, Outcome, Problem};

/// A plugin. The host makes a fresh instance for each run, so there is no `self`: what must last goes into
/// [`state`](crate::state).
pub trait Plugin {
    /// Runs one of the manifest's jobs.
    fn run(job: &str) -> Result<Outcome, Failure>;

    /// What is wrong with the settings beyond what the manifest's schema can say. Only `run` and `state` answer here.
    fn check_settings(_job: &str) -> Vec<Problem> {
        Vec::new()
    }
}

/// Makes a type that implements [`Plugin`](crate::Plugin) the plugin of this component.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ident) => {
        // Natively there is no host to export to, and the exports' names are none a native linker takes.
        #[cfg(not(target_arch = "wasm32"))]
        const _: (
            fn(&str) -> Result<$crate::Outcome, $crate::Failure>,
            fn(&str) -> Vec<$crate::Problem>,
        ) = (<$plugin as $crate::Plugin>::run, <$plugin as $crate::Plugin>::check_settings);

        #[doc(hidden)]
        #[cfg(target_arch = "wasm32")]
        mod holdfast_plugin_export {
            #![allow(unsafe_code, reason = "the component's exports are foreign functions")]
            use $crate::exported::{Guest, log_panics};

            struct Export;

            impl Guest for Export {
                fn run(job: String) -> Result<$crate::Outcome, $crate::Failure> {
                    log_panics();
                    <super::$plugin as $crate::Plugin>::run(&job)
                }
                fn check_settings(job: String) -> Vec<$crate::Problem> {
                    log_panics();
                    <super::$plugin as $crate::Plugin>::check_settings(&job)
                }
            }

            $crate::exported::export_bindings!(Export with_types_in $crate::bindings);
        }
    };
}
