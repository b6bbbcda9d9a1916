"""Settings: the table of docs/sdk.md, what wins over what, and what is refused when a client is made."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from vexfs_client import AsyncClient, Client, SettingsError
from vexfs_client._settings import SETTINGS, load

from .server import REPOSITORY

ROW = re.compile(r"^\| (\w+) \| `(VEXFS_\w+)` \| (.+?) \|", re.MULTILINE)


def table() -> dict[str, tuple[str, str]]:
    """The rows of docs/sdk.md: variable and default by name."""
    rows = ROW.findall((REPOSITORY / "docs" / "sdk.md").read_text())
    assert len(rows) >= 9
    return {name: (variable, default.strip("`")) for name, variable, default in rows}


def shown(default: Any) -> str:
    """A default as the table writes it."""
    match default:
        case None:
            return "none"
        case False:
            return "off"
        case float():
            return f"{default:g}"
    return str(default)


def test_the_settings_are_those_of_the_table() -> None:
    ours = {name: (setting.variable, setting.default) for name, setting in SETTINGS.items()}
    for name, (variable, default) in table().items():
        own_variable, own_default = ours.pop(name)
        assert own_variable == variable
        text = "the system's" if name == "tls_ca" else shown(own_default)
        assert text == default, name
    assert not ours, "settings that docs/sdk.md does not name"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_setting_is_a_keyword_of_the_client(kind: type[Any]) -> None:
    parameters = list(inspect.signature(kind).parameters.values())
    assert {parameter.name for parameter in parameters} == {"transport", *SETTINGS}
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is None for parameter in parameters)


def test_an_argument_wins_over_its_variable_and_that_over_the_default() -> None:
    assert load({}, {}).timeout == 30
    assert load({}, {"VEXFS_TIMEOUT": "5"}).timeout == 5
    assert load({"timeout": 0.5}, {"VEXFS_TIMEOUT": "5"}).timeout == 0.5
    assert load({}, {"VEXFS_TIMEOUT": ""}).timeout == 30, "an empty variable counts as not set"
    assert load({"timeout": 0}, {"VEXFS_TIMEOUT": "5"}).timeout == 0


def test_the_environment_is_read_when_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEXFS_MAX_ATTEMPTS", "zero")
    with pytest.raises(SettingsError) as error:
        Client()
    assert error.value.setting == "max_attempts"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("address", "localhost"),
        ("address", "http://localhost:8083"),
        ("address", "localhost:0"),
        ("address", "localhost:65536"),
        ("address", "::1:8083"),
        ("url", "127.0.0.1:8080"),
        ("url", "ftp://127.0.0.1:8080"),
        ("url", "http://"),
        ("url", "http://:8080"),
        ("url", "http://localhost:0"),
        ("url", "http://localhost:65536"),
        ("url", "http://localhost:port"),
        ("url", "http://[::1"),
        ("url", "http://local host"),
        ("url", "http://localhost\n"),
        ("url", "http://me:secret@localhost"),
        ("url", "http://localhost/prefix"),
        ("url", "http://localhost?a=b"),
        ("url", "http://localhost#a"),
        ("token", "two words"),
        ("token", "line\nbreak"),
        ("tls", "yes"),
        ("timeout", "soon"),
        ("timeout", "-1"),
        ("timeout", "nan"),
        ("timeout", "inf"),
        ("max_attempts", "0"),
        ("max_attempts", "1.5"),
        ("tls_ca", "/does/not/exist.pem"),
    ],
)
def test_a_value_that_cannot_be_read_names_its_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        load({}, {SETTINGS[name].variable: value})
    assert error.value.setting == name
    with pytest.raises(SettingsError) as error:
        load({name: value}, {})
    assert error.value.setting == name
    assert isinstance(error.value, ValueError)


def test_the_token_stays_out_of_messages() -> None:
    with pytest.raises(SettingsError) as error:
        load({"token": "secret secret"}, {})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("address", ["127.0.0.1:8083", "localhost:1", "[::1]:8083", "vexfs.example:65535"])
def test_addresses(address: str) -> None:
    assert load({"address": address}, {}).address == address


@pytest.mark.parametrize(
    ("url", "known_as", "server"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("http://vexfs.example/", "http://vexfs.example", ("vexfs.example", 80)),
        ("HTTPS://vexfs.example", "https://vexfs.example", ("vexfs.example", 443)),
        ("https://[::1]:8443", "https://[::1]:8443", ("::1", 8443)),
    ],
)
def test_urls(url: str, known_as: str, server: tuple[str, int]) -> None:
    settings = load({"url": url, "transport": "rest"}, {})
    assert settings.url == known_as
    assert settings.server == server


def test_the_transport_is_grpc_unless_said() -> None:
    assert load({}, {}).transport == "grpc"
    assert load({"transport": "rest"}, {}).transport == "rest"
    for wrong in ("REST", "connect", ""):
        with pytest.raises(SettingsError) as error:
            load({"transport": wrong}, {})
        assert error.value.setting == "transport"


def test_rest_uses_tls_where_the_url_says_so(certificates: Path) -> None:
    files = {"tls_ca": certificates / "authority.pem", "transport": "rest"}
    assert load({**files, "url": "http://localhost"}, {}).pem is None
    secure = load({**files, "url": "https://localhost", "tls": False}, {}).pem
    assert secure is not None
    assert secure.ca == (certificates / "authority.pem").read_bytes()
    assert load({"transport": "rest", "url": "https://localhost"}, {}).pem is not None
    with pytest.raises(SettingsError, match="tls_ca"):
        load({"transport": "rest", "url": "http://localhost", "tls_ca": "/does/not/exist.pem"}, {})


def test_tls_is_off_unless_asked_for_or_a_file_is_given(certificates: Path) -> None:
    assert load({}, {}).pem is None
    assert load({"tls": False}, {"VEXFS_TLS": "1"}).pem is None
    assert load({"tls": False, "tls_ca": certificates / "authority.pem"}, {}).pem is None, "off is off"
    assert load({"tls_ca": certificates / "authority.pem"}, {"VEXFS_TLS": "0"}).pem is None
    system = load({}, {"VEXFS_TLS": "true"}).pem
    assert system is not None
    assert system.ca is None
    own = load({"tls_ca": certificates / "authority.pem"}, {}).pem
    assert own is not None
    assert own.ca == (certificates / "authority.pem").read_bytes()


def test_a_certificate_needs_its_key(certificates: Path) -> None:
    for given, missing in (("tls_client_cert", "tls_client_key"), ("tls_client_key", "tls_client_cert")):
        with pytest.raises(SettingsError) as error:
            load({given: certificates / "client.pem"}, {})
        assert error.value.setting == missing
    with pytest.raises(SettingsError) as error:
        load({"tls_client_cert": certificates / "client.pem", "tls_client_key": certificates / "server.key"}, {})
    assert error.value.setting == "tls_client_key"


def test_files_that_are_no_pem_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(SettingsError) as error:
        load({"tls_ca": tmp_path / "no.pem"}, {})
    assert error.value.setting == "tls_ca"
