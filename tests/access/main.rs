//! Who may come in and how often, through the real binary: real Redis, a stand-in for an issuer of tokens, real services
//! that decide.

mod credentials;
mod external;
mod gateway;
mod limits;
mod together;
mod tokens;
