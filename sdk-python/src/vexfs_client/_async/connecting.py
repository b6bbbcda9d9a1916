"""From settings to the driver of their transport."""

from vexfs_client._errors import SettingsError
from vexfs_client._settings import Settings

from .grpc_driver import AsyncGrpcDriver
from .transport import AsyncTransport


def connect(settings: Settings) -> AsyncTransport:
    """The transport for these settings; it connects when the first call is made. Raises SettingsError."""
    if settings.transport == "grpc":
        return AsyncGrpcDriver(settings)
    try:
        from .rest_driver import AsyncRestDriver
    except ImportError as error:
        text = f"transport: rest needs a package that is not there ({error.name}): pip install 'vexfs-client[rest]'"
        raise SettingsError("transport", text) from None
    return AsyncRestDriver(settings)
