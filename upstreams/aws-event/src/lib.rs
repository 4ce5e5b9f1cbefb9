//! Lambda event and reply shapes, shared by the kinds lambda and local.
