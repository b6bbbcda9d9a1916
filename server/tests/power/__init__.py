"""Power cuts and kills: what was acknowledged is there afterwards, and nothing else is half there.

`recorder.c` records every write, sync and folder change of a process; `disk.py` makes from such a log what may lie on the disk
after a power cut at any point of it (its docstring is the model); `cuts.py` goes through the points and has each state checked.
"""
