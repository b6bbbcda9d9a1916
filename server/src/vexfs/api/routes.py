"""The routes of the contract: path templates of `google.api.http`, compiled and matched. Which method is at this address?

Built once by the REST surface from the registry. Pure text work; it knows no messages and no sockets.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from vexfs.api.errors import RouteNotFound, VerbNotAllowed
from vexfs.api.registry import Method
from vexfs.contract.descriptors import HttpBinding
from vexfs.core.errors import InvalidPath

_TOKEN = re.compile(r"\{(?P<field>[A-Za-z_][\w.]*)(?:=(?P<pattern>[^{}]+))?\}|(?P<deep>\*\*)|(?P<star>\*)|(?P<literal>[^{}*]+)")


@dataclass(frozen=True, slots=True)
class Route:
    """One address of one method."""

    verb: str
    template: str
    method: Method
    body: str
    """"" for none, "*" for the whole message, else the name of the field the body is."""
    response_body: str
    expression: re.Pattern[str]
    variables: tuple[str, ...]
    """Field paths, in the order of the expression's groups."""
    order: tuple[int, int, int]
    """Sorts the more particular route first."""


class Router:
    """Finds the route of a request."""

    def __init__(self, methods: Iterable[Method]) -> None:
        routes = [compile_binding(binding, method) for method in methods for binding in method.contract.bindings]
        self.routes = tuple(sorted(routes, key=lambda route: route.order))

    def find(self, verb: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """The route at `raw_path` (percent-encoded, without the query) and the values of its variables.

        Raises RouteNotFound, VerbNotAllowed with the verbs the address has, or InvalidPath when a value is not UTF-8.
        """
        allowed = []
        for route in self.routes:
            match = route.expression.fullmatch(raw_path)
            if match is None:
                continue
            if route.verb == verb:
                return route, dict(zip(route.variables, map(_decode, match.groups()), strict=True))
            allowed.append(route.verb)
        if allowed:
            verbs = sorted(set(allowed))
            raise VerbNotAllowed(f"{raw_path} takes {', '.join(verbs)}, not {verb}", verbs)
        raise RouteNotFound(f"this server has nothing at {raw_path}; /openapi.json lists what it has")


def compile_binding(binding: HttpBinding, method: Method) -> Route:
    """The route a rule of the contract describes. Raises ValueError for a template that is none."""
    template = binding.template
    expression, variables = compile_template(template)
    literal = sum(1 for segment in template.split("/") if segment and "{" not in segment and "*" not in segment)
    order = (template.count("**"), -literal, -len(template.rpartition(":")[2]) if _has_custom_verb(template) else 0)
    pattern = re.compile(expression, re.DOTALL)
    return Route(binding.verb, template, method, binding.body, binding.response_body, pattern, variables, order)


def compile_template(template: str) -> tuple[str, tuple[str, ...]]:
    """A path template as a regular expression over raw paths with one group a variable, and the variables' field paths."""
    if not template.startswith("/"):
        raise ValueError(f"the path template {template!r} does not begin with /")
    variables: list[str] = []
    expression = ""
    end = 0
    for token in _TOKEN.finditer(template):
        if token.start() != end:
            break
        end = token.end()
        if token["field"]:
            variables.append(token["field"])
            inner, nested = compile_template("/" + (token["pattern"] or "*"))
            if nested:
                raise ValueError(f"the path template {template!r} has a variable inside a variable")
            expression += f"({inner.removeprefix('/')})"
        else:
            expression += ".*" if token["deep"] else "[^/]+" if token["star"] else re.escape(token["literal"])
    if end != len(template):
        raise ValueError(f"the path template {template!r} cannot be read from {template[end:]!r} on")
    return expression, tuple(variables)


def _has_custom_verb(template: str) -> bool:
    return ":" in template.rpartition("/")[2].rpartition("}")[2]


def _decode(raw: str) -> str:
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidPath(f"{raw[:255]} is not UTF-8; name the file by its id, or its name as bytes") from None
