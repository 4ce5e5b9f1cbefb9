//! Callgate's transformation layer: templates, extraction, JSON and XML shaping.
