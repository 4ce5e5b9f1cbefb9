//! What every kind of broker has to show beside what every kind has: accepted means taken, and what is not taken, or not
//! known to be, is said so.

mod broker;
mod function;
mod outage;
mod publish;
mod request;
mod shape;

use super::trials::Body;

pub(super) use broker::routes;
pub use broker::{Broker, Place, Taken};
pub use function::{RemoteReply, remote_function};

macro_rules! trials {
    ($($module:ident::$trial:ident,)*) => {
        vec![$((stringify!($trial), (|harness| Box::pin($module::$trial(harness))) as Body<F>)),*]
    };
}

/// Every trial with its name.
pub(super) fn all<F: Broker>() -> Vec<(&'static str, Body<F>)> {
    trials![
        publish::what_is_accepted_is_there,
        publish::a_thousand_messages_are_each_there_once,
        publish::what_nobody_takes_is_unroutable,
        publish::a_message_that_is_too_large_is_refused_and_not_taken,
        publish::a_value_with_a_meaning_in_names_is_the_clients_error,
        publish::headers_of_the_broker_are_not_taken_from_clients,
        publish::the_function_says_what_the_client_is_answered,
        shape::a_whole_request_is_one_document,
        shape::an_event_has_its_attributes_beside_its_data,
        shape::an_event_is_one_document,
        shape::an_event_that_comes_keeps_its_attributes,
        request::a_reply_is_the_response,
        request::nobody_to_answer_is_told_at_once,
        request::silence_leaves_the_outcome_unknown,
        request::replies_of_calls_that_were_dropped_reach_no_other,
        outage::what_was_accepted_survives_a_kill_under_load,
    ]
}
