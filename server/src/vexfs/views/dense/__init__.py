"""The dense view: finds files and passages by vectors, through an exact part in memory and immutable ScaNN generations on disk.

Used by `vexfs.core.search`; the API process owns the one `DenseView` of a volume, and the `builder` process makes generations.
Nothing in here is truth: the folder `derived/generations` can be deleted at any time and is made again.

    view.py         one thread that tails the logs and keeps the indexes; what they have and what is pending
    sources.py      where rows come from: the volume's vectors, the indexer's passages
    index.py        one index: the state that searches read, changed by one writer
    ranking.py      searching a state: exact, approximate, or among the rows of given files
    metrics.py      scores
    rows.py         keys and the arrays of rows
    quantization.py rows in two bytes or one a component, and how far a score out of them can be off
    compact.py      the rows of a generation, quantized in memory, the exact ones read from its file
    engine.py       ScaNN, and nobody else imports it
    calibration.py  how far a searcher must look to reach its recall
    generation.py   a generation on disk: manifest, checks, names;  rowfiles.py its rows, streamed
    builder.py      the process that makes a generation;  launcher.py starts it; memory.py what it may take
    coding.py       searchers over what came since the generation, in memory
"""

import os

# Rows are scored by one thread a query: more threads cost more than they bring at these sizes. It counts when this package is
# imported before numpy; the server's processes get it from their environment.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
