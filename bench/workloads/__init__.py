"""What the mount benchmark makes a file system do, beside single metadata operations; one file a kind of work."""
