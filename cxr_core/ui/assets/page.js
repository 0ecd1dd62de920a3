// What the components of the page share: keys of the whole page, and Streamlit's part for the image on the screen.

// Whether a key belongs to a field or a dialog rather than to the page.
function isTyping(event) {
  const target = event.composedPath()[0];
  const isField = target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)
    || (target.tagName === "INPUT" && !["range", "checkbox", "radio", "button"].includes(target.type));
  const inDialog = event.composedPath().some((node) => node.tagName === "DIALOG");
  return isField || inDialog || document.querySelector('[role="dialog"]') !== null;
}

// Streamlit's part (corrections, settings, downloads) follows the choice of an image: until the last element of a run for
// the image on the screen is there, and the list of findings above it, it is dimmed and inert, so that nothing is done to
// another image, and nothing moves under the pointer.
function markFollowing() {
  const image = store.images.get(store.current);
  const isOf = ({ dataset }) => dataset.id === store.current && image && (image.status !== "waiting" || dataset.status === "waiting");
  for (const node of document.querySelectorAll(".st-key-of-image")) {
    const ends = [...node.querySelectorAll(".sr-of-image")];
    const isFollowing = !store.current || (ends.length > 0 && ends.every(isOf));
    node.inert = !isFollowing;
    node.toggleAttribute("data-follows", isFollowing);
  }
}
