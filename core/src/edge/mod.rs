//! What happens at the edge to the client, for every request alike: who it is, what is believed, what is removed.

mod address;
mod certificate;
mod connection;
mod forwarded;
mod hop_by_hop;
mod seen;
mod trace;
mod well_formed;

pub use address::{InvalidIpRange, IpRange};
pub(crate) use certificate::Shown as ShownCertificate;
pub use certificate::{AlternativeNames, ClientCertificate};
pub use connection::Connection;
pub(crate) use forwarded::{announce, origin};
pub(crate) use hop_by_hop::{strip_request, strip_response, wants_upgrade};
pub(crate) use seen::{Seen, is_no_trailer};
pub(crate) use trace::{TRACEPARENT, continue_trace, trace_of};
pub(crate) use well_formed::check;
