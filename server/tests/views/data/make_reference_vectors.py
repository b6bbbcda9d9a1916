"""Computes `reference_vectors.json`: embeddings of fixed texts by the library that published the model.

Run once, in an environment of its own that has `sentence-transformers` (which brings torch), over the same weights that VexFS
uses; VexFS itself needs neither:

    python -m venv /tmp/reference && /tmp/reference/bin/pip install sentence-transformers
    /tmp/reference/bin/python server/tests/views/data/make_reference_vectors.py WEIGHTS_FOLDER

WEIGHTS_FOLDER is the complete published model folder (with modules.json, 1_Pooling and the tokenizer's files).
"""

import hashlib
import json
import sys
from pathlib import Path

import sentence_transformers
import torch

TEXTS = [
    "How do I rotate the API keys of a service?",
    "Replacing credentials on a schedule keeps old secrets from being useful.",
    "The cat sat on the mat.",
    "def parse_args(self, args=None):\n    args, argv = self.parse_known_args(args, namespace)\n    return args",
    "Ein kleiner Satz mit Umlauten: äöü, ß und É.",
    "日本語のテキスト, emoji 🙂 and\ttabs\n\n\nnewlines",
    "x",
    "A long text is cut at 256 tokens. " * 60,
]


def main() -> None:
    folder = Path(sys.argv[1])
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    vectors = model.encode(TEXTS, normalize_embeddings=True, convert_to_numpy=True, batch_size=1)
    result = {
        "made_by": f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}",
        "weights_sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "max_seq_length": model.max_seq_length,
        "texts": TEXTS,
        "vectors": [[round(float(value), 8) for value in vector] for vector in vectors],
    }
    target = Path(__file__).with_name("reference_vectors.json")
    target.write_text(json.dumps(result, ensure_ascii=False, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
