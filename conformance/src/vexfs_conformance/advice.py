"""What can a person do who cannot get in? Turns what the surfaces of a target said into a sentence. Pure functions."""

from collections.abc import Mapping

from vexfs_conformance.outcomes import Endpoint, Failed, Outcome

_TOKEN = "give the token of its data folder (the file DATA/token) with VEXFS_TOKEN or --token-file"


def refusal(endpoint: Endpoint, said: Mapping[str, Outcome]) -> str:
    """Why a target cannot be tested, and what to do; `said` is what each of its surfaces answered, none of them well."""
    failures = {name: outcome for name, outcome in said.items() if isinstance(outcome, Failed)}
    lines = [f"  {name}: {told(outcome)}" for name, outcome in said.items()]
    if any(failure.code == "UNAUTHENTICATED" for failure in failures.values()):
        head = f"{endpoint.url} refuses this token" if endpoint.token else f"{endpoint.url} wants a token"
        return "\n".join([f"{head}: {_TOKEN}", *lines])
    text = " ".join(failure.message for failure in failures.values())
    return "\n".join([f"no server answers at {endpoint.url} and {endpoint.address}: {_way_in(endpoint, text)}", *lines])


def told(outcome: Outcome) -> str:
    """An outcome in a line."""
    if not isinstance(outcome, Failed):
        return str(outcome)
    return f"{outcome.code} {outcome.message}".strip()


def _way_in(endpoint: Endpoint, text: str) -> str:
    secure = (endpoint.url or "").startswith("https:")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is of nobody whom this machine trusts; name the authority with --tls-ca"
    if "WRONG_VERSION_NUMBER" in text:
        return "it speaks no TLS there; begin the address with http://"
    if secure and not endpoint.tls_client_cert and ("closed" in text or "CERTIFICATE_REQUIRED" in text):
        return "it ends the connection, as a server does that wants a certificate: --tls-client-cert and --tls-client-key"
    if not secure and "closed" in text:
        return "it ends the connection, as a server does that speaks TLS: begin the address with https://"
    return "is it running? --target is the address of its REST, --grpc HOST:PORT that of its gRPC"
