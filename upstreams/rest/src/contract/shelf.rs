//! A document that may come later than the gateway.

use std::{sync::Arc, time::Duration};

use callgate_core::{Context, UpstreamError, chain};
use callgate_openapi::Document;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use super::Fetcher;
use crate::error::no_document;

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
    /// That a document which came late lacks what a function needs.
    unfit: Arc<Notify>,
}

impl Shelf {
    /// A document that was read.
    pub(crate) fn of(document: Arc<Document>) -> Self {
        Self { document: watch::channel(Some(document)).1, fetcher: None, unfit: Arc::default() }
    }

    /// A document that is fetched: now, or else as soon as it can be had.
    pub(crate) async fn fetched(fetcher: Fetcher, context: &Context) -> Self {
        let (sender, document) = watch::channel(None);
        let unfit = Arc::<Notify>::default();
        let fetched = timeout(AT_LOAD, fetcher.fetch()).await;
        let reason = match fetched {
            Ok(Ok(read)) => {
                sender.send_replace(Some(Arc::new(read)));
                return Self { document, fetcher: Some(fetcher), unfit };
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => "it did not come in time".to_owned(),
        };
        warn!(upstream = context.name(), reason, "The OpenAPI document of an upstream can't be had yet.");
        let (again, wanted, name) = (fetcher.clone(), Arc::clone(&unfit), context.name().to_owned());
        context.spawn(async move { fetch_for_ever(&again, &sender, &wanted, &name).await });
        Self { document, fetcher: Some(fetcher), unfit }
    }

    /// Has a document that came late fetched again, after a while, as a function can't be bound to it.
    pub(crate) fn wants_another(&self) {
        self.unfit.notify_one();
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
            (None, None) => Err(no_document()),
        }
    }
}

async fn fetch_for_ever(
    fetcher: &Fetcher,
    shelf: &watch::Sender<Option<Arc<Document>>>,
    unfit: &Notify,
    upstream: &str,
) {
    let mut wait = FIRST_PAUSE;
    loop {
        sleep(wait.mul_f64(fastrand::f64().mul_add(0.5, 0.5))).await;
        wait = wait.saturating_mul(2).min(LONGEST_PAUSE);
        if let Ok(document) = fetcher.fetch().await {
            if shelf.send_replace(Some(Arc::new(document))).is_none() {
                info!(upstream, "The OpenAPI document of an upstream is there.");
            }
            unfit.notified().await;
            debug!(upstream, "The OpenAPI document of an upstream lacks what a function needs; it is fetched again.");
        }
    }
}
