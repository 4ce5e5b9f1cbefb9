//! A WSDL as the fuzz targets read it.

use callgate_wsdl::{Contract, Documents};

/// Loads a WSDL. What it refers to is not there.
pub fn load(text: &str) -> Result<Contract, String> {
    let mut documents = Documents::new("fuzz.wsdl");
    while let Some(location) = documents.wanted() {
        let given = if &*location == "fuzz.wsdl" { Ok(text.to_owned()) } else { Err("not here".to_owned()) };
        documents.give(location, given);
    }
    Contract::new(&documents)
}
