"""What a store must pass: the contract as tests, and a machine that compares it with memory.

::

    from arangopipe.testing import StoreContract, store_machine

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            with MyStore(f"mine:///{tmp_path}/store") as store:
                yield store

    TestMyStoreLikeMemory = store_machine(make_a_fresh_store).TestCase
"""

from __future__ import annotations

import pkgutil

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{part.name}" for part in pkgutil.iter_modules(__path__)))

from arangopipe.testing.contract import StoreContract  # noqa: E402
from arangopipe.testing.machine import StoreMachine, store_machine  # noqa: E402
from arangopipe.testing.verify import verify_chain  # noqa: E402

__all__ = ["StoreContract", "StoreMachine", "store_machine", "verify_chain"]
