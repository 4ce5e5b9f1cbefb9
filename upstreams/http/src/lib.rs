//! The HTTP client that upstream kinds of Callgate share.
