"""Several tabs at once on one server, through the routes of the page."""

import asyncio

import pytest

from benchmarks.soak.readers import image, worked_out, wrong
from tests.protocol import Reader

TABS, IMAGES = 4, 2


@pytest.mark.slow
def test_each_tab_gets_the_answer_of_its_own_image(address):
    expected, _ = worked_out(list(range(TABS * IMAGES)))

    async def tab(number: int) -> list[str]:
        found = []
        async with Reader(address) as reader:
            for mine in range(number * IMAGES, (number + 1) * IMAGES):
                read = await reader.read("image.dcm", image(mine))
                found += wrong(read, await reader.pixels(read["id"]), mine, expected[mine])
        return found

    async def every() -> list[list[str]]:
        return await asyncio.gather(*map(tab, range(TABS)))

    assert asyncio.run(every()) == [[]] * TABS


def test_an_answer_of_another_image_would_be_noticed(address):
    expected, _ = worked_out([0, 1])

    async def of_the_first() -> list[str]:
        async with Reader(address) as reader:
            read = await reader.read("image.dcm", image(0))
            return wrong(read, await reader.pixels(read["id"]), 1, expected[1])

    assert asyncio.run(of_the_first()) == ["image 1: the findings of another image"]
