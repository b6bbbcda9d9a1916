"""VexFS: a file system you can search by meaning.

The package holds the reference server and the ``vexfs`` command; ARCHITECTURE.md walks its folders.
"""

__version__ = "0.1.0"
