//! Writes what is generated in `vexfs-client`: messages and stubs, the reasons of errors, and what its tests need.
//!
//! `vexfs-client-generate DESCRIPTORS SDK_FOLDER` reads a `FileDescriptorSet` with source info (`buf build
//! --as-file-descriptor-set`) and writes into `SDK_FOLDER`. Run by `make generate-sdk-rust`; needs no protoc. The same
//! descriptors give the same files, byte for byte.

mod methods;
mod reasons;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorSet;

const PACKAGE: &str = "vexfs.v1";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(descriptors), Some(sdk)) = (arguments.next(), arguments.next()) else {
        return Err("usage: vexfs-client-generate DESCRIPTORS SDK_FOLDER".into());
    };
    let descriptors = fs::read(descriptors)?;
    let source = sdk.join("src/generated");
    let tests = sdk.join("tests/it/generated");
    fs::create_dir_all(&source)?;
    fs::create_dir_all(&tests)?;

    let pool = DescriptorPool::decode(descriptors.as_slice())?;
    fs::write(source.join("reason.rs"), reasons::render(&pool)?)?;
    fs::write(tests.join("methods.rs"), methods::render(&pool))?;

    // Options of google.api and buf.validate need no code; the well-known types stand in prost-types.
    let mut set = FileDescriptorSet::decode(descriptors.as_slice())?;
    set.file.retain(|file| [PACKAGE, "google.protobuf"].contains(&file.package()));
    client(&source, set)?;

    let adapter = sdk.join("conformance/src/generated");
    fs::create_dir_all(&adapter)?;
    let mut set = FileDescriptorSet::decode(descriptors.as_slice())?;
    set.file.retain(|file| file.name() == "vexfs/conformance/v1/adapter.proto");
    tonic_prost_build::configure().out_dir(adapter).compile_fds(set)?;
    Ok(())
}

/// Messages and client stubs, for the SDK. Bytes are shared, not copied.
fn client(folder: &Path, set: FileDescriptorSet) -> std::io::Result<()> {
    tonic_prost_build::configure().build_server(false).build_transport(false).bytes(".").out_dir(folder).compile_fds(set)
}
