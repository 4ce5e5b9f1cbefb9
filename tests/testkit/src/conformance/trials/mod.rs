//! The trials, by what they show.

mod bodies;
mod configuration;
mod discovery;
mod failures;
mod messages;
mod recovery;

use std::{future::Future, pin::Pin};

use libtest_mimic::Failed;

use super::{Abilities, Fixture, Harness};

/// A trial: it gets a harness of its own.
pub(super) type Body<F> = fn(Harness<F>) -> Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

/// What a trial needs beyond the common.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    Describes,
    MultiValueHeaders,
    Binary,
    FunctionErrors,
    ChoosesStatus,
    Remote,
    Megabyte,
    Discovers,
}

impl Need {
    /// Whether the kind has it; `discovers` is what the kind itself says.
    pub(super) fn is_in(self, abilities: &Abilities, discovers: bool) -> bool {
        match self {
            Self::Describes => abilities.describes,
            Self::MultiValueHeaders => abilities.multi_value_headers,
            Self::Binary => abilities.binary,
            Self::FunctionErrors => abilities.function_errors,
            Self::ChoosesStatus => abilities.chooses_status,
            Self::Remote => abilities.remote,
            Self::Megabyte => abilities.largest_body >= 1 << 20,
            Self::Discovers => discovers,
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Describes => "the function does not learn the request's head",
            Self::MultiValueHeaders => "the event has one value for each header",
            Self::Binary => "bodies are text",
            Self::FunctionErrors => "a failure cannot be told from a reply",
            Self::ChoosesStatus => "the function does not choose the status",
            Self::Remote => "there is no remote to kill",
            Self::Megabyte => "bodies are smaller",
            Self::Discovers => "the remote does not list its functions",
        }
    }
}

macro_rules! trials {
    ($($module:ident::$trial:ident [$($need:ident),*],)*) => {
        vec![$((
            stringify!($trial),
            &[$(Need::$need),*][..],
            (|harness| Box::pin($module::$trial(harness))) as Body<F>,
        )),*]
    };
}

/// Every trial with its name and what it needs.
pub(super) fn all<F: Fixture>() -> Vec<(&'static str, &'static [Need], Body<F>)> {
    trials![
        messages::method_path_and_query_arrive [Describes],
        messages::a_repeated_header_keeps_its_values [Describes, MultiValueHeaders],
        messages::hop_by_hop_headers_do_not_pass [Describes],
        messages::forwarding_headers_are_set_by_the_gateway [Describes],
        messages::the_functions_status_passes [ChoosesStatus],
        bodies::an_empty_body_stays_empty [],
        bodies::text_passes_unchanged [],
        bodies::any_bytes_pass_unchanged [Binary],
        bodies::a_megabyte_passes_unchanged [Megabyte],
        bodies::a_large_reply_arrives_whole [],
        bodies::a_binary_reply_arrives_whole [Binary],
        bodies::a_body_over_the_limit_is_refused [],
        failures::a_failed_function_is_told_from_a_reply [FunctionErrors],
        failures::the_deadline_is_kept [],
        failures::a_dropped_call_does_no_harm [],
        failures::a_hundred_calls_never_cross [],
        recovery::a_killed_remote_is_told_and_a_restarted_one_is_ready_and_serves [Remote],
        recovery::a_remote_that_is_down_does_not_fail_the_load [Remote],
        discovery::what_discover_lists_can_be_bound [Discovers],
        discovery::a_function_that_is_not_listed_is_told [Discovers],
        discovery::a_remote_that_is_down_lists_nothing_but_says_so [Discovers, Remote],
        configuration::a_mistyped_option_is_named_with_what_is_meant [],
        configuration::secrets_are_in_no_output [],
        configuration::close_ends_and_later_calls_are_answered [],
    ]
}

/// Fails with the text unless the condition holds.
pub(super) fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise().into()) }
}
