// The validation programs of the OCI, pinned. Nothing here is imported: `run` builds them from the module itself.
module runt/conformance/runtime-tools

go 1.19

require github.com/opencontainers/runtime-tools v0.9.1-0.20250303011046-260e151b8552
