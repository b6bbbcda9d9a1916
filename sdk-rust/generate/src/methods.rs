//! The table of methods for the tests: what each is called and whether it may be sent again freely.

use prost_reflect::DescriptorPool;
use prost_types::method_options::IdempotencyLevel;

/// The text of `methods.rs`.
pub(crate) fn render(pool: &DescriptorPool) -> String {
    let mut out = String::from(
        "// @generated from the contract by sdk-rust/generate.\n\n\
         /// One method of the contract.\npub struct Method {\n    /// Service and name.\n    pub path: &'static str,\n    \
         /// It changes something, and so carries a `request_id`.\n    pub writes: bool,\n}\n\n\
         /// All methods.\npub const METHODS: &[Method] = &[\n",
    );
    for service in pool.services().filter(|service| service.package_name() == super::PACKAGE) {
        for method in service.methods() {
            let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
            let writes = options.idempotency_level() != IdempotencyLevel::NoSideEffects;
            out.push_str(&format!("    Method {{ path: \"{}/{}\", writes: {writes} }},\n", service.full_name(), method.name()));
        }
    }
    out.push_str("];\n");
    out
}
