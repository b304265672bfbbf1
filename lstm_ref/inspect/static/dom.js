// Shared by all widgets, and put in front of their modules: elements, and what must be undone when a widget goes.

const NS = "http://www.w3.org/2000/svg";
// JupyterLab takes the arrow keys for its cells, unless the very element that has the focus asks it not to.
const KEYS = { "data-lm-suppress-shortcuts": "true" };

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const html = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => filled(document.createElementNS(NS, tag), attributes, children);

// `listen` as addEventListener; `cleanups` is called by a widget when it goes, and holds what `listen` must undo.
function listening() {
  const cleanups = [];
  const listen = (target, event, handler, options) => {
    target.addEventListener(event, handler, options);
    cleanups.push(() => target.removeEventListener(event, handler, options));
  };
  return { listen, cleanups };
}

