// Shared by widgets whose view can be saved, and put in front of their modules: a picture of
// what is seen, and a page that
// stands alone.

const SAVE = { label: "Save the view", svg: "Save as SVG", html: "Save as a page" };
// What makes an SVG look as it does here, where style sheets do not reach it any more
const LOOKS = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linejoin",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "font-style",
  "text-anchor",
];

function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const themed = (el, name) => getComputedStyle(el).getPropertyValue(`--lw-${name}`).trim();

// The text of an SVG file with the looks of an SVG in the page.
function pictureOf(root, background) {
  const copy = root.cloneNode(true);
  const [shown, written] = [root, copy].map((top) => [top, ...top.querySelectorAll("*")]);
  shown.forEach((node, k) => {
    const look = getComputedStyle(node);
    written[k].setAttribute(
      "style",
      LOOKS.map((name) => `${name}:${look.getPropertyValue(name)}`).join(";"),
    );
    written[k].removeAttribute("class");
  });
  const [left, top, width, height] = root.getAttribute("viewBox").split(" ").map(Number);
  const paper = document.createElementNS(root.namespaceURI, "rect");
  for (const [name, value] of Object.entries({ x: left, y: top, width, height, fill: background }))
    paper.setAttribute(name, value);
  copy.prepend(paper);
  for (const [name, value] of Object.entries({ width, height })) copy.setAttribute(name, value);
  return new XMLSerializer().serializeToString(copy);
}

// All that a widget asks of a model, for a page without a kernel
function still(state) {
  const listeners = {};
  return {
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value) return;
      state[name] = value;
      (listeners[`change:${name}`] ?? []).forEach((call) => call());
    },
    on(event, call) {
      (listeners[event] ??= []).push(call);
    },
    off(event, call) {
      listeners[event] = (listeners[event] ?? []).filter((other) => other !== call);
    },
    save_changes() {},
  };
}

// A page with the widget as it stands. A live notebook has module and style sheet in the model,
// a page around the widget.
function standalone(model, el, names, title) {
  const START = "\nconst state = ";
  // in one piece, these words here would be taken for the module's own
  const OFFER = ["export", "default"].join(" ");
  const live = model.get("_esm")?.replace(OFFER, "const widget =");
  const source = (live ?? el.nextElementSibling.textContent.split(START)[0]).trim();
  const css = model.get("_css") ?? el.previousElementSibling.textContent;
  const state = JSON.stringify(
    Object.fromEntries(names.map((name) => [name, model.get(name)])),
  ).replaceAll("<", "\\u003c");
  const [light, dark] = ["#FFFFFF", "#121212"];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}<\/title>
<style>
:root { color-scheme: light dark; background: ${light}; }
@media (prefers-color-scheme: dark) { :root { background: ${dark}; } }
body { margin: 0 auto; padding: 16px; max-width: 1000px; font-family: system-ui, sans-serif; }
<\/style>
<\/head>
<body>
<style>${css}<\/style>
<div><\/div>
<${"script"} type="module">
${source}${START}${state};
widget.render({ model: still(state), el: document.querySelector("body > div") });
<\/script>
<\/body>
<\/html>
`;
}

// Two buttons; `picture` gives the text of an SVG.
function saveButtons({ listen, model, el, names, name, title, picture }) {
  const bar = document.createElement("div");
  bar.className = "lw-save";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", SAVE.label);
  const add = (label, save) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    listen(button, "click", save);
    bar.append(button);
  };
  add(SAVE.svg, () => download(`${name}.svg`, "image/svg+xml", picture()));
  add(SAVE.html, () => download(`${name}.html`, "text/html", standalone(model, el, names, title)));
  return bar;
}
