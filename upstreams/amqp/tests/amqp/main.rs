//! The kind `amqp` against a real RabbitMQ.
//!
//! A node takes long to start, so the trials are a few tests that share one each: `shared` runs beside each other what
//! leaves the node as it is, `disturbed` one after the other what stops, blocks or kills it. On a broker that is given by
//! `CALLGATE_TEST_AMQP`, what needs its settings or users is left out of `shared`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bed;
mod credentials;
mod declarations;
mod faults;
mod publish;
mod refusals;
mod request;
mod stage;
mod suite;
mod trigger;
mod workers;

use std::process::ExitCode;

use callgate_testkit::peers::RabbitMq;
use libtest_mimic::{Arguments, Trial};

use suite::{Trials, beside, in_turn, trials};

fn main() -> ExitCode {
    let mut shared: Trials = trials![
        publish::a_message_is_what_the_request_was,
        publish::the_whole_request_travels_as_json,
        publish::an_event_travels_by_its_attributes,
        publish::the_answer_can_be_chosen,
        publish::a_clients_value_is_one_word_of_the_routing_key,
        publish::many_at_once_get_each_its_own_answer,
        publish::the_exchange_of_the_function_comes_first,
        refusals::a_message_that_no_queue_takes_is_unroutable,
        refusals::a_full_queue_throttles,
        refusals::an_unknown_exchange_is_told_and_nothing_else_suffers,
        refusals::headers_that_are_too_large_are_413,
        request::a_reply_is_the_response,
        request::nobody_and_no_answer_are_told_apart,
        request::a_status_that_is_none_is_a_bad_reply,
        request::replies_never_cross,
        request::calls_that_are_given_up_leave_nothing_behind,
        declarations::what_is_declared_is_made,
        declarations::what_is_declared_otherwise_is_told,
        declarations::nothing_is_made_unless_it_is_declared,
        credentials::refused_credentials_are_denied_and_not_told_to_clients,
        faults::a_connection_that_is_cut_is_made_again,
        faults::another_broker_of_the_list_takes_over,
        workers::each_worker_publishes_by_a_connection_of_its_own,
        workers::with_the_option_off_there_is_one_connection,
        trigger::messages_are_processed_retried_or_put_into_the_dead_letter,
        trigger::a_quorum_queue_counts_tries_over_a_restart,
        trigger::a_queue_that_does_not_count_after_all_reaches_the_dead_letter,
        trigger::a_queue_that_will_be_made_is_not_missed,
        trigger::who_waits_for_a_reply_gets_it,
        trigger::a_drain_finishes_what_runs_and_gives_the_rest_back,
        trigger::what_waits_is_let_go_with_its_connection,
        trigger::a_missing_queue_is_told_and_waited_for,
    ];
    let administered: Trials = trials![
        refusals::what_the_user_may_not_do_is_told_and_nothing_else_suffers,
        refusals::a_message_that_is_too_large_is_413_and_nothing_else_suffers,
        credentials::tls_is_verified_in_both_directions,
        credentials::a_certificate_can_stand_for_the_user,
    ];
    if RabbitMq::given().is_none() {
        shared.extend(administered);
    }
    let disturbed: Trials = trials![
        faults::a_silent_broker_leaves_the_outcome_unknown,
        faults::all_attempts_of_a_request_have_one_id,
        faults::a_blocked_connection_throttles,
        workers::calls_go_on_while_a_worker_gets_no_connection,
        workers::a_blocked_worker_makes_the_upstream_unready,
        faults::what_is_under_way_is_answered_when_the_broker_dies,
    ];
    let killed: Trials = trials![trigger::what_a_queue_holds_is_processed_over_a_kill_of_the_broker,];
    let tests = vec![
        Trial::test("shared", move || beside(shared)),
        Trial::test("disturbed", move || in_turn(disturbed)),
        Trial::test("killed", move || in_turn(killed)),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
