"""The contract as the server sees it: generated messages (`v1`), and what the descriptors say about every method.

`v1` is generated from `proto/vexfs/v1` by `make generate-contract` and never edited. `descriptors` reads routes, permissions,
idempotency and error reasons from the descriptors; `routes` understands the path templates. Used by the surfaces, the command
line and the mount. Holds no behaviour of VexFS.
"""
