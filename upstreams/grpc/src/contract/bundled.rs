//! Definitions of Google's that descriptions import, and that come with every build of this crate.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;
use protox::{
    Compiler, Error,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};

const FILES: [(&str, &str); 3] = [
    ("google/api/annotations.proto", include_str!("../../protos/google/api/annotations.proto")),
    ("google/api/http.proto", include_str!("../../protos/google/api/http.proto")),
    (ERROR_DETAILS, include_str!("../../protos/google/rpc/error_details.proto")),
];

const ERROR_DETAILS: &str = "google/rpc/error_details.proto";

/// Finds the files that come along.
pub(super) struct Bundled;

impl FileResolver for Bundled {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match FILES.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}

/// The files that come along, and those of protobuf itself, behind others.
pub(super) fn behind(mut others: ChainFileResolver) -> ChainFileResolver {
    others.add(Bundled);
    others.add(GoogleFileResolver::new());
    others
}

/// The types of `google.rpc` that details of a status are made of.
pub(crate) fn error_details() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        let mut compiler = Compiler::with_file_resolver(behind(ChainFileResolver::new()));
        match compiler.open_file(ERROR_DETAILS) {
            Ok(compiler) => compiler.descriptor_pool(),
            Err(_) => DescriptorPool::new(),
        }
    });
    &POOL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_that_come_along_compile() {
        assert!(error_details().get_message_by_name("google.rpc.BadRequest.FieldViolation").is_some());
        let mut compiler = Compiler::with_file_resolver(behind(ChainFileResolver::new()));
        let pool = compiler.open_file("google/api/annotations.proto").unwrap().descriptor_pool();
        assert_eq!(pool.get_extension_by_name("google.api.http").unwrap().number(), 72_295_728);
    }
}
