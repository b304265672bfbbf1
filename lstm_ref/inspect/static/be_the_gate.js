// Be the gate: three gates at each step, open or shut by hand, and a strip of what the cell keeps
// and shows. The same module runs in a live notebook (anywidget) and in a page from disk; `model`
// is all it knows of either.
// with dom.js

const GATES = ["f", "i", "o"];
const NEAR = 0.1 + 1e-9; // as in be_the_gate.py
const STRIP = { height: 120, high: 1.5 }; // pixels; the largest number that the strip shows

const TEXT = {
  title: "Be the gate: open and shut three gates at each step",
  hint: "Click a square, or press Enter on it: filled is open, empty is shut. Arrow keys move.",
  gate: { f: "forget gate", i: "input gate", o: "output gate" },
  role: { f: "keep", i: "write", o: "read" },
  offer: "offered",
  held: "held",
  shown: "shown",
  wanted: "wanted",
  button: (gate, t, word) => `${gate} at step ${t}, ${word}`,
  asked: "asked for here",
  score: (who, held, shown, T) =>
    `${who}: held right at ${held} of ${T} steps, shown right at ${shown} of ${T}.`,
  you: "You",
  cell: "The trained cell",
  all: "Nothing is lost and nothing is shown too soon.",
  reveal: "Show the trained cell's gates",
  again: "Open all gates",
  strip: (held) => `What the cell holds after each step: ${held}. The grey band is what is wanted.`,
  row: (name, list) => `${name}: ${list}`,
};

const signed = (value, digits = 1) => {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
};

// c = f c + i g and h = o tanh(c), from c = 0
function run(gates, offers) {
  let c = 0;
  const held = offers.map((g, t) => (c = gates.f[t] * c + gates.i[t] * g));
  return { c: held, h: held.map((value, t) => gates.o[t] * Math.tanh(value)) };
}

