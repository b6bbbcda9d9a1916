"""Shows that every SDK and every surface of VexFS behaves alike. See `cli` for the command, `README.md` for the idea."""

__version__ = "0.1.0"
