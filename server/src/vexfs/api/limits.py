"""The limits of the surfaces, in one place: what one request, and all of them together, may take."""

MESSAGE_MAX_BYTES = 16 * 1024 * 1024
"""The largest request message."""
TRANSPORT_MAX_BYTES = 4 * MESSAGE_MAX_BYTES
"""Above this gRPC's transport itself refuses a message, without our details."""
BODY_MAX_BYTES = 24 * 1024 * 1024
"""The largest JSON body: a message of MESSAGE_MAX_BYTES whose bytes are base64, and its punctuation."""
LINE_MAX_BYTES = 32 * 1024
"""The longest request line and header of HTTP: a path of 4,096 bytes may be three times that when percent-encoded."""
CALLS_MAX = 1000
"""Calls that run at the same time; more are told to come again."""
READER_THREADS = 8
"""Reads that run at the same time; more wait their turn."""
WAITER_THREADS = 32
"""Calls that wait for a view at the same time; more wait for their turn to wait."""
