//! Names with namespaces, and the namespaces that mean something here.

use std::{fmt, sync::Arc};

use callgate_transform::xml::is_name;

/// XML Schema.
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// Attributes of instances: `xsi:type`, `xsi:nil`.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// `xml:lang` and its kin, which no document has to declare.
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// WSDL 1.1.
pub(crate) const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
/// WSDL's binding to SOAP 1.1.
pub(crate) const WSDL_SOAP11: &str = "http://schemas.xmlsoap.org/wsdl/soap/";
/// WSDL's binding to SOAP 1.2.
pub(crate) const WSDL_SOAP12: &str = "http://schemas.xmlsoap.org/wsdl/soap12/";
/// WSDL's binding to MIME parts: attachments.
pub(crate) const WSDL_MIME: &str = "http://schemas.xmlsoap.org/wsdl/mime/";
/// SOAP encoding of 1.1, with the arrays that rpc/encoded messages are made of.
pub(crate) const ENCODING11: &str = "http://schemas.xmlsoap.org/soap/encoding/";
/// The same of SOAP 1.2.
pub(crate) const ENCODING12: &str = "http://www.w3.org/2003/05/soap-encoding";

/// A name with its namespace, which is empty for a name without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub(crate) namespace: Arc<str>,
    pub(crate) local: Arc<str>,
}

impl Name {
    pub(crate) fn new(namespace: impl Into<Arc<str>>, local: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), local: local.into() }
    }

    /// The name that a document declares something by, which messages are written with: `None` where it is no name of XML,
    /// and would break them.
    pub(crate) fn declared(namespace: impl Into<Arc<str>>, local: &str) -> Option<Self> {
        let local = local.trim();
        is_local(local).then(|| Self::new(namespace, local))
    }

    pub(crate) fn is(&self, namespace: &str, local: &str) -> bool {
        &*self.local == local && &*self.namespace == namespace
    }
}

/// Whether a text is a name of XML without a prefix.
pub(crate) fn is_local(text: &str) -> bool {
    is_name(text) && !text.contains(':')
}

/// `{namespace}local`, as James Clark writes names.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.local)
        } else {
            write!(f, "{{{}}}{}", self.namespace, self.local)
        }
    }
}
