//! Which certificate a client gets: the one for the name that it asks for (SNI, RFC 6066 3).

use std::{collections::HashMap, sync::Arc};

use rustls::{
    SignatureScheme,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Certificates by the names that they are for.
#[derive(Debug)]
pub(super) struct ByName {
    /// All of them; the first is the default.
    keys: Vec<Arc<CertifiedKey>>,
    exact: HashMap<String, Vec<usize>>,
    /// By what stands behind `*.`.
    wild: HashMap<String, Vec<usize>>,
}

impl ByName {
    /// Certificates in the order in which they are preferred.
    pub(super) fn new(keys: Vec<Arc<CertifiedKey>>) -> Self {
        let (mut exact, mut wild) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (index, key) in keys.iter().enumerate() {
            for name in key.cert.first().map(|leaf| names(leaf)).unwrap_or_default() {
                match name.strip_prefix("*.") {
                    Some(suffix) => wild.entry(suffix.to_owned()).or_default().push(index),
                    None => exact.entry(name).or_default().push(index),
                }
            }
        }
        Self { keys, exact, wild }
    }

    /// Those for a name; a certificate for the very name goes before one for all names of its domain.
    fn of(&self, name: &str) -> &[usize] {
        let name = name.to_ascii_lowercase();
        let wild = || self.wild.get(name.split_once('.')?.1);
        self.exact.get(&name).or_else(wild).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first for a name that the client can verify, else the default.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut known =
            name.map(|name| self.of(name)).unwrap_or_default().iter().filter_map(|index| self.keys.get(*index));
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let found = known.find(fits).or_else(|| self.keys.iter().find(fits)).or_else(|| self.keys.first());
        found.map(Arc::clone)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

/// The domain names of a certificate, in lower case.
fn names(leaf: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return Vec::new() };
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::crypto::aws_lc_rs::sign::any_supported_type;
    use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    use super::*;

    fn key(names: &[&str]) -> Arc<CertifiedKey> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Arc::new(CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&key).unwrap()))
    }

    #[test]
    fn the_nearest_name_decides_and_the_first_is_for_all_others() {
        let keys =
            [key(&["default.test"]), key(&["*.shop.test"]), key(&["Pay.shop.test", "pay.test"]), key(&["shop.test"])];
        let by_name = ByName::new(keys.to_vec());
        let schemes = [SignatureScheme::ECDSA_NISTP256_SHA256];
        for (asked, expected) in [
            (None, 0),
            (Some("nobody.test"), 0),
            (Some("a.shop.test"), 1),
            (Some("a.b.shop.test"), 0),
            (Some("shop.test"), 3),
            (Some("pay.shop.test"), 2),
            (Some("PAY.TEST"), 2),
        ] {
            let chosen = by_name.choose(asked, &schemes).unwrap();
            assert!(Arc::ptr_eq(&chosen, &keys[expected]), "{asked:?}");
        }
    }

    #[test]
    fn of_two_for_one_name_the_client_gets_the_one_that_it_can_verify() {
        let rsa = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = CertificateParams::new(["a.test".to_owned()]).unwrap().self_signed(&rsa).unwrap();
        let rsa = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(rsa.serialize_der()));
        let rsa = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&rsa).unwrap()));
        let by_name = ByName::new(vec![key(&["a.test"]), Arc::clone(&rsa)]);
        let chosen = by_name.choose(Some("a.test"), &[SignatureScheme::RSA_PSS_SHA256]).unwrap();
        assert!(Arc::ptr_eq(&chosen, &rsa));
    }
}
