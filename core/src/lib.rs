//! Callgate core: traits, registry, configuration, routes, policies and dispatch.
