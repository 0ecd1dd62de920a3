"""Matrix products on one thread, in processes that read films."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["products_on_one_thread"]


def products_on_one_thread() -> None:
    """Let NumPy's matrix products run on the thread that asks for them, from now on, in this process.

    Those of a read are small. On several threads they are no faster, and OpenBLAS' threads spin for some tens of ms
    after each, on the cores that the network, or another process, is about to use.
    """
    threadpool_limits(1, user_api="blas")
