"""Loading the embedding model in the indexer, and having the built-in one's weights fetched when they are not there.

Used by the embedding thread only, which waits here and nowhere else: words are indexed meanwhile.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time

from vexfs.views.embedding import choice
from vexfs.views.embedding.choice import TextModel
from vexfs.views.embedding.fetch import ENV_OFFLINE
from vexfs.views.embedding.weights import ModelMissing, ModelUnusable, find

logger = logging.getLogger(__name__)

FETCH_EVERY_S = 600.0
LOOK_EVERY_S = 0.5
"""How often weights that were not there are looked for."""
UNUSABLE_EVERY_S = 5.0
"""How often a chosen model that cannot be used is tried again: somebody may have put right what is wrong."""


class AwaitedModel:
    """`stop` ends every wait."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._fetch: subprocess.Popen[bytes] | None = None
        self.failure = ""
        """Why there is no model; empty once there is."""

    def load(self) -> TextModel | None:
        """The model, or None after a while of waiting for it."""
        try:
            model = choice.load(questions=False)
        except ModelMissing as error:
            self.failure = error.message
            logger.warning("no embedding model; search works by words until it is there", extra={"tried": error.message})
            self._wait_for_weights()
            return None
        except ModelUnusable as error:
            if error.message != self.failure:
                logger.error("the embedding model cannot be used; search works by words", extra={"tried": error.message})
            self.failure = error.message
            self._stop.wait(UNUSABLE_EVERY_S)
            return None
        self.failure = ""
        logger.info("embedding model loaded", extra={"model": model.name})
        return model

    def _wait_for_weights(self) -> None:
        """Has them fetched, where that is allowed, and looks for them: somebody else may put them there."""
        next_fetch = time.monotonic() + FETCH_EVERY_S
        if not os.environ.get(ENV_OFFLINE):
            command = [sys.executable, "-m", "vexfs.views.embedding.fetch"]
            self._fetch = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        while not (self._stop.wait(LOOK_EVERY_S) or self._is_there() or time.monotonic() > next_fetch):
            pass
        self.close()

    def _is_there(self) -> bool:
        if self._fetch is not None and self._fetch.poll() is None:
            return False  # it converts what it has fetched; nobody needs to do that twice
        with contextlib.suppress(ModelMissing):
            find()
            return True
        return False

    def close(self) -> None:
        """Ends the fetching; idempotent."""
        process, self._fetch = self._fetch, None
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(1)
