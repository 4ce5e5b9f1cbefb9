//! `/log`: what is logged, and changing it while the gateway runs.

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
    response::Response,
};
use serde_json::{Value, json};
use tracing::info;

use super::{Options, Refusal, Shared, refused};

/// GET shows the filter; PUT changes it, by `?level=debug` or as a whole by `?filter=info,callgate=debug`; DELETE takes
/// the one that the process was started with.
pub(super) async fn log(
    State(shared): State<Shared>,
    method: Method,
    options: Options,
) -> Result<Json<Value>, Response> {
    let log = &shared.log;
    let options = options.among(&["level", "filter"])?;
    let wanted = match (method, options.get("level"), options.get("filter")) {
        (Method::PUT, Some(level), None) => Some(with_level(log.initial(), level)?),
        (Method::PUT, None, Some(filter)) => Some(filter.to_owned()),
        (Method::PUT, ..) => {
            return Err(refused(StatusCode::BAD_REQUEST, "say either `?level=debug` or `?filter=info,callgate=debug`"));
        }
        (Method::DELETE, ..) => Some(log.initial().to_owned()),
        _ => None,
    };
    if let Some(wanted) = wanted {
        log.set(&wanted).map_err(|error| refused(StatusCode::BAD_REQUEST, &error.to_string()))?;
        info!(filter = wanted, "What is logged was changed.");
    }
    Ok(Json(json!({"filter": log.current(), "initial": log.initial()})))
}

/// A filter with another level for all that it does not name.
fn with_level(filter: &str, level: &str) -> Result<String, Refusal> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    if !LEVELS.contains(&level) {
        let message = format!("`level` is one of {}, and not `{level}`", LEVELS.join(", "));
        return Err(refused(StatusCode::BAD_REQUEST, &message).into());
    }
    let named = filter.split(',').filter(|directive| directive.contains('='));
    Ok([level].into_iter().chain(named).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_leaves_what_the_filter_names() {
        let filter = "info,callgate::access=off,lapin=off";
        assert_eq!(with_level(filter, "debug").unwrap(), "debug,callgate::access=off,lapin=off");
        assert!(with_level(filter, "loud").is_err());
    }
}
