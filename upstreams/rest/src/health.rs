//! Endpoints are asked whether they are well.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use callgate_core::{Body, Invalid, Period};
use callgate_http::{Endpoint, HttpClient};
use callgate_transform::OneOrMany;
use futures_util::future::join_all;
use http::{Request, Uri, header};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::balance::{Balancer, Member};

const DEFAULT_EVERY: Period = Period::from_secs(10);
const DEFAULT_TIMEOUT: Period = Period::from_secs(2);
const DEFAULT_HEALTHY: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
const DEFAULT_UNHEALTHY: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

/// How endpoints are asked whether they are well. One that is not gets no calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// What is asked for by GET, at the endpoint's root and not below its URL's path: `/healthz`.
    pub path: String,
    /// The pause between two questions to an endpoint. Default: 10s.
    #[serde(default = "default_every")]
    pub every: Period,
    /// How long an answer may take. Default: 2s.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// So many good answers one after the other make an endpoint well again. Default: 2.
    #[serde(default = "default_healthy")]
    pub healthy: NonZeroU32,
    /// So many failures one after the other make it unwell. Default: 3.
    #[serde(default = "default_unhealthy")]
    pub unhealthy: NonZeroU32,
    /// The statuses of a good answer. Default: 200 to 299.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OneOrMany<u16>>,
}

const fn default_every() -> Period {
    DEFAULT_EVERY
}

const fn default_timeout() -> Period {
    DEFAULT_TIMEOUT
}

const fn default_healthy() -> NonZeroU32 {
    DEFAULT_HEALTHY
}

const fn default_unhealthy() -> NonZeroU32 {
    DEFAULT_UNHEALTHY
}

impl Health {
    /// What can't be right.
    pub(crate) fn check(&self) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        if !self.path.starts_with('/') || self.path.parse::<Uri>().is_err() {
            invalid
                .push(Invalid::new(format!("`{}` is no path", self.path)).at("health.path").hint("write `/healthz`"));
        }
        for (field, period) in [("every", self.every), ("timeout", self.timeout)] {
            if Duration::from(period).is_zero() {
                let wrong = Invalid::new("no time at all").at(format!("health.{field}"));
                invalid.push(wrong.hint("leave it out for the default"));
            }
        }
        for status in self.status.iter().flatten().filter(|status| !(200..600).contains(*status)) {
            let wrong = Invalid::new(format!("`{status}` is no final status")).at("health.status");
            invalid.push(wrong.hint("write one from 200 to 599"));
        }
        invalid
    }

    fn is_good(&self, status: u16) -> bool {
        match &self.status {
            Some(statuses) => statuses.into_iter().any(|good| *good == status),
            None => (200..300).contains(&status),
        }
    }
}

/// Answers in a row that say something else than what is held of an endpoint.
#[derive(Debug, Clone, Copy, Default)]
struct Dissent(u32);

impl Dissent {
    /// Takes an answer in. Whether the opposite is held from now on.
    fn hear(&mut self, agrees: bool, enough: NonZeroU32) -> bool {
        self.0 = if agrees { 0 } else { self.0 + 1 };
        let turned = self.0 >= enough.get();
        if turned {
            self.0 = 0;
        }
        turned
    }
}

/// Asks all endpoints, again and again. Each is held for well until it has failed often enough.
pub(crate) async fn watch(client: HttpClient, balancer: Arc<Balancer>, health: Health, upstream: String) {
    let mut dissents: Vec<_> = balancer.members().map(|_| Dissent::default()).collect();
    loop {
        let asked = balancer.members().zip(&mut dissents).map(|(member, dissent)| async {
            let answer = ask(&client, &member.endpoint, &health).await;
            settle(member, dissent, answer, &health, &upstream);
        });
        join_all(asked).await;
        // Gateways that start together don't ask together for ever.
        sleep(Duration::from(health.every).mul_f64(fastrand::f64().mul_add(0.2, 0.9))).await;
    }
}

fn settle(member: &Member, dissent: &mut Dissent, answer: Result<(), String>, health: &Health, upstream: &str) {
    let unwell = member.standing.is_unhealthy();
    let enough = if unwell { health.healthy } else { health.unhealthy };
    if !dissent.hear(answer.is_ok() != unwell, enough) {
        return;
    }
    member.standing.set_unhealthy(!unwell);
    let endpoint = member.endpoint.authority();
    match answer {
        Ok(()) => tracing::info!(upstream, %endpoint, "An endpoint is well again, and gets calls."),
        Err(reason) => tracing::warn!(upstream, %endpoint, reason, "An endpoint is not well, and gets no calls."),
    }
}

/// Asks once.
async fn ask(client: &HttpClient, endpoint: &Endpoint, health: &Health) -> Result<(), String> {
    let request = Request::get(&health.path)
        .header(header::USER_AGENT, concat!("callgate/", env!("CARGO_PKG_VERSION")))
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let answered = timeout(health.timeout.into(), async {
        let reply = client.send(endpoint, request).await.map_err(|error| callgate_core::chain(&error))?;
        let status = reply.status().as_u16();
        let mut body = reply.into_body();
        // To its end, so that the connection can be used again.
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| callgate_core::chain(&error))?;
        }
        if health.is_good(status) { Ok(()) } else { Err(format!("it answered {status}")) }
    });
    answered.await.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(written: serde_json::Value) -> Health {
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn only_answers_in_a_row_turn_what_is_held() {
        let (mut dissent, three) = (Dissent::default(), NonZeroU32::new(3).unwrap());
        for (agrees, turned) in
            [(false, false), (false, false), (true, false), (false, false), (false, false), (false, true)]
        {
            assert_eq!(dissent.hear(agrees, three), turned);
        }
        assert!(!dissent.hear(false, three));
    }

    #[test]
    fn the_settings_have_defaults_and_are_checked() {
        let health = read(json!({"path": "/healthz"}));
        assert_eq!((health.healthy.get(), health.unhealthy.get(), health.check()), (2, 3, Vec::new()));
        assert!(health.is_good(204) && !health.is_good(302) && !health.is_good(503));
        assert!(read(json!({"path": "/", "status": [401]})).is_good(401));
        let wrong = read(json!({"path": "healthz", "every": "0s", "status": 42}));
        let fields: Vec<_> = wrong.check().into_iter().map(|invalid| invalid.field).collect();
        assert_eq!(fields, ["health.path", "health.every", "health.status"]);
    }
}
