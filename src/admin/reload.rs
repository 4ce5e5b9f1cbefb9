//! `POST /reload`, and `GET /reload` for what was reloaded so far.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::Shared;
use crate::reload::{Cause, Outcome, Reload};

/// Reloads, and answers once the new configuration is in force (200), or says why it is not: 422 for one that is wrong,
/// 409 for one that can't be put in force here and now, 500 for a defect. JSON, or text for who asks for `text/plain`.
pub(super) async fn reload(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let reload = shared.reloads.reload(Cause::Request).await;
    let status = match reload.outcome {
        Outcome::Reloaded(_) => StatusCode::OK,
        Outcome::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Outcome::Impossible(_) => StatusCode::CONFLICT,
        Outcome::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if wants_text(&headers) {
        return (status, format!("{}\n", reload.to_string().trim_end())).into_response();
    }
    (status, Json(reload.to_json())).into_response()
}

/// The last reloads, the newest first, and how many there were.
pub(super) async fn history(State(shared): State<Shared>) -> Json<Value> {
    let history = shared.reloads.history();
    let told = history.told();
    let last: Vec<_> = history.last().iter().map(|reload| Reload::to_json(reload)).collect();
    Json(json!({"succeeded": told.succeeded, "failed": told.failed, "last": last}))
}

fn wants_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.trim_start().starts_with("text/plain")
}
