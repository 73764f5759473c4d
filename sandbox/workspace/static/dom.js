// Makes elements. Text goes in as text nodes only: nothing on this page is ever parsed as HTML.

/**
 * Return a new element.
 * Attributes: `class`, `data-*`, `aria-*` and the like as strings; true sets an empty attribute; null and false leave
 * it out; `on` is a map of event listeners. Children are nodes or strings; null, false and undefined are left out.
 */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, String(value));
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Return the element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}
