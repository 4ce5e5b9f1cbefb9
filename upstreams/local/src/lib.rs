//! Callgate upstream kind local: Lambda functions as local processes.
