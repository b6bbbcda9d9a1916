"""The whole of VexFS at once: a real `vexfs serve`, real mounts, the `vexfs` command as people type it."""
