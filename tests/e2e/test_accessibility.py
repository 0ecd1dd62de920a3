"""Every page in Chromium, without barriers: axe-core's rules, headings, and where the keyboard is."""

import io
import os
from contextlib import closing

import pytest
from PIL import Image

from cxr_core.access import LOCAL, audit
from cxr_core.imaging import phantom_dicom
from cxr_core.store import RunStore
from cxr_core.store.pacs_store import PacsStore
from cxr_core.store.reads import ReadStore
from tests.browser import browsing, open_front_page, scrolls_sideways, serving, upload, wait_until_drawn
from tests.e2e.test_sign_in import SECRETS, provider
from tests.processes import free_port
from tests.reads import store_reads
from tests.received import order, received
from tests.runs import made_up, made_up_boxes, record_of

pytestmark = pytest.mark.e2e

RUN_PAGES = ("admin", "evaluation", "compare", "readers", "subgroups", "localisation", "failures", "training_data")
SIZES = ((1440, 900), (390, 844))

ALLOWED: tuple[tuple[str, str, str], ...] = ()
"""What cannot be mended: rule, selector within Streamlit's own markup, reason."""

# the one rule of WCAG 2.2 AA that axe-core does not apply by itself: targets of 24 pixels
RULES = {"target-size": {"enabled": True}}

# of each element that the keyboard reaches: what it is, and whether it shows that it is there
FOCUSED = """() => {
  let element = document.activeElement
  while (element.shadowRoot && element.shadowRoot.activeElement) element = element.shadowRoot.activeElement
  const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(element)
  const shown = (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1) || boxShadow !== 'none'
  return [element === document.body ? '' : element.outerHTML.slice(0, 120), shown]
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The app with two runs of the same images, by two models, with readers and boxes."""
    folder = tmp_path_factory.mktemp("runs")
    store = RunStore(folder=folder)
    predictions = made_up(200, readers=3)
    thresholds = dict.fromkeys(predictions.labels.tolist()[:10], 0.35)
    for name, model in (("other", "1" * 64), ("a-run", "0" * 64)):
        record = record_of(predictions, name, thresholds=thresholds, operating_point="default", model_sha256=model)
        store.add(record, predictions, made_up_boxes(predictions))
    store.close()
    with serving(SECOND_READ_RUNS=str(folder)) as served:
        yield served


def open_page(page, address, name):
    page.goto(f"{address}/{name}")
    page.wait_for_selector("h1")
    if name in RUN_PAGES:
        page.wait_for_selector("[role=group] table, .js-plotly-plot .main-svg", state="attached")
    wait_until_drawn(page)


def barriers(page, axe: str, *, least: tuple[str, ...] = ("serious", "critical")) -> list[str]:
    """Return what axe-core finds of these impacts, one line for each element, and whether the page scrolls sideways."""
    # evaluated by the debugger, which the page's content policy neither needs to allow nor sees
    page.evaluate(axe)
    violations = page.evaluate(
        "async rules => (await axe.run(document, {rules, resultTypes: ['violations']})).violations", RULES
    )
    # WCAG 2.2, 1.4.10
    return scrolls_sideways(page) + [
        f"{violation['impact']} {violation['id']}: {node['target']} {node['html'][:150]}"
        for violation in violations
        if violation["impact"] in least
        for node in violation["nodes"]
        if not any(rule == violation["id"] and selector in str(node["target"]) for rule, selector, _ in ALLOWED)
    ]


EVERY_IMPACT = ("minor", "moderate", "serious", "critical")


def headings(page) -> list[str]:
    """Return the visible headings of a page as "level text", in order."""
    return page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3, h4')].filter(h => h.getClientRects().length)"
        ".map(h => h.tagName[1] + ' ' + h.textContent.trim())"
    )


