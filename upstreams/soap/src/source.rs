//! Where a description comes from: files, which are read at once, or the network, which may not be there yet.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use callgate_core::{Body, Context, Files};
use callgate_http::HttpClient;
use callgate_wsdl::{Contract, Documents, is_url};
use http::{HeaderValue, Request, StatusCode, Uri, header::AUTHORIZATION};
use tokio::sync::Notify;

use crate::address::Addresses;

/// The largest document of a description, in bytes.
const LARGEST: u64 = 16 << 20;

/// How many bytes all documents of a description may have together.
const LARGEST_SUM: u64 = 64 << 20;

/// How long a document may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Between two tries to fetch a description: at first, and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Reads a description from files; `None` where a part of it has to be fetched.
///
/// # Errors
/// The file could not be read, or is no WSDL.
pub(crate) fn from_files(wsdl: &Path, files: &Files) -> Result<Option<Contract>, String> {
    let mut documents = Documents::new(&wsdl.to_string_lossy());
    let (mut whole, mut room) = (true, LARGEST_SUM);
    while let Some(location) = documents.wanted() {
        if is_url(&location) {
            whole = false;
        } else {
            files.note(&*location);
            let text = read(&location, &mut room);
            documents.give(location, text);
        }
    }
    // What is wrong with the WSDL itself is known in either case.
    documents.check()?;
    if whole { Contract::new(&documents).map(Some) } else { Ok(None) }
}

/// Reads a file, for which there is so much room left.
fn read(location: &str, room: &mut u64) -> Result<String, String> {
    let bytes = callgate_core::contents(location, LARGEST.min(*room)).map_err(|error| error.to_string())?;
    *room = room.saturating_sub(bytes.len() as u64);
    text(&bytes)
}

fn text(bytes: &[u8]) -> Result<String, String> {
    callgate_wsdl::text("", bytes)
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| "it is in a character encoding that is not supported".to_owned())
}

/// How documents are fetched.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    pub(crate) client: HttpClient,
    pub(crate) addresses: Arc<Addresses>,
    /// Sent to the host of the WSDL itself, and to no other.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) context: Context,
}

/// Why a description could not be had.
#[derive(Debug)]
pub(crate) enum NotFetched {
    /// It may be had later.
    Absent(String),
    /// What is there is no description.
    Wrong(String),
}

impl Fetcher {
    /// A description, parts of which have to be fetched.
    pub(crate) async fn contract(&self, wsdl: &str) -> Result<Contract, NotFetched> {
        let mut documents = Documents::new(wsdl);
        let mut room = LARGEST_SUM;
        while let Some(location) = documents.wanted() {
            let text = if is_url(&location) {
                self.fetch(&location, wsdl, &mut room).await
            } else {
                let (path, mut left) = (location.to_string(), room);
                let read = self.context.blocking(move || (read(&path, &mut left), left)).await;
                let (text, left) = read.unwrap_or_else(|stopped| (Err(stopped.to_string()), room));
                room = left;
                text
            };
            if let (Err(reason), true) = (&text, *location == *wsdl) {
                return Err(NotFetched::Absent(reason.clone()));
            }
            documents.give(location, text);
        }
        Contract::new(&documents).map_err(NotFetched::Wrong)
    }

    async fn fetch(&self, url: &str, wsdl: &str, room: &mut u64) -> Result<String, String> {
        let address = self.addresses.of(url).map_err(|error| error.to_string())?;
        let mut request =
            Request::get(Uri::from(address.target.clone())).body(Body::empty()).map_err(|error| error.to_string())?;
        let own = self.addresses.of(wsdl).is_ok_and(|own| own.endpoint.to_string() == address.endpoint.to_string());
        if let Some(authorization) = self.authorization.as_ref().filter(|_| own) {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let exchange = async {
            let reply =
                self.client.send(&address.endpoint, request).await.map_err(|error| callgate_core::chain(&error))?;
            if reply.status() != StatusCode::OK {
                return Err(format!("it answered {}", reply.status()));
            }
            let bytes = reply.into_body().collect(LARGEST.min(*room)).await.map_err(|error| error.to_string())?;
            *room = room.saturating_sub(bytes.len() as u64);
            text(&bytes)
        };
        tokio::time::timeout(LONGEST, exchange).await.unwrap_or_else(|_| Err("it did not come in time".to_owned()))
    }
}

/// A description that is fetched in the background until it is there, and again where it lacks what a function needs.
#[derive(Debug)]
pub(crate) struct Awaited {
    /// Or why it is not there.
    contract: Mutex<Result<Arc<Contract>, String>>,
    unfit: Notify,
}

impl Awaited {
    /// Goes on fetching a description, which failed for this reason.
    pub(crate) fn start(fetcher: Fetcher, wsdl: String, reason: String) -> Arc<Self> {
        let awaited = Arc::new(Self { contract: Mutex::new(Err(reason)), unfit: Notify::new() });
        let (own, context) = (Arc::clone(&awaited), fetcher.context.clone());
        context.spawn(async move {
            let (mut wait, most) = WAITS;
            loop {
                tokio::time::sleep(wait.mul_f64(0.75 + f64::from(fastrand::u8(..)) / 512.0)).await;
                wait = (wait * 2).min(most);
                match fetcher.contract(&wsdl).await {
                    Ok(contract) => {
                        tracing::info!(upstream = fetcher.context.name(), "The WSDL was fetched.");
                        *own.contract() = Ok(Arc::new(contract));
                        own.unfit.notified().await;
                    }
                    Err(NotFetched::Absent(reason) | NotFetched::Wrong(reason)) => {
                        tracing::debug!(upstream = fetcher.context.name(), reason, "The WSDL could not be fetched.");
                        let mut contract = own.contract();
                        // One that is there serves the functions that fit it.
                        if contract.is_err() {
                            *contract = Err(reason);
                        }
                    }
                }
            }
        });
        awaited
    }

    /// The description, or why it is not there.
    pub(crate) fn get(&self) -> Result<Arc<Contract>, String> {
        self.contract().clone()
    }

    /// Has it fetched again, after a while, as a function can't be bound to it.
    pub(crate) fn wants_another(&self) {
        self.unfit.notify_one();
    }

    fn contract(&self) -> MutexGuard<'_, Result<Arc<Contract>, String>> {
        self.contract.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_there_is_room_for_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wsdl");
        std::fs::write(&file, "<abc/>").unwrap();
        let (file, mut room) = (file.display().to_string(), 8);
        assert_eq!(read(&file, &mut room).unwrap(), "<abc/>");
        assert_eq!(read(&file, &mut room).unwrap_err(), "it has over 2 bytes");
        assert_eq!(
            from_files(Path::new("/dev/zero"), &Files::new(Path::new("/"))).unwrap_err(),
            "it is no regular file"
        );
    }
}