function render({ model, el }) {
  const { listen, leaving, cleanups } = listening();
  const words = model.get("words"),
    offers = model.get("offers"),
    wanted = model.get("wanted"),
    asked = model.get("asked");
  const learned = model.get("learned"),
    T = words.length;
  const goal = wanted.map((value, t) => asked[t] * Math.tanh(value));
  const right = {
    c: (values) => values.map((v, t) => Math.abs(v - wanted[t]) <= NEAR),
    h: (values) => values.map((v, t) => Math.abs(v - goal[t]) <= NEAR),
  };
  const count = (list) => list.filter(Boolean).length;
  let revealed = false;
  el.classList.add("lstm-widget", "lw-begate");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  const grid = html("div", {
    class: "lw-grid",
    style: `grid-template-columns: auto repeat(${T}, minmax(0, 1fr))`,
  });
  const label = (...children) => grid.append(html("div", { class: "lw-label" }, ...children));
  label();
  words.forEach((word, t) =>
    grid.append(
      html(
        "div",
        {
          class: "lw-word",
          "data-asked": asked[t] ? "yes" : "no",
          title: asked[t] ? TEXT.asked : word,
        },
        html("span", {}, word),
      ),
    ),
  );
  label(html("i", {}, "g"), html("span", { class: "lw-long" }, ` ${TEXT.offer}`));
  offers.forEach((value) => grid.append(html("div", { class: "lw-number" }, signed(value))));

  // One square for each gate and step. The arrow keys go from one to the next; Tab leaves them all.
  const squares = Object.fromEntries(GATES.map((name) => [name, []]));
  for (const name of GATES) {
    label(
      html("i", { style: `color: var(--lw-${name})` }, name),
      html("span", { class: "lw-long" }, ` ${TEXT.role[name]}`),
    );
    words.forEach((word, t) => {
      const bar = html("span", { class: "lw-learned", "aria-hidden": "true" });
      const square = html(
        "button",
        {
          type: "button",
          class: "lw-square",
          role: "switch",
          "data-gate": name,
          "data-step": t,
          style: `--own: var(--lw-${name})`,
          tabindex: name === "f" && t === 0 ? 0 : -1,
          "aria-label": TEXT.button(TEXT.gate[name], t + 1, word),
          ...KEYS,
        },
        bar,
      );
      squares[name].push(square);
      grid.append(square);
    });
  }
  const turn = (name, t) => {
    const gates = Object.fromEntries(GATES.map((gate) => [gate, [...model.get("gates")[gate]]]));
    gates[name][t] = 1 - gates[name][t];
    model.set("gates", gates);
    model.save_changes();
    update();
  };
  const square = (event) => event.target.closest?.(".lw-square");
  const go = (name, t) => {
    for (const one of GATES.flatMap((gate) => squares[gate])) one.tabIndex = -1;
    squares[name][t].tabIndex = 0;
    squares[name][t].focus();
  };
  listen(grid, "click", (event) => {
    const at = square(event);
    if (!at) return;
    go(at.dataset.gate, Number(at.dataset.step));
    turn(at.dataset.gate, Number(at.dataset.step));
  });
  listen(grid, "keydown", (event) => {
    const at = square(event);
    if (!at || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = GATES.indexOf(at.dataset.gate),
      t = Number(at.dataset.step);
    const to = {
      ArrowLeft: [row, t - 1],
      ArrowRight: [row, t + 1],
      ArrowUp: [row - 1, t],
      ArrowDown: [row + 1, t],
      Home: [row, 0],
      End: [row, T - 1],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    go(GATES[Math.min(Math.max(to[0], 0), GATES.length - 1)], Math.min(Math.max(to[1], 0), T - 1));
  });

  // The strip stands in the same columns; one unit of its width is one step.
  label(
    html(
      "span",
      { class: "lw-key" },
      html("i", { style: "color: var(--lw-c)" }, "c"),
      html("span", { class: "lw-long" }, ` ${TEXT.held}`),
    ),
  );
  const strip = svg("svg", {
    class: "lw-strip",
    role: "img",
    viewBox: `0 0 ${T} 1`,
    preserveAspectRatio: "none",
    height: STRIP.height,
  });
  const band = svg("path", { class: "lw-band" }),
    zero = svg("path", { class: "lw-zero", d: `M0 0.5H${T}` });
  const lineC = svg("path", { class: "lw-c" }),
    lineH = svg("path", { class: "lw-h" });
  strip.append(band, zero, lineC, lineH);
  grid.append(html("div", { class: "lw-box", style: `grid-column: 2 / span ${T}` }, strip));
  const numbers = {};
  for (const name of ["c", "h"]) {
    label(
      html("i", { style: `color: var(--lw-${name})` }, name),
      html("span", { class: "lw-long" }, ` ${TEXT[name === "c" ? "held" : "shown"]}`),
    );
    numbers[name] = words.map((_, t) =>
      html("div", { class: "lw-number", "data-out": name, "data-step": t }),
    );
    grid.append(...numbers[name]);
  }

  const mine = html("p", { class: "lw-score", "aria-live": "polite" }),
    theirs = html("p", { class: "lw-score" });
  const again = html("button", { type: "button" }, TEXT.again);
  const reveal = html("button", { type: "button", "aria-pressed": "false" }, TEXT.reveal);
  listen(again, "click", () => {
    model.set("gates", Object.fromEntries(GATES.map((name) => [name, words.map(() => 1)])));
    model.save_changes();
    update();
  });
  listen(reveal, "click", () => {
    revealed = !revealed;
    reveal.setAttribute("aria-pressed", String(revealed));
    update();
  });
  const buttons = html("div", { class: "lw-buttons" }, again);
  if (learned.c) buttons.append(reveal);
  el.append(html("p", { class: "lw-hint" }, TEXT.hint), grid, mine, theirs, buttons);

  const height = (value) =>
    0.5 - Math.min(Math.max(value, -STRIP.high), STRIP.high) / (2 * STRIP.high);
  const stairs = (values) =>
    values.map((value, t) => `${t ? "L" : "M"}${t} ${height(value).toFixed(4)}H${t + 1}`).join("");

  function update() {
    const gates = model.get("gates"),
      { c, h } = run(gates, offers);
    const good = { c: right.c(c), h: right.h(h) };
    for (const name of GATES) {
      squares[name].forEach((one, t) => {
        one.setAttribute("aria-checked", String(gates[name][t] === 1));
        const bar = one.firstChild;
        bar.hidden = !revealed;
        if (learned.c) bar.style.height = `${(100 * learned[name][t]).toFixed(1)}%`;
      });
    }
    for (const [name, values] of [
      ["c", c],
      ["h", h],
    ]) {
      numbers[name].forEach((node, t) => {
        node.textContent = signed(values[t]);
        node.dataset.value = values[t];
        node.dataset.right = good[name][t] ? "yes" : "no";
      });
    }
    band.setAttribute("d", stairs(wanted));
    lineC.setAttribute("d", stairs(c));
    lineH.setAttribute("d", stairs(h));
    strip.setAttribute("aria-label", TEXT.strip(c.map((value) => signed(value)).join(", ")));
    const all = count(good.c) === T && count(good.h) === T;
    mine.textContent =
      TEXT.score(TEXT.you, count(good.c), count(good.h), T) + (all ? ` ${TEXT.all}` : "");
    theirs.hidden = !revealed;
    if (learned.c)
      theirs.textContent = TEXT.score(
        TEXT.cell,
        count(right.c(learned.c)),
        count(right.h(learned.h)),
        T,
      );
  }

  const changed = () => update();
  model.on("change:gates", changed);
  cleanups.push(() => model.off("change:gates", changed));
  update();
  return leaving(el);
}

export default { render };
