//! A document that may come later than the gateway.

use std::{sync::Arc, time::Duration};

use callgate_core::{Context, UpstreamError, chain};
use callgate_openapi::Document;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::Fetcher;

/// How long a load waits for a document.
const AT_LOAD: Duration = Duration::from_secs(10);
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Where the document of an upstream lies once it is there.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    document: watch::Receiver<Option<Arc<Document>>>,
    fetcher: Option<Fetcher>,
}

impl Shelf {
    /// A document that was read.
    pub(crate) fn of(document: Arc<Document>) -> Self {
        Self { document: watch::channel(Some(document)).1, fetcher: None }
    }

    /// A document that is fetched: now, or else as soon as it can be had.
    pub(crate) async fn fetched(fetcher: Fetcher, context: &Context) -> Self {
        let (sender, document) = watch::channel(None);
        match timeout(AT_LOAD, fetcher.fetch()).await {
            Ok(Ok(document)) => drop(sender.send_replace(Some(Arc::new(document)))),
            failed => {
                let reason = failed
                    .map_or_else(|late| late.to_string(), |tried| tried.map_or_else(|e| chain(&e), |_| String::new()));
                warn!(upstream = context.name(), reason, "The OpenAPI document of an upstream can't be had yet.");
                let (fetcher, name) = (fetcher.clone(), context.name().to_owned());
                context.spawn(async move { fetch_for_ever(&fetcher, &sender, &name).await });
            }
        }
        Self { document, fetcher: Some(fetcher) }
    }

    /// The document, if it is there.
    pub(crate) fn document(&self) -> Option<Arc<Document>> {
        self.document.borrow().clone()
    }

    /// The document as the service has it now.
    pub(crate) async fn latest(&self) -> Result<Arc<Document>, UpstreamError> {
        match (&self.fetcher, self.document()) {
            (Some(fetcher), _) => fetcher.fetch().await.map(Arc::new),
            (None, Some(document)) => Ok(document),
            (None, None) => Err(super::super::error::no_document()),
        }
    }
}

async fn fetch_for_ever(fetcher: &Fetcher, shelf: &watch::Sender<Option<Arc<Document>>>, upstream: &str) {
    let mut wait = FIRST_PAUSE;
    loop {
        sleep(wait.mul_f64(fastrand::f64().mul_add(0.5, 0.5))).await;
        if let Ok(document) = fetcher.fetch().await {
            info!(upstream, "The OpenAPI document of an upstream is there.");
            shelf.send_replace(Some(Arc::new(document)));
            return;
        }
        wait = wait.saturating_mul(2).min(LONGEST_PAUSE);
    }
}
