// Shared by all widgets, and put in front of their modules: elements, and what must be undone
// when a widget goes.

const NS = "http://www.w3.org/2000/svg";
// JupyterLab takes the arrow keys for its cells, unless the very element that has the focus asks
// it not to.
const KEYS = { "data-lm-suppress-shortcuts": "true" };

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const html = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(NS, tag), attributes, children);

const SUPERSCRIPT = Object.fromEntries(
  [..."0123456789-"].map((digit, k) => [digit, "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"[k]]),
);
const powerOfTen = (exponent) =>
  `10${[...String(exponent).replace("+", "")].map((digit) => SUPERSCRIPT[digit]).join("")}`;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// What a widget looks at; `cleanups` is called by it when it goes, and undoes all of that.
function listening() {
  const cleanups = [];
  const listen = (target, event, handler, options) => {
    target.addEventListener(event, handler, options);
    cleanups.push(() => target.removeEventListener(event, handler, options));
  };
  // Traits that change elsewhere: in Python, or by a slider of ipywidgets that is linked to
  // the widget.
  const follow = (model, names, update) => {
    const changed = () => update();
    for (const name of names) {
      model.on(`change:${name}`, changed);
      cleanups.push(() => model.off(`change:${name}`, changed));
    }
  };
  // The width alone: the height is the widget's own doing.
  const resized = (el, draw) => {
    let width = 0;
    const sizes = new ResizeObserver(() => {
      if (el.clientWidth === width) return;
      width = el.clientWidth;
      draw();
    });
    sizes.observe(el);
    cleanups.push(() => sizes.disconnect());
  };
  return { listen, follow, resized, cleanups };
}
