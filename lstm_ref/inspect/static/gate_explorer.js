// One LSTM cell with one input and one unit: move a number and watch it pass the gates.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js
// with save.js

const GATES = ["i", "f", "g", "o"];
const RESULTS = ["i", "f", "g", "o", "c", "h"];
const STATE = ["x", "h_prev", "c_prev"];
const NAMES = [...STATE, ...GATES.flatMap((k) => [`Wx_${k}`, `Wh_${k}`, `b_${k}`])];

const TEXT = {
  title: "Gate explorer: one LSTM cell with one input and one unit",
  presets: "Examples",
  first: "Start",
  firstNote: "Move a number, point at a part of the cell or at an equation, or take an example.",
  own: "Your own numbers.",
  diagram: "Diagram of the cell",
  equations: "The six equations with their numbers. The arrow keys go from one to the next.",
  controls: "Numbers to move",
  legend: "The wider a line, the larger its number. Dashed: below zero.",
  next: "Next step",
  nextHint: "h and c become h_prev and c_prev; the same x comes again",
  step: (n) => `Step ${n}`,
  course: (n, c, h) => `Course over ${n} steps: c is now ${c}, h is ${h}.`,
  start: "feeds h and c back into the cell",
  role: { i: "write", f: "keep", g: "propose", o: "read" },
  gate: {
    i: "input gate",
    f: "forget gate",
    g: "candidate",
    o: "output gate",
    c: "cell state",
    h: "hidden state",
  },
  state: { x: "input", h_prev: "hidden state before", c_prev: "cell state before" },
  weight: { Wx: "weight of x", Wh: "weight of h_prev", b: "bias" },
  kept: "kept",
  written: "written",
  summary: (keep, write, read) =>
    `The cell keeps ${keep} of c_prev, writes ${write} of the candidate, and shows ` +
    `${read} of tanh(c).`,
};

// Every example sets every number, so that what it says is true whatever was moved before.
const REST = Object.fromEntries(NAMES.map((name) => [name, 0]));
const BASE = { ...REST, x: 1, h_prev: 0, c_prev: 1, Wx_g: -0.8 };
const EXAMPLES = [
  [
    "Keep",
    "Forget gate open, input gate shut: c stays what it was, step after step.",
    { ...BASE, b_i: -6, b_f: 6 },
  ],
  [
    "Forget",
    "Both gates shut: nothing is kept and nothing is written. c is gone in one step.",
    { ...BASE, b_i: -6, b_f: -6 },
  ],
  [
    "Write",
    "Input gate open, forget gate shut: the candidate takes the place of the old c.",
    { ...BASE, b_i: 6, b_f: -6 },
  ],
  [
    "Add up",
    "Both gates open: the candidate is added to the old c. Take a few steps.",
    { ...BASE, Wx_g: 0.4, b_i: 6, b_f: 6 },
  ],
  [
    "Read only",
    "c is kept and the output gate is open: h = tanh(c).",
    { ...BASE, b_i: -6, b_f: 6, b_o: 6 },
  ],
  [
    "Hide",
    "c is kept and the output gate is shut: h is 0, and still nothing is lost.",
    { ...BASE, b_i: -6, b_f: 6, b_o: -6 },
  ],
];

function step(v) {
  const a = Object.fromEntries(
    GATES.map((k) => [k, v.x * v[`Wx_${k}`] + v.h_prev * v[`Wh_${k}`] + v[`b_${k}`]]),
  );
  const i = sigmoid(a.i),
    f = sigmoid(a.f),
    g = Math.tanh(a.g),
    o = sigmoid(a.o);
  const c = f * v.c_prev + i * g;
  return { a, i, f, g, o, c, h: o * Math.tanh(c) };
}

