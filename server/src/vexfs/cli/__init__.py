"""The `vexfs` command: a client of the contract like any other, and the commands that start and mount a server.

`main` lists the commands and loads each only when it is asked for. Commands about files and searches talk to a running server
(`connect`); `serve`, `check`, `mount` and `umount` work on this machine's data folder.
"""
