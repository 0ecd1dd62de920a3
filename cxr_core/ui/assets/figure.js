// Shows the figure that the address names: opens its tab, scrolls to its heading and gives it the focus, once.

const SETTLED_MS = 5000; // so long after the page has grown last, or its script has ended
const MOST_MS = 300_000;
const STEP_MS = 200;

export default function ({ parentElement }) {
  // later runs of the page's script must not scroll the reader away
  if (window.secondReadFigureShown) return;
  window.secondReadFigureShown = true;
  const place = parentElement.getRootNode().host ?? parentElement;
  const row = place.closest('[data-testid="stHorizontalBlock"]') ?? place;
  const panel = place.closest("[role=tabpanel]");
  if (panel) document.querySelector(`[role=tab][aria-controls="${CSS.escape(panel.id)}"]`)?.click();
  // below the fixed navigation
  row.style.scrollMarginTop = "5rem";
  const page = row.closest('[data-testid="stMainBlockContainer"]') ?? document.body;
  const began = Date.now();
  let [height, grown] = [0, began];
  // what stands above grows while it is drawn, and the heading may be drawn last
  const timer = setInterval(() => {
    const runs = document.querySelector('[data-test-script-state="running"]') !== null;
    if (runs || page.scrollHeight !== height) [height, grown] = [page.scrollHeight, Date.now()];
    const heading = row.querySelector("h2");
    if (heading && document.activeElement === document.body) {
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }
    row.scrollIntoView({ block: "start" });
    if (Date.now() - grown > SETTLED_MS || Date.now() - began > MOST_MS) stop();
  }, STEP_MS);
  const stop = () => clearInterval(timer);
  for (const type of ["wheel", "touchstart", "keydown", "pointerdown"]) {
    addEventListener(type, stop, { once: true, capture: true, passive: true });
  }
}
