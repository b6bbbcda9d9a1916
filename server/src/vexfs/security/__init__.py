"""Who may call: the token of a data folder, and the Host and Origin check.

Called by the surfaces and the dispatcher of `vexfs.api`, and by the command line to find the local token.
"""
