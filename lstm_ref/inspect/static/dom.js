// Shared by all widgets, and put in front of their modules: elements, a few numbers, the traits
// of a model, and what must be undone when a widget goes.

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
// As in lstm_ref.cell: tanh cannot overflow.
const sigmoid = (a) => 0.5 * Math.tanh(0.5 * a) + 0.5;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Traits of a model by name. Several can change as one: until all are set, `isWriting` tells
// `update`, which hears of each, to wait.
function traits(model, names, update) {
  let writing = false;
  const read = () => Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const write = (changes) => {
    writing = true;
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    writing = false;
    model.save_changes();
    update();
  };
  return { read, write, isWriting: () => writing };
}

// What a widget looks at. Its `render` returns `leaving(el)`, which undoes all of that when the
// widget goes, and what else it has added to `cleanups`.
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
  const leaving = (el) => () => {
    for (const undo of cleanups) undo();
    el.replaceChildren();
  };
  return { listen, follow, resized, leaving, cleanups };
}
