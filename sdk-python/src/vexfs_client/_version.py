"""The release of this package; hatchling reads it, and the user agent names it."""

__version__ = "0.1.0"
