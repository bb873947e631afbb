"""Every answer the tests get over REST is held against the site's own OpenAPI document."""

from copy import deepcopy
from functools import cache

import jsonschema
from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

OTHERWISE = {405, 406, 413, 415, 429}
"""What any operation may answer; the document says it once, as `default`."""


@cache
def document():
    """The document, with objects closed: a field that it does not name is a fault."""
    found = deepcopy(SchemaGenerator().get_schema(request=None, public=True))
    for schema in found["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
    return found


def operation(method, path):
    """What the document says of such a request; None: it tells nothing of that address."""
    try:
        route = resolve(path).route
    except Resolver404:
        return None
    told = document()["paths"].get("/" + route.replace("<str:", "{").replace(">", "}"), {})
    return told.get(method.lower())


def faults(method, path, answer):
    """What of an answer the document does not tell."""
    told = operation(method, path)
    if told is None:
        return []
    where = f"{method} {path} answers {answer.status_code}"
    found = told["responses"].get(str(answer.status_code))
    if found is None and answer.status_code in OTHERWISE:
        found = told["responses"]["default"]
    if found is None:
        return [f"{where}, which is not told"]
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    content = found.get("content", {})
    if not content:
        return [f"{where} with a body, which is not told"] if answer.content else []
    if kind not in content:
        return [f"{where} as {kind!r}, which is not told"]
    if not kind.endswith("json") or "Content-Disposition" in answer.headers:
        return []
    schema = {**content[kind]["schema"], "components": document()["components"]}
    checker = jsonschema.Draft202012Validator(schema)
    return [
        f"{where}: {f.json_path}: {f.message[:300]}" for f in checker.iter_errors(answer.json())
    ]


class DocumentedClient(APIClient):
    """A client that takes no answer that the document does not tell."""

    def request(self, **request):
        answer = super().request(**request)
        found = faults(request["REQUEST_METHOD"], request["PATH_INFO"], answer)
        assert not found, found
        return answer
