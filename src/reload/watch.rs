//! Notices that a file of the configuration has changed.
//!
//! Folders are watched, and not the files themselves: editors and Kubernetes put another file, or another folder, in the
//! place of a former one. Something that happens in such a folder is only a reason to look; whether a file differs is
//! decided by what is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use callgate_core::document::NamedFiles;
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::{
    sync::mpsc,
    time::{self, Instant, MissedTickBehavior},
};
use tracing::{debug, warn};

use super::{Cause, Reloads};

/// How long nothing must happen in the folders before the files are looked at: what changes together is one change.
const QUIET: Duration = Duration::from_millis(200);

/// The longest that a folder in which something happens all the time keeps files from being looked at.
const LONGEST: Duration = Duration::from_secs(2);

/// How often files are looked at although nothing was noticed. Network file systems tell nothing.
const ANYWAY: Duration = Duration::from_secs(30);

/// The folders that are watched.
struct Watched {
    watcher: Option<RecommendedWatcher>,
    /// By path, with the folder that was there: another one in its place is watched anew.
    folders: BTreeMap<PathBuf, Identity>,
    names: Names,
}

/// Which folder it is: its device and its number there.
type Identity = (u64, u64);

/// What the files are called: an access log that is written beside them is no reason to look.
type Names = Arc<ArcSwap<BTreeSet<OsString>>>;

/// Reloads when files have changed, until the gateway ends.
pub(super) async fn follow(reloads: &Reloads) {
    let shared = &reloads.0;
    // One that waits stands for all that came meanwhile.
    let (happens, mut happened) = mpsc::channel(1);
    let names = Names::default();
    let known = Arc::clone(&names);
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, |event| may_be_a_change(event, &known.load())) {
            happens.try_send(()).ok();
        }
    });
    let watcher = watcher.inspect_err(|error| {
        warn!(%error, "Folders can't be watched; files of the configuration are looked at every 30 s.");
    });
    let mut watched = Watched { watcher: watcher.ok(), folders: BTreeMap::new(), names };
    let mut named = shared.named.subscribe();
    let mut anyway = time::interval(ANYWAY);
    anyway.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let files = Arc::clone(&named.borrow_and_update());
        let looking = shared.background.spawn_blocking(move || {
            watched.follow(&files);
            (watched, files.changed())
        });
        let (again, differ) = match looking.await {
            Ok(looked) => looked,
            Err(error) => return warn!(%error, "The files of the configuration are watched no more."),
        };
        watched = again;
        if !differ.is_empty() {
            reloads.reload(Cause::Files(differ)).await;
        }
        tokio::select! {
            () = shared.ending.cancelled() => return,
            Some(()) = happened.recv() => settle(&mut happened).await,
            // Another attempt, which may have named other files.
            _ = named.changed() => {}
            _ = anyway.tick() => {}
        }
    }
}

/// Waits until nothing more happens.
async fn settle(happened: &mut mpsc::Receiver<()>) {
    let end = Instant::now() + LONGEST;
    loop {
        let quiet = (Instant::now() + QUIET).min(end);
        match time::timeout_at(quiet, happened.recv()).await {
            Ok(Some(())) if Instant::now() < end => {}
            _ => return,
        }
    }
}

/// Whether one of the files may be another than before. That it was read is no change, and the gateway itself does so. What
/// comes, goes or is renamed may be what leads to one; what is only written to has to be one.
fn may_be_a_change(event: &Event, names: &BTreeSet<OsString>) -> bool {
    let is_one = || event.paths.iter().any(|path| path.file_name().is_none_or(|name| names.contains(name)));
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => is_one(),
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Modify(_) => event.paths.is_empty() || is_one(),
        _ => true,
    }
}

impl Watched {
    /// Watches the folders of these files and no others.
    fn follow(&mut self, files: &NamedFiles) {
        self.names.store(Arc::new(files.names()));
        let Some(watcher) = &mut self.watcher else { return };
        let folders = files.folders();
        // Before they are watched: one that is replaced in between is found out the next time.
        let there: BTreeMap<_, _> =
            folders.into_iter().filter_map(|path| identity(&path).map(|identity| (path, identity))).collect();
        self.folders.retain(|path, former| {
            let stays = there.get(path) == Some(former);
            if !stays {
                // A folder that was removed is watched no more by itself.
                watcher.unwatch(path).ok();
            }
            stays
        });
        for (new, identity) in there {
            if self.folders.contains_key(&new) {
                continue;
            }
            match watcher.watch(&new, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.folders.insert(new, identity)),
                Err(error) => debug!(folder = %new.display(), %error, "A folder can't be watched"),
            }
        }
    }
}

fn identity(folder: &Path) -> Option<Identity> {
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, RenameMode};

    use super::*;

    #[test]
    fn a_folder_in_the_place_of_another_is_watched_too() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        let file = folder.join("a.yaml");
        let (tell, told) = std::sync::mpsc::channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| drop(tell.send(event))).unwrap();
        let mut watched = Watched { watcher: Some(watcher), folders: BTreeMap::new(), names: Names::default() };
        let named = NamedFiles::default();
        fs::create_dir(&folder).unwrap();
        named.note(&file);
        watched.follow(&named);
        // The former folder is kept, so that the next one has another number.
        fs::rename(&folder, root.path().join("former")).unwrap();
        watched.follow(&named);
        assert!(watched.folders.is_empty());
        fs::create_dir(&folder).unwrap();
        watched.follow(&named);
        fs::write(&file, "a").unwrap();
        let limit = Duration::from_secs(20);
        while !told.recv_timeout(limit).unwrap().unwrap().paths.contains(&file) {}
        fs::rename(&folder, root.path().join("second")).unwrap();
        fs::create_dir(&folder).unwrap();
        watched.follow(&named);
        let other = folder.join("b.yaml");
        fs::write(&other, "b").unwrap();
        while !told.recv_timeout(limit).unwrap().unwrap().paths.contains(&other) {}
    }

    #[test]
    fn what_is_written_beside_the_files_is_no_change() {
        let names = BTreeSet::from(["callgate.yaml".into()]);
        let changes = |kind: EventKind, name: &str| {
            may_be_a_change(&Event::new(kind).add_path(PathBuf::from("/etc/callgate").join(name)), &names)
        };
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let created = EventKind::Create(CreateKind::Any);
        for (kind, own, other) in [
            (written, true, false),
            (closed, true, false),
            (renamed, true, true),
            (created, true, true),
            (EventKind::Access(AccessKind::Read), false, false),
        ] {
            assert_eq!((changes(kind, "callgate.yaml"), changes(kind, "access.log")), (own, other), "{kind:?}");
        }
    }
}
