"""What may stand in a query: a parameter that an operation does not take is refused, not passed over."""

from __future__ import annotations

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from arangopipe.errors import InvalidInput
from arangopipe.model.vocabulary import near


async def only_known(request: Request) -> None:
    """Refuse what an operation does not take: with a condition that is mistyped everything would be found."""
    if not request.scope["query_string"]:
        return
    route, kept = request.scope["route"], request.app.state.parameters
    known = kept.get(route.endpoint)
    if known is None:
        known = kept[route.endpoint] = _taken(route)
    for name in request.query_params:
        if name not in known:
            hint = near(name, known) or f"; it takes {', '.join(sorted(known)) or 'none'}"
            raise InvalidInput(f"query.{name:.100}: this operation has no such parameter{hint}")


def _taken(route: APIRoute) -> frozenset[str]:
    """Return the parameters of the query that an operation takes."""
    fields = get_flat_params(route.dependant)
    return frozenset(field.alias for field in fields if isinstance(field.field_info, params.Query))
