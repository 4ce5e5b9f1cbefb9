//! Who a client is by the certificate that it showed.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use callgate_core::{AlternativeNames, ClientCertificate};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::distinguished;

/// What a certificate says, which was verified when the connection was made; `None` for one that can't be read.
pub(in crate::server) fn identity(certificate: &[u8]) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let common_name = parsed.subject().iter_common_name().last().and_then(|name| name.as_str().ok());
    Some(ClientCertificate {
        subject: distinguished::text(parsed.subject()).unwrap_or_default(),
        common_name: common_name.map(str::to_owned),
        issuer: distinguished::text(parsed.issuer()).unwrap_or_default(),
        serial: hex(parsed.raw_serial()),
        fingerprint: hex(digest(&SHA256, certificate).as_ref()),
        not_after: parsed.validity().not_after.timestamp(),
        san: alternative_names(&parsed),
    })
}

fn alternative_names(certificate: &X509Certificate<'_>) -> AlternativeNames {
    let mut names = AlternativeNames::default();
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return names };
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
            GeneralName::URI(uri) => names.uri.push((*uri).to_owned()),
            GeneralName::RFC822Name(address) => names.email.push((*address).to_owned()),
            GeneralName::IPAddress(bytes) => names.ip.extend(address(bytes).map(|address| address.to_string())),
            _ => {}
        }
    }
    names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber};

    use super::*;

    #[test]
    fn a_certificate_tells_who_its_client_is() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["billing.internal".to_owned()]).unwrap();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, "billing");
        params.subject_alt_names.push(SanType::URI("spiffe://example/billing".try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("b@example.test".try_into().unwrap()));
        params.subject_alt_names.push(SanType::IpAddress("2001:db8::7".parse().unwrap()));
        params.serial_number = Some(SerialNumber::from(vec![0x0a, 0xff]));
        let certificate = params.self_signed(&key).unwrap();
        let known = identity(certificate.der()).unwrap();
        assert_eq!((&*known.subject, known.common_name.as_deref()), ("O=Example, CN=billing", Some("billing")));
        assert_eq!((&*known.issuer, &*known.serial), ("O=Example, CN=billing", "0aff"));
        assert_eq!(known.fingerprint.len(), 64);
        assert!(known.not_after > 0);
        assert_eq!(known.san.dns, ["billing.internal"]);
        assert_eq!(known.san.uri, ["spiffe://example/billing"]);
        assert_eq!(known.san.email, ["b@example.test"]);
        assert_eq!(known.san.ip, ["2001:db8::7"]);
        assert!(identity(b"none").is_none());
    }
}
