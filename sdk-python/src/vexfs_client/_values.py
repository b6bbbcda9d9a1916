"""Python values to the well-known messages and back: metadata, vectors, names of files. Pure."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vexfs_client._generated.google.protobuf import ListValue, NullValue, Struct, Value
from vexfs_client._generated.vexfs import v1
from vexfs_client._types import File, FileRef, Metadata, Metric, SearchMode, Vector, VectorLike, VectorStorage

FileName = str | int | bytes | os.PathLike[str] | File | FileRef
"""What names a file: an absolute path (`/docs/a.md`), its id, a path in bytes where it is not UTF-8, a `File` (by its id), or a
`FileRef`."""

_EXACT_INT = 2**53


def to_ref(name: FileName) -> v1.FileRef:
    """The reference that a name stands for. Raises TypeError."""
    if isinstance(name, FileRef):
        return _ref(name.name, name.follow)
    return _ref(name, follow=False)


def _ref(name: object, follow: bool) -> v1.FileRef:
    match name:
        case str():
            return v1.FileRef(path=name, follow=follow)
        case bool():
            pass
        case int():
            return v1.FileRef(id=name, follow=follow)
        case bytes():
            return v1.FileRef(path_bytes=name, follow=follow)
        case File():
            return v1.FileRef(id=name.id, follow=follow)
        case os.PathLike():
            return _ref(os.fspath(name), follow)
    raise TypeError(f"a file is named by a path, an id, bytes, a File or a FileRef, not by {type(name).__name__}")


def to_vector(values: VectorLike) -> v1.Vector:
    """A vector as packed little-endian 32-bit floats. Raises ValueError if it is not one-dimensional."""
    with np.errstate(over="ignore"):  # what becomes infinite is refused by the server, like an infinity that was given
        array = np.asarray(values, dtype="<f4")
    if array.ndim != 1:
        raise ValueError(f"a vector has one dimension, not {array.ndim}")
    return v1.Vector(values=array.tobytes())


def from_vector(message: v1.Vector) -> Vector:
    """The vector as an array of its own."""
    return np.frombuffer(message.values, dtype="<f4").astype(np.float32)


def to_struct(metadata: Mapping[str, Any]) -> Struct:
    """A JSON object. Raises TypeError for what JSON has not, ValueError for NaN and infinity."""
    return Struct(fields={_key(key): to_value(value) for key, value in metadata.items()})


def to_value(value: Any) -> Value:
    """A JSON value."""
    match value:
        case None:
            return Value(null_value=NullValue.NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case str():
            return Value(string_value=value)
        case int() | float() | np.integer() | np.floating():
            number = float(value)
            if not math.isfinite(number):
                raise ValueError(f"metadata holds {number}, which JSON has not")
            return Value(number_value=number)
        case Mapping():
            return Value(struct_value=to_struct(value))
        case Sequence() if not isinstance(value, (bytes, bytearray)):
            return Value(list_value=ListValue(values=[to_value(item) for item in value]))
    raise TypeError(f"metadata cannot hold {type(value).__name__}: it is JSON")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys of metadata are strings, not {type(key).__name__}")
    return key


def from_struct(message: Struct | None) -> Metadata:
    """The object; empty if there is none."""
    return {} if message is None else {key: from_value(value) for key, value in message.fields.items()}


def from_value(message: Value) -> Any:
    """The value; whole numbers as int, as far as a 64-bit float holds them exactly."""
    if message.string_value is not None:
        return message.string_value
    if message.number_value is not None:
        number = float(message.number_value)  # from JSON it may be an int
        return int(number) if number.is_integer() and abs(number) <= _EXACT_INT else number
    if message.bool_value is not None:
        return message.bool_value
    if message.struct_value is not None:
        return from_struct(message.struct_value)
    if message.list_value is not None:
        return [from_value(item) for item in message.list_value.values]
    return None


def to_mode(mode: SearchMode | str | None) -> v1.SearchMode:
    """The search mode of that name. Raises ValueError for a name that is none."""
    return v1.SearchMode.UNSPECIFIED if mode is None else v1.SearchMode[SearchMode(mode).name]


def to_metric(metric: Metric | str) -> v1.Metric:
    """The metric of that name. Raises ValueError for a name that is none."""
    return v1.Metric[Metric(metric).name]


def to_storage(storage: VectorStorage | str) -> v1.VectorStorage:
    """The storage of that name. Raises ValueError for a name that is none."""
    return v1.VectorStorage[VectorStorage(storage).name]


def check_32_bits(**numbers: int | None) -> None:
    """Raise ValueError for a number that takes more than 32 bits: on the wire it would be cut to another one."""
    for name, number in numbers.items():
        if number is not None and not -(2**31) <= number < 2**32:
            raise ValueError(f"{name} is {number}, which takes more than 32 bits")
