"""A volume and a small model of it, driven by the same random operations."""