const signed = (text) => (Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−"));
const exact = (value) => signed(value.toFixed(3));
const short = (value) => signed(value.toFixed(3).replace(/0$/, ""));
const factor = (value) =>
  // after another factor or a plus
  value < 0 ? `(${short(value)})` : short(value);
const percent = (value) => `${(100 * value).toFixed(1)} %`;

// "c_prev" -> c with a subscript, for HTML and for SVG
function symbol(name) {
  const [letter, index] = name.split("_");
  const base = html("i", {}, letter);
  return html(
    "span",
    { class: "lw-sym", "data-sym": name },
    base,
    ...(index ? [html("sub", {}, index)] : []),
  );
}

function svgSymbol(name, attributes) {
  const [letter, index] = name.split("_");
  const text = svg(
    "text",
    { class: "lw-name", ...attributes },
    svg("tspan", { "font-style": "italic" }, letter),
  );
  if (index) text.append(svg("tspan", { dy: 4, "font-size": 13 }, index));
  return text;
}

// The cell. Rows from above: the path of c, the products, the four gates, the two inputs.
const Y = { c: 74, product: 158, read: 178, tanh: 126, gate: 232, h: 328, x: 354 };
const X = { f: 118, i: 216, g: 314, o: 412, product: 265, left: 60, right: 478, end: 486 };
const BOX = { width: 92, height: 62 };
const STUB = 26; // the lines into a gate stand this far from its middle

function drawCell() {
  const root = svg("svg", { viewBox: "-8 28 552 344", role: "img", class: "lw-cell" });
  const values = {},
    lines = {},
    fills = {};
  root.append(svg("rect", { class: "lw-body", x: 66, y: 34, width: 398, height: 278, rx: 16 }));

  const line = (name, colour, d, lit) => {
    lines[name] = svg("path", {
      d,
      class: "lw-line",
      style: `stroke:var(--lw-${colour})`,
      "data-lit": lit,
    });
    root.append(lines[name]);
  };
  const number = (name, x, y, lit, anchor = "middle", label = "") => {
    values[name] = svg("tspan", { class: "lw-number", "data-out": name });
    const text = svg("text", { x, y, "text-anchor": anchor, "data-lit": lit });
    if (label) text.append(svg("tspan", { class: "lw-label" }, `${label} `));
    text.append(values[name]);
    root.append(text);
  };
  const node = (x, y, sign, lit, part, wide = 15) =>
    root.append(
      svg(
        "g",
        { class: "lw-node", "data-part": part, "data-lit": lit },
        wide > 15
          ? svg("rect", { x: x - wide, y: y - 14, width: 2 * wide, height: 28, rx: 14 })
          : svg("circle", { cx: x, cy: y, r: 15 }),
        svg("text", { x, y: y + (wide > 15 ? 5 : 6.5), "text-anchor": "middle" }, sign),
      ),
    );

  // The two inputs and what each sends into each gate.
  const last = X.o + STUB;
  line("h_prev", "h", `M${X.left} ${Y.h}H${X.o - STUB}`, "i f g o");
  line("x", "x", `M${X.left} ${Y.x}H${last}`, "i f g o");
  for (const k of GATES) {
    line(`Wh_${k}`, "h", `M${X[k] - STUB} ${Y.h}V${Y.gate + BOX.height}`, k);
    line(`Wx_${k}`, "x", `M${X[k] + STUB} ${Y.x}V${Y.gate + BOX.height}`, k);
    root.append(
      svg("circle", {
        class: "lw-dot",
        cx: X[k] - STUB,
        cy: Y.h,
        r: 3.5,
        style: "fill:var(--lw-h)",
        "data-lit": k,
      }),
    );
    root.append(
      svg("circle", {
        class: "lw-dot",
        cx: X[k] + STUB,
        cy: Y.x,
        r: 3.5,
        style: "fill:var(--lw-x)",
        "data-lit": k,
      }),
    );
  }
  // The path of c, then the gates' own lines, then h.
  line("c_prev", "c", `M${X.left} ${Y.c}H${X.f - 15}`, "c");
  line("kept", "c", `M${X.f + 15} ${Y.c}H${X.product - 15}`, "c");
  line("c", "c", `M${X.product + 15} ${Y.c}H${X.right}`, "c h");
  line("f", "f", `M${X.f} ${Y.gate}V${Y.c + 15}`, "f c");
  line("i", "i", `M${X.i} ${Y.gate}V${Y.product}H${X.product - 15}`, "i c");
  line("g", "g", `M${X.g} ${Y.gate}V${Y.product}H${X.product + 15}`, "g c");
  line("written", "c", `M${X.product} ${Y.product - 15}V${Y.c + 15}`, "c");
  line("toTanh", "c", `M${X.o} ${Y.c}V${Y.tanh - 14}`, "h");
  line("tanh", "c", `M${X.o} ${Y.tanh + 14}V${Y.read - 15}`, "h");
  line("o", "o", `M${X.o} ${Y.gate}V${Y.read + 15}`, "o h");
  line("h", "h", `M${X.o + 15} ${Y.read}H${X.right}`, "h");
  root.append(
    svg("circle", {
      class: "lw-dot",
      cx: X.o,
      cy: Y.c,
      r: 4.5,
      style: "fill:var(--lw-c)",
      "data-lit": "h",
    }),
  );

  for (const [k, y] of [
    ["c", Y.c],
    ["h", Y.read],
  ]) {
    root.append(
      svg("path", {
        d: `M${X.right - 2} ${y - 8}l13 8l-13 8z`,
        style: `fill:var(--lw-${k})`,
        "data-lit": k === "c" ? "c h" : "h",
      }),
    );
  }

  node(X.f, Y.c, "×", "c", "c");
  node(X.product, Y.c, "+", "c", "c");
  node(X.product, Y.product, "×", "c", "c");
  node(X.o, Y.tanh, "tanh", "h", "h", 27);
  node(X.o, Y.read, "×", "h", "h");

  for (const k of GATES) {
    const left = X[k] - BOX.width / 2;
    fills[k] = svg("rect", {
      class: "lw-fill",
      x: left,
      width: BOX.width,
      style: `fill:var(--lw-${k})`,
    });
    const clipped = svg(
      "svg",
      {
        x: left,
        y: Y.gate,
        width: BOX.width,
        height: BOX.height,
        viewBox: `${left} ${Y.gate} ${BOX.width} ${BOX.height}`,
      },
      fills[k],
    );
    values[k] = svg("text", {
      class: "lw-number lw-big",
      x: X[k] + 36,
      y: Y.gate + 49,
      "text-anchor": "end",
      "data-out": k,
    });
    const box = svg(
      "g",
      { class: "lw-gate", "data-part": k, "data-lit": k === "o" ? "o h" : `${k} c` },
      svg("rect", {
        class: "lw-box",
        x: left,
        y: Y.gate,
        width: BOX.width,
        height: BOX.height,
        rx: 8,
      }),
      clipped,
      svg("rect", {
        class: "lw-rim",
        x: left,
        y: Y.gate,
        width: BOX.width,
        height: BOX.height,
        rx: 8,
        style: `stroke:var(--lw-${k})`,
      }),
      svg("text", { class: "lw-letter", x: left + 10, y: Y.gate + 22 }, k),
      svg(
        "text",
        { class: "lw-label", x: X[k] + 36, y: Y.gate + 21, "text-anchor": "end" },
        TEXT.role[k],
      ),
      svg(
        "text",
        { class: "lw-label", x: X[k], y: Y.gate + BOX.height + 14, "text-anchor": "middle" },
        k === "g" ? "tanh" : "σ",
      ),
      values[k],
    );
    root.append(box);
  }

  root.append(
    svgSymbol("c_prev", { x: -6, y: Y.c - 7, "data-lit": "c" }),
    svgSymbol("h_prev", { x: -6, y: Y.h - 17, "data-lit": "i f g o" }),
    svgSymbol("x", { x: -6, y: Y.x + 10, "data-lit": "i f g o" }),
    svgSymbol("c", { x: X.end + 54, y: Y.c - 6, "text-anchor": "end", "data-lit": "c h" }),
    svgSymbol("h", { x: X.end + 54, y: Y.read - 6, "text-anchor": "end", "data-lit": "h" }),
  );
  number("c_prev", -6, Y.c + 17, "c", "start");
  number("h_prev", -6, Y.h + 9, "i f g o", "start");
  number("x", 10, Y.x + 10, "i f g o", "start");
  number("kept", (X.f + X.product) / 2, Y.c - 12, "c", "middle", TEXT.kept);
  number("written", X.product - 11, (Y.c + Y.product) / 2 + 5, "c", "end", TEXT.written);
  number("tanh", X.o - 34, Y.tanh + 5, "h", "end");
  number("c", X.end + 56, Y.c + 21, "c h", "end");
  number("h", X.end + 56, Y.read + 21, "h", "end");
  return { root, values, lines, fills };
}

function render({ model, el }) {
  const { listen, follow, leaving } = listening();
  const { read, write, isWriting } = traits(model, NAMES, () => update());
  let course = []; // {c, h} before the first step, after it, ...; empty until a step is taken
  let taken = 0;

  el.classList.add("lstm-widget", "lw-gates");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  // Examples
  const presets = html("div", { class: "lw-presets", role: "group", "aria-label": TEXT.presets });
  const note = html("p", { class: "lw-note", "aria-live": "polite" });
  const choices = [[TEXT.first, TEXT.firstNote, read()], ...EXAMPLES];
  const buttons = choices.map(([label, , values]) => {
    const button = html("button", { type: "button", "aria-pressed": "false" }, label);
    listen(button, "click", () => {
      course = [];
      write(values);
    });
    presets.append(button);
    return button;
  });

  // The cell, what it does in words, and its course over time
  const cell = drawCell();
  const summary = html("p", { class: "lw-summary", "aria-live": "polite" });
  const next = html("button", { type: "button", title: TEXT.nextHint }, TEXT.next);
  const strip = svg("svg", {
    class: "lw-course",
    viewBox: "0 0 400 56",
    preserveAspectRatio: "none",
    role: "img",
  });
  const zero = svg("path", { class: "lw-zero", "vector-effect": "non-scaling-stroke" });
  const curves = Object.fromEntries(
    ["c", "h"].map((k) => [
      k,
      svg("path", { class: `lw-curve lw-curve-${k}`, "vector-effect": "non-scaling-stroke" }),
    ]),
  );
  strip.append(zero, curves.c, curves.h);
  const stepLabel = html("span", { class: "lw-step" });
  const courseText = html("span", { class: "lw-label" });
  listen(next, "click", () => {
    const values = read();
    const { c, h } = step(values);
    if (!course.length) course.push({ c: values.c_prev, h: values.h_prev });
    course = [...course, { c, h }].slice(-61);
    taken += 1;
    write({ c_prev: c, h_prev: h });
  });

  // Equations
  const equations = html("ul", {
    class: "lw-equations",
    role: "listbox",
    "aria-label": TEXT.equations,
  });
  const rows = {};
  for (const k of RESULTS) {
    const formula = html("div", { class: "lw-formula" });
    const sum = [
      symbol(`Wx_${k}`),
      " ",
      symbol("x"),
      " + ",
      symbol(`Wh_${k}`),
      " ",
      symbol("h_prev"),
      " + ",
      symbol(`b_${k}`),
    ];
    if (k === "c")
      formula.append(
        symbol("c"),
        " = ",
        symbol("f"),
        " · ",
        symbol("c_prev"),
        " + ",
        symbol("i"),
        " · ",
        symbol("g"),
      );
    else if (k === "h")
      formula.append(symbol("h"), " = ", symbol("o"), " · tanh(", symbol("c"), ")");
    else formula.append(symbol(k), k === "g" ? " = tanh(" : " = σ(", ...sum, ")");
    const numbers = html("span", {});
    const result = html("b", { "data-eq": k });
    const row = html(
      "li",
      {
        role: "option",
        tabindex: k === "i" ? "0" : "-1",
        "data-part": k,
        style: `--lw-own:var(--lw-${k})`,
        ...KEYS,
      },
      html(
        "span",
        { class: "lw-tag" },
        html("span", {}, TEXT.gate[k]),
        ...(TEXT.role[k] ? [html("b", {}, TEXT.role[k])] : []),
      ),
      formula,
      html("div", { class: "lw-numbers" }, numbers, result),
    );
    rows[k] = { row, numbers, result };
    equations.append(row);
  }

  // Sliders
  const sliders = {};
  const controls = html("div", {
    class: "lw-controls",
    role: "group",
    "aria-label": TEXT.controls,
  });
  const slider = (name, range, label) => {
    const input = html("input", {
      type: "range",
      min: -range,
      max: range,
      step: range > 3 ? 0.1 : 0.05,
      "aria-label": label,
      "data-name": name,
      ...KEYS,
    });
    const shown = html("output", {});
    listen(input, "input", () => {
      write({ [name]: Number(input.value) });
    });
    sliders[name] = { input, shown };
    return html("label", { class: "lw-slider" }, symbol(name), input, shown);
  };
  controls.append(
    html(
      "div",
      { class: "lw-state" },
      slider("x", 3, `x, ${TEXT.state.x}`),
      slider("h_prev", 1, `h_prev, ${TEXT.state.h_prev}`),
      slider("c_prev", 3, `c_prev, ${TEXT.state.c_prev}`),
    ),
  );
  for (const k of GATES) {
    const of = (name) => `${name}_${k}, ${TEXT.weight[name]}, ${TEXT.gate[k]}`;
    controls.append(
      html(
        "fieldset",
        { class: "lw-card", "data-part": k, style: `--lw-own:var(--lw-${k})` },
        html("legend", {}, html("i", {}, k), " ", html("span", {}, TEXT.gate[k])),
        slider(`Wx_${k}`, 4, of("Wx")),
        slider(`Wh_${k}`, 4, of("Wh")),
        slider(`b_${k}`, 8, of("b")),
      ),
    );
  }

  const body = html(
    "div",
    { class: "lw-grid" },
    html("div", { class: "lw-top" }, presets, note),
    html(
      "div",
      { class: "lw-left" },
      cell.root,
      html("p", { class: "lw-legend" }, TEXT.legend),
      html(
        "div",
        { class: "lw-time" },
        next,
        html("div", { class: "lw-strip" }, strip, courseText),
        stepLabel,
      ),
      summary,
    ),
    controls,
    html("div", { class: "lw-right" }, equations),
  );
  const saving = { listen, model, el, names: NAMES, name: "gate-explorer", title: TEXT.title };
  el.append(
    body,
    saveButtons({ ...saving, picture: () => pictureOf(cell.root, themed(el, "page")) }),
  );

  // What the reader points at, or has in focus, lights up everywhere.
  let hovered = null,
    focused = null;
  const light = () => {
    const part = hovered ?? focused;
    body.classList.toggle("lw-lit", part !== null);
    for (const node of body.querySelectorAll("[data-lit]")) {
      node.classList.toggle("lw-on", part !== null && node.dataset.lit.split(" ").includes(part));
    }
    for (const k of RESULTS) {
      rows[k].row.classList.toggle("lw-on", k === part);
      rows[k].row.setAttribute("aria-selected", String(k === part));
    }
    for (const node of equations.querySelectorAll("[data-sym]"))
      node.classList.toggle("lw-on", node.dataset.sym === part);
    for (const card of controls.querySelectorAll(".lw-card"))
      card.classList.toggle("lw-on", card.dataset.part === part);
  };
  const partOf = (event) => event.target.closest?.("[data-part]")?.dataset.part ?? null;
  listen(body, "pointerover", (event) => {
    hovered = partOf(event);
    light();
  });
  listen(body, "pointerleave", () => {
    hovered = null;
    light();
  });
  listen(body, "focusin", (event) => {
    focused = partOf(event);
    light();
  });
  listen(body, "focusout", () => {
    focused = null;
    light();
  });
  listen(body, "click", (event) => {
    focused = partOf(event); // a finger cannot hover
    light();
  });
  listen(equations, "keydown", (event) => {
    const at = RESULTS.indexOf(partOf(event));
    const last = RESULTS.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const wanted = RESULTS[Math.min(Math.max(to, 0), last)];
    // one tab stop for all six
    for (const k of RESULTS) rows[k].row.tabIndex = k === wanted ? 0 : -1;
    hovered = null;
    rows[wanted].row.focus();
  });

  function update() {
    if (isWriting()) return;
    const v = read();
    const s = step(v);
    const kept = s.f * v.c_prev,
      written = s.i * s.g,
      squashed = Math.tanh(s.c);

    for (const [name, { input, shown }] of Object.entries(sliders)) {
      if (Number(input.value) !== v[name]) input.value = v[name];
      input.setAttribute("aria-valuetext", short(v[name]));
      input.style.setProperty(
        "--lw-at",
        (Number(input.value) - input.min) / (input.max - input.min),
      );
      shown.textContent = short(v[name]);
    }
    const numbers = {
      ...s,
      x: v.x,
      h_prev: v.h_prev,
      c_prev: v.c_prev,
      kept,
      written,
      tanh: squashed,
    };
    for (const [name, node] of Object.entries(cell.values)) {
      node.textContent = (STATE.includes(name) ? short : exact)(numbers[name]);
    }
    const sizes = { ...numbers, toTanh: s.c };
    for (const k of GATES) {
      sizes[`Wx_${k}`] = v.x * v[`Wx_${k}`];
      sizes[`Wh_${k}`] = v.h_prev * v[`Wh_${k}`];
      const height = BOX.height * Math.abs(s[k]);
      cell.fills[k].setAttribute("height", height);
      // The gates fill from below; the candidate has a sign and fills from below or hangs
      // from above.
      cell.fills[k].setAttribute("y", s[k] < 0 ? Y.gate : Y.gate + BOX.height - height);
    }
    for (const [name, node] of Object.entries(cell.lines)) {
      node.style.strokeWidth = (1.2 + 6.3 * Math.tanh(Math.abs(sizes[name]))).toFixed(2);
      node.classList.toggle("lw-negative", sizes[name] < -0.0005);
    }
    const spoken = RESULTS.map((k) => `${TEXT.gate[k]} ${k} = ${exact(s[k])}`).join(", ");
    cell.root.setAttribute("aria-label", `${TEXT.diagram}. ${spoken}`);

    for (const k of GATES) {
      const [Wx, Wh, b] = [v[`Wx_${k}`], v[`Wh_${k}`], v[`b_${k}`]];
      const sum = `${short(Wx)}·${factor(v.x)} + ${factor(Wh)}·${factor(v.h_prev)} + ${factor(b)}`;
      rows[k].numbers.textContent = `= ${k === "g" ? "tanh" : "σ"}(${sum}) = `;
    }
    const g = s.g < 0 ? `(${exact(s.g)})` : exact(s.g);
    rows.c.numbers.textContent = `= ${exact(s.f)}·${factor(v.c_prev)} + ${exact(s.i)}·${g} = `;
    rows.h.numbers.textContent = `= ${exact(s.o)}·tanh(${exact(s.c)}) = `;
    for (const k of RESULTS) rows[k].result.textContent = exact(s[k]);
    summary.textContent = TEXT.summary(percent(s.f), percent(s.i), percent(s.o));

    const chosen = choices.findIndex(([, , values]) =>
      NAMES.every((name) => (course.length && name.endsWith("_prev")) || values[name] === v[name]),
    );
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(n === chosen)));
    note.textContent = chosen < 0 ? TEXT.own : choices[chosen][1];
    drawCourse();
  }

  function drawCourse() {
    // The course ends where the cell stands. When c_prev or h_prev was moved, another one begins.
    const last = course.at(-1);
    if (last && (last.c !== model.get("c_prev") || last.h !== model.get("h_prev"))) course = [];
    if (!course.length) taken = 0;
    stepLabel.textContent = TEXT.step(taken);
    courseText.hidden = course.length > 0;
    courseText.textContent = TEXT.start;
    const top = Math.max(1, ...course.map(({ c }) => Math.abs(c)));
    const place = (value) => (28 - (25 * value) / top).toFixed(2);
    zero.setAttribute("d", course.length ? "M0 28H400" : "");
    for (const k of ["c", "h"]) {
      const points = course.map(
        (at, n) => `${((400 * n) / Math.max(20, course.length - 1)).toFixed(1)} ${place(at[k])}`,
      );
      curves[k].setAttribute("d", points.length ? `M${points.join("L")}` : "");
    }
    const end = course.at(-1);
    strip.setAttribute(
      "aria-label",
      end ? TEXT.course(taken, exact(end.c), exact(end.h)) : TEXT.start,
    );
  }

  follow(model, NAMES, update);
  update();
  light();
  return leaving(el);
}

export default { render };
