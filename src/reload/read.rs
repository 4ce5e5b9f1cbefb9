//! From what was fetched of a configuration to a plan whose files are all right.

use callgate_core::{Registry, document::Report, plan::Plan};

use crate::{server::check_tls, source::Fetched};

/// Reads and checks a configuration, and the files of its listeners.
pub(super) fn read(fetched: &Fetched, registry: &Registry) -> Result<Plan, Report> {
    let plan = fetched.plan(registry)?;
    let refused = refused_tls(&plan);
    if refused.is_empty() { Ok(plan) } else { Err(refused) }
}

/// What is wrong with the files of TLS listeners, which a plan does not read.
pub(crate) fn refused_tls(plan: &Plan) -> Report {
    let wrong = plan.listeners().iter().filter_map(|listener| {
        let tls = listener.tls.as_ref()?;
        let error = check_tls(tls).err()?;
        let (certificate, field) = error.place(tls);
        Some((&*listener.name, certificate, field, error.to_string()))
    });
    plan.refused_tls(wrong)
}
