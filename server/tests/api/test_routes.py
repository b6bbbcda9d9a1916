"""Path templates of google.api.http: what they match and what they bind."""

import re

import pytest

from vexfs.api.routes import compile_template


@pytest.mark.parametrize(
    ("template", "path", "bound"),
    [
        ("/v1/files", "/v1/files", []),
        ("/v1/files", "/v1/files/", None),
        ("/v1/files/{id}", "/v1/files/12", ["12"]),
        ("/v1/files/{id}", "/v1/files/12/13", None),
        ("/v1/files/{id}", "/v1/files/", None),
        ("/v1/{file.id}/x", "/v1/12/x", ["12"]),
        ("/v1/*/x", "/v1/anything/x", []),
        ("/v1/{path=**}", "/v1/a/b/c", ["a/b/c"]),
        ("/v1/{path=**}", "/v1/", [""]),
        ("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", ["shelves/1/books/2"]),
        ("/v1/{name=shelves/*}", "/v1/rooms/1", None),
        ("/v1/{a}/{b=x/**}:verb", "/v1/1/x/2/3:verb", ["1", "x/2/3"]),
        ("/v1/{a}:verb", "/v1/1:other", None),
        ("/v1/files.json", "/v1/filesXjson", None),
    ],
)
def test_a_template_matches_and_binds(template: str, path: str, bound: list[str] | None) -> None:
    expression, variables = compile_template(template)
    match = re.compile(expression).fullmatch(path)
    assert (None if match is None else list(match.groups())) == bound
    assert bound is None or len(variables) == len(bound)


@pytest.mark.parametrize("template", ["files", "/a/{", "/a/{b", "/a/{b={c}}", "/{}"])
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="path template"):
        compile_template(template)
