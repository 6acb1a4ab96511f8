"""The store contract as tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from arangopipe.store.base import Store
from arangopipe.testing.closing import Closing, Kinds
from arangopipe.testing.counting import Counting
from arangopipe.testing.keeping import Auditing, Maintaining
from arangopipe.testing.linking import Linking
from arangopipe.testing.living import Living
from arangopipe.testing.paging import Ordering, Paging
from arangopipe.testing.querying import Querying
from arangopipe.testing.reading import Reading
from arangopipe.testing.replicating import Replicating
from arangopipe.testing.scoping import Scoping
from arangopipe.testing.searching import Searching
from arangopipe.testing.walking import Walking
from arangopipe.testing.writing import Writing


class StoreContract(
    Writing,
    Linking,
    Closing,
    Kinds,
    Reading,
    Searching,
    Ordering,
    Paging,
    Counting,
    Walking,
    Auditing,
    Maintaining,
    Living,
    Replicating,
    Scoping,
    Querying,
):
    """One test for each promise of `store.base`; derive from it to test a store.

    Override the fixture `store`, and `reopen` where the store outlives its object. `gaps` names the
    tests that the store is known to fail, with the reason: they are expected to fail, strictly.
    """

    gaps: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in cls.gaps:
            if not callable(getattr(cls, name, None)):
                raise TypeError(f"{cls.__name__}.gaps names {name!r}, which is no test of the contract")

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """Give a fresh, empty store."""
        raise NotImplementedError(f"{type(self).__name__} must override the fixture `store`")

    @pytest.fixture(autouse=True)
    def _expect_gaps(self, request: pytest.FixtureRequest) -> None:
        reason = self.gaps.get(getattr(request.node, "originalname", request.node.name))
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
