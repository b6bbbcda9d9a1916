"""The benchmarks lie beside the server, not in it: their tests find them from the top of the checkout."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
