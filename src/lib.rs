//! Callgate, a serverless-function-first API gateway.