def test_the_front_page_and_the_model_have_no_barrier_and_one_would_be_found(chromium, address, axe):
    with browsing(chromium) as page:
        open_front_page(page, address)
        wait_until_drawn(page)
        assert barriers(page, axe) == []
        open_page(page, address, "model")
        assert barriers(page, axe, least=EVERY_IMPACT) == []
        assert page.evaluate("document.documentElement.lang") == "en"
        page.evaluate(
            "document.querySelector('h1').insertAdjacentHTML('afterend',"
            '\'<p style="color: #333; background: #000">faint</p><img src=x><button style="width: 9px"></button>\')'
        )
        rules = {line.split()[1] for line in barriers(page, axe)}
        assert {"color-contrast:", "image-alt:", "button-name:"} <= rules


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_a_run_has_a_barrier(chromium, pages, axe, size):
    found = {}
    with browsing(chromium, *size) as page:
        for name in RUN_PAGES:
            open_page(page, pages, name)
            found[name] = barriers(page, axe, least=EVERY_IMPACT)
            shown = headings(page)
            if [line for line in shown if line.startswith("1 ")] != shown[:1]:
                found[name].append(f"the only heading of level 1 is not the first one: {shown}")
            twice = {line[2:] for line in shown if shown.count(line) > 1}
            twice |= {line[2:] for line in shown} & set(page.locator(".js-plotly-plot .gtitle").all_inner_texts())
            found[name] += [f"written twice: {text}" for text in twice]
    assert not any(found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_stored_reads_has_a_barrier(chromium, tmp_path, axe, size):
    with closing(ReadStore(runs=tmp_path)) as store:
        store_reads(store, 96)
    kept = {"SECOND_READ_RUNS": str(tmp_path), "SECOND_READ_KEEP": "store", "SECOND_READ_KEEP_DAYS": "9999"}
    with serving(**kept) as address, browsing(chromium, *size) as page:
        for name in ("concordance", "monitoring"):
            open_page(page, address, name)
            page.wait_for_selector(".sr-tiles")
            wait_until_drawn(page)
            shown = headings(page)
            assert barriers(page, axe, least=EVERY_IMPACT) == [], name
            assert [line for line in shown if line.startswith("1 ")] == shown[:1]
            assert len(shown) == len(set(shown))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("events", [0, 60])
def test_the_page_of_the_operations_has_no_barrier(chromium, own_folders, tmp_path, axe, size, events):
    folders = {f"SECOND_READ_{name}": str(tmp_path / name.lower()) for name in ("HOME", "RUNS")}
    folders["SECOND_READ_AUDIT"] = str(tmp_path / "audit.jsonl")
    for number in range(events):
        audit.record(LOCAL, "export", "findings-csv", images=[f"{number:064x}"])
    with serving(**folders) as address, browsing(chromium, *size) as page:
        open_page(page, address, "operations")
        for text in ("Audit trail", "This server", "Export as CSV" if events else "No event yet"):
            page.wait_for_selector(f"text={text}")
        wait_until_drawn(page)
        shown = headings(page)
        assert barriers(page, axe, least=EVERY_IMPACT) == []
        assert [line for line in shown if line.startswith("1 ")] == shown[:1]
        assert len(shown) == len(set(shown))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_page_of_the_pacs_has_no_barrier(chromium, tmp_path, axe, size):
    with closing(PacsStore(runs=tmp_path)) as store:
        for number in range(3):
            instance = store.add_instance(received(number), "AE CT1").instance
            store.plan(instance.sop_instance_uid, [order()])
            if number:
                store.fail(store.lease("worker-1", 60), "archive cannot be reached.", None)
        store.add_instance(received(0, seed=1), "AE CT2")
    # nobody listens to port 9
    settings = {"SECOND_READ_RUNS": str(tmp_path), "SECOND_READ_PACS": "ARCHIVE@127.0.0.1:9"}
    with serving(**settings) as address, browsing(chromium, *size) as page:
        open_page(page, address, "pacs")
        for text in ("Last received", "does not answer", "3 images received"):
            page.wait_for_selector(f"text={text}")
        wait_until_drawn(page)
        shown = headings(page)
        assert barriers(page, axe, least=EVERY_IMPACT) == []
        assert [line for line in shown if line.startswith("1 ")] == shown[:1]
        assert len(shown) == len(set(shown))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_no_tab_of_the_model_has_a_barrier(chromium, pages, axe, size):
    with browsing(chromium, *size) as page:
        open_page(page, pages, "model")
        tabs = page.locator("[role=tab]")
        assert tabs.count() >= 6
        for tab in tabs.all():
            tab.click()
            wait_until_drawn(page)
            assert barriers(page, axe, least=EVERY_IMPACT) == [], tab.inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["empty", "read", "refused", "read first"])
def test_second_opinion_has_no_barrier(chromium, pages, axe, state, size):
    with browsing(chromium, *size) as page:
        open_front_page(page, pages)
        if state == "refused":
            black = io.BytesIO()
            Image.new("L", (300, 300)).save(black, "PNG")
            upload(page, ("black.png", black.getvalue()))
            page.wait_for_selector('.panel[data-status="refused"]')
        elif state != "empty":
            upload(page, ("a.dcm", phantom_dicom(512, 448)))
            page.wait_for_selector("canvas.radiograph[data-label]")
            if state == "read first":
                page.get_by_text("Read first").first.click()
        wait_until_drawn(page)
        assert barriers(page, axe) == []


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_sign_in_page_has_no_barrier(chromium, axe, tmp_path, size):
    with provider(lifetime=3600) as port, free_port() as nobody:
        secrets = SECRETS.format(cookie=os.urandom(24).hex(), port=port, late=nobody)
        (tmp_path / "secrets.toml").write_text(secrets)
        with (
            serving("--secrets.files", str(tmp_path / "secrets.toml")) as address,
            browsing(chromium, *size) as page,
        ):
            page.goto(address)
            # one provider answers and one does not
            page.get_by_role("button", name="Retry").wait_for()
            wait_until_drawn(page)
            assert barriers(page, axe, least=EVERY_IMPACT) == []


@pytest.mark.slow
def test_the_keyboard_reaches_everything_and_shows_where_it_is(chromium, pages):
    with browsing(chromium) as page:
        open_page(page, pages, "evaluation")
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            element, shown = page.evaluate(FOCUSED)
            # after the last one the focus is on the body, which shows nothing
            assert shown or not element, element
            reached.append(element)
        assert len(set(reached)) > 20
