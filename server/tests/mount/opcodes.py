"""The names of the requests that the wire module knows, by opcode."""

from vexfs.mount import wire

_NAMES = list(vars(wire))
OPCODES = {getattr(wire, name): name for name in _NAMES[_NAMES.index("FUSE_LOOKUP") : _NAMES.index("OPCODE_MAX")]}
