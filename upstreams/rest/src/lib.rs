//! Callgate upstream kind rest: HTTP services.
