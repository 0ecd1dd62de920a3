// The parts of the page that Streamlit's components draw, and their messages to Streamlit.

const LEAVING_MS = 30_000; // the longest that the server takes to begin another page

// The function that Streamlit calls with every message: the part is made once for its place, which has the component's
// elements, and shows each message. The clean-up that a call returns does not say that the part has ended: Streamlit also
// makes that of a call that another one overtook while the code was being loaded. Then the place is still there.
function component(name, make) {
  const parts = ((store.parts ??= {})[name] ??= new WeakMap());
  return ({ parentElement: place, data, setTriggerValue }) => {
    if (!place.isConnected) return undefined;
    let part = parts.get(place);
    if (!part) {
      parts.set(place, (part = make(place)));
      store.leaving = 0;
    }
    const page = location.pathname;
    part.show(data, (...message) => tell(page, setTriggerValue, message));
    return () => {
      if (place.isConnected || parts.get(place) !== part) return;
      part.stop?.();
      parts.delete(place);
    };
  };
}

// Send a message to Streamlit. It then runs the page that the browser has, which would undo a click on a link
// to another page that the server has not answered yet: that is waited for, and on the other page nothing is sent.
async function tell(page, send, message) {
  const isLeft = () => location.pathname !== page;
  while (!isLeft() && performance.now() < store.leaving) await after(50);
  if (isLeft()) store.unsent = true;
  else send(...message);
}

// Note a click on a link to another page of the app.
function noteLeaving() {
  if (store.leaving !== undefined) return;
  store.leaving = 0;
  window.addEventListener("click", (event) => {
    const link = event.composedPath().find((node) => node.tagName === "A" && node.href);
    if (!link || link.download || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const { origin, pathname } = new URL(link.href);
    const isOther = origin === location.origin && pathname !== location.pathname;
    store.leaving = isOther ? performance.now() + LEAVING_MS : 0;
  }, { capture: true });
}

noteLeaving();
