//! Callgate upstream kind lambda: AWS Lambda functions.
