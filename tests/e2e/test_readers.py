"""Several tabs at once on one server, through Streamlit's own protocol."""

import asyncio

from tests.protocol import Reader
from tests.soak.readers import film, worked_out, wrong

TABS, FILMS = 4, 2


def test_each_tab_gets_the_answer_of_its_own_film(address):
    expected, _ = worked_out(list(range(TABS * FILMS)))

    async def tab(number: int) -> list[str]:
        found = []
        async with Reader(address) as reader:
            for mine in range(number * FILMS, (number + 1) * FILMS):
                await reader.upload("film.dcm", film(mine))
                run = await reader.until(lambda run: run.finished and "second_read_findings" in run.components())
                found += wrong(run, mine, expected[mine])
        return found

    async def every() -> list[list[str]]:
        return await asyncio.gather(*map(tab, range(TABS)))

    assert asyncio.run(every()) == [[]] * TABS


def test_an_answer_of_another_film_would_be_noticed(address):
    expected, _ = worked_out([0, 1])

    async def of_the_first() -> list[str]:
        async with Reader(address) as reader:
            await reader.upload("film.dcm", film(0))
            run = await reader.until(lambda run: run.finished and "second_read_findings" in run.components())
            return wrong(run, 1, expected[1])

    assert asyncio.run(of_the_first()) == ["film 1: the findings of another film"]
