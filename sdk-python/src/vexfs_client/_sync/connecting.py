# Made from _async/connecting.py by scripts/make-sync.
"""From settings to the driver of their transport."""

from vexfs_client._errors import SettingsError
from vexfs_client._settings import Settings

from .grpc_driver import GrpcDriver
from .transport import Transport


def connect(settings: Settings) -> Transport:
    """The transport for these settings; it connects when the first call is made. Raises SettingsError."""
    if settings.transport == "grpc":
        return GrpcDriver(settings)
    try:
        from .rest_driver import RestDriver
    except ImportError as error:
        text = f"transport: rest needs a package that is not there ({error.name}): pip install 'vexfs-client[rest]'"
        raise SettingsError("transport", text) from None
    return RestDriver(settings)
