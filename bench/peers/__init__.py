"""What VexFS is measured beside."""
