"""What all routes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, cast

from fastapi import Depends, Query, Request

from zoo.annotate.journal import Journal
from zoo.annotate.models import Models
from zoo.annotate.objects import AnnotatedObjects
from zoo.annotate.pictures import Pictures
from zoo.annotate.refused import RefusedError
from zoo.annotate.root import Root


@dataclass(frozen=True)
class Service:
    """The parts of a server.

    Attributes:
        root: files that may be read.
        pictures: the open ones.
        models: what segments.
        journal: what is kept.
        objects: what is segmented.
        classes: names and colours that a person is offered.
    """

    root: Root
    pictures: Pictures
    models: Models
    journal: Journal
    objects: AnnotatedObjects
    classes: Sequence[tuple[str, str]]

    @property
    def identity(self) -> str:
        """Another one where another folder is shown, or where what is done is kept in another file."""
        places = (self.root.folder, self.journal.path.resolve())
        return sha256(repr(places).encode()).hexdigest()[:16]


def service_of(request: Request) -> Service:
    """The service of the app that answers.

    Raises:
        RefusedError: the request says, as `X-Root`, that it is meant for another root.
    """
    service = cast(Service, request.app.state.service)
    if request.headers.get("x-root", service.identity) != service.identity:
        raise RefusedError(412, "another folder than before is shown at this address; load the page again")
    return service


Here = Annotated[Service, Depends(service_of)]
ImageName = Annotated[str, Query(alias="image", max_length=1000, description="path relative to the root")]
Answer = dict[str, Any]
