// What every gate of every unit did while a model read a text: a heat map to point at, and the
// text it belongs to.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js
// with save.js

const ARRAYS = ["i", "f", "g", "o", "c", "h"];
const GATES = ["i", "f", "o"]; // from 0 to 1; the others have a sign
const SORTS = ["memory", "variance", "index"]; // and "signal", where there is one to be like
// what a file of a trace holds
const DATA = ["tokens", "arrays", "orders", "means", "signals", "likeness"];
const NAMES = [...DATA, "array", "sort", "signal", "unit", "step", "reach", "shade", "guesses"];
const LAGS = 64; // as in sequence_inspector.py
const CHART = 84; // height of the chart in pixels
const PAGE = 10; // rows that Page Up and Page Down move

const TEXT = {
  title: "Sequence inspector: gates and states over a text",
  arrays: "Array",
  sort: "Units by",
  array: {
    i: "input gate",
    f: "forget gate",
    g: "candidate",
    o: "output gate",
    c: "cell state",
    h: "hidden state",
  },
  sorts: { memory: "memory", variance: "variance", index: "number", signal: "signal" },
  signal: "Signal",
  signalHint: (name) => `Correlation of each unit with the signal “${name}”`,
  open: "Open a trace …",
  opened: (H, T) => `A trace of ${H} units over ${T} steps was opened.`,
  noTrace: "This file is no trace: SequenceInspector(...).to_json(path) writes one.",
  sortHint: {
    memory: "The unit with the largest mean forget gate first: it keeps longest",
    variance: "The unit whose shown values vary most first",
    index: "In the model's own order",
    signal: "The unit that goes most with the signal, or most against it, first",
  },
  where: (t, T, token, unit, mean, r) =>
    `Step ${t} (T = ${T}), “${token}” · unit ${unit}, mean f ` +
    `${mean}${r === undefined ? "" : `, r ${r}`}`,
  picture: (name, unit, sort) => `${name}; units by ${sort}; unit ${unit}`,
  spoken: (t, token, unit, name, value) => `step ${t}, ${token}, unit ${unit}: ${name} ${value}`,
  map: (name, H, T) =>
    `Heat map of the ${name}: ${H} units by ${T} steps. The arrow keys read a ` +
    "number, Enter picks the unit.",
  roleMap: "heat map",
  hint: "Point at a number to read it; click, or press Enter, to pick its unit.",
  chart: (name, unit, low, high) =>
    `${name} of unit ${unit} over the text, between ${low} and ${high}`,
  shade: "Colour of the text",
  shades: { unit: "the picked unit", reach: "what mattered" },
  shadeHint: {
    unit: "The array shown, of the picked unit",
    reach: "How strongly the output after the pointed step depends on each earlier input",
  },
  reach: (token, lag) => {
    const most = lag === 0 ? "that input itself" : `the input ${lag} back`;
    return `What the output after “${token}” depends on, most on ${most}.`;
  },
  another: " Point at another step.",
  guessed: (pairs) =>
    ` Its guess of the next: ${pairs.map(([token, p]) => `“${token}” ${percent(p)}`).join(", ")}.`,
  caption: (letter, unit) => [`The text by `, letter, ` of unit ${unit}`],
  unit: "unit",
  space: "space",
  newline: "new line",
};

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const exact = (value) => value.toPrecision(4).replace("-", "−"); // the page carries four digits
const percent = (p) => `${(100 * p).toFixed(0)} %`;
const visible = (token) => token.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/ /g, "␣");
const spoken = (token) => (token === " " ? TEXT.space : token === "\n" ? TEXT.newline : token);

// Rows of numbers; a page from disk carries them as floats of three bytes.
function rowsOf(values, T, H) {
  if (typeof values !== "string") return values;
  const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
  const words = Uint32Array.from(
    { length: T * H },
    (_, k) => (bytes[3 * k] << 8) | (bytes[3 * k + 1] << 16) | (bytes[3 * k + 2] << 24),
  );
  const floats = Array.from(new Float32Array(words.buffer), (value) =>
    Number(value.toPrecision(4)),
  );
  return Array.from({ length: T }, (_, t) => floats.slice(t * H, (t + 1) * H));
}

// The state in a file that to_json has written; null for any other file.
function traceIn(text) {
  try {
    const state = JSON.parse(text);
    const T = state.tokens.length,
      H = state.means.length;
    const whole = ARRAYS.every((name) =>
      rowsOf(state.arrays[name], T, H).every(
        (row) => row.length === H && row.every(Number.isFinite),
      ),
    );
    const fits = ARRAYS.every((name) => rowsOf(state.arrays[name], T, H).length === T);
    return whole && fits && T && H && DATA.every((name) => name in state) ? state : null;
  } catch {
    return null;
  }
}

// How strongly the output after step t depends on input s, as a share of the strongest: one byte
// for each lag.
function reachIn(values, T) {
  if (!values) return null;
  const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
  if (bytes.length !== T * LAGS) return null;
  return (t, s) => (s > t || t - s >= LAGS ? 0 : bytes[t * LAGS + t - s] / 255);
}

function rgb(colour) {
  const hex = colour.trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Black or white, whichever can be read on the colour (WCAG 2.1 relative luminance)
function ink(colour) {
  const [r, g, b] = colour.map((v) =>
    v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// `again` draws everything anew, after another trace was opened; `said` is told then.
function draw({ model, el, again, said = "" }) {
  const { listen, leaving, cleanups } = listening();
  const set = (name, value) => {
    model.set(name, value);
    model.save_changes();
    update();
  };
  const tokens = model.get("tokens"),
    orders = model.get("orders"),
    means = model.get("means");
  const T = tokens.length,
    H = means.length;
  const arrays = Object.fromEntries(
    ARRAYS.map((name) => [name, rowsOf(model.get("arrays")[name], T, H)]),
  );
  const signals = model.get("signals"),
    likeness = model.get("likeness");
  const signalNames = Object.keys(signals);
  const reach = reachIn(model.get("reach"), T);
  const byReach = () => reach !== null && model.get("shade") === "reach";
  const like = () => `${model.get("signal")}_${model.get("array")}`;
  const words = tokens.some((token) => [...token].length > 2);
  const largest = Math.max(...arrays.c.flat().map(Math.abs)) || 1;
  // g and h lie between -1 and 1, as tanh does
  const range = (name) => (name === "c" ? largest : 1);
  const units = () => {
    const sort = model.get("sort");
    if (sort === "memory") return orders.memory;
    if (sort === "signal") return orders[`signal_${like()}`];
    return sort === "variance"
      ? orders[`variance_${model.get("array")}`]
      : Array.from({ length: H }, (_, unit) => unit);
  };

  el.classList.add("lstm-widget", "lw-inspector");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  // Choices. A radio group needs a name of its own, so that two inspectors on one page stay apart.
  const choices = (name, label, options, text, hint) => {
    const own = `lw-${name}-${Math.random().toString(36).slice(2)}`;
    const inputs = {};
    const group = html(
      "div",
      { class: "lw-choice", role: "radiogroup", "aria-label": label },
      html("span", { class: "lw-muted" }, label),
    );
    for (const option of options) {
      const input = html("input", { type: "radio", name: own, value: option, ...KEYS });
      listen(input, "change", () => set(name, option));
      inputs[option] = input;
      group.append(
        html(
          "label",
          { title: hint(option) },
          input,
          html("span", { class: "lw-chip" }, ...text(option)),
        ),
      );
    }
    return { group, inputs };
  };
  const swatch = (name) =>
    html("span", { class: "lw-swatch", style: `background:var(--lw-${name})` });
  const arrayChoice = choices(
    "array",
    TEXT.arrays,
    ARRAYS,
    (name) => [
      swatch(name),
      html("i", {}, name),
      html("span", { class: "lw-long" }, ` ${TEXT.array[name]}`),
    ],
    (name) => TEXT.array[name],
  );
  const sorts = signalNames.length ? [...SORTS, "signal"] : SORTS;
  const sortChoice = choices(
    "sort",
    TEXT.sort,
    sorts,
    (name) => [TEXT.sorts[name]],
    (name) => TEXT.sortHint[name],
  );
  const signalChoice = choices(
    "signal",
    TEXT.signal,
    signalNames,
    (name) => [name],
    TEXT.signalHint,
  );

  const shadeChoice = choices(
    "shade",
    TEXT.shade,
    reach ? ["unit", "reach"] : [],
    (name) => [TEXT.shades[name]],
    (name) => TEXT.shadeHint[name],
  );

  // Numbers under the pointer
  const where = html("div", { class: "lw-where" });
  const live = html("div", { class: "lw-unseen", "aria-live": "polite" });
  const outs = {};
  const values = html("div", { class: "lw-values" });
  for (const name of ARRAYS) {
    outs[name] = html("b", { "data-out": name });
    values.append(
      html(
        "span",
        { class: "lw-value", "data-array": name },
        swatch(name),
        html("i", {}, name),
        " ",
        outs[name],
      ),
    );
  }

  // Heat map: one pixel for one number, enlarged by the browser; tokens and chart stand under
  // it in the same columns.
  const canvas = html("canvas", {
    class: "lw-map",
    width: T,
    height: H,
    tabindex: "0",
    role: "application",
    "aria-roledescription": TEXT.roleMap,
    ...KEYS,
  });
  const axis = html("div", {
    class: words ? "lw-axis lw-words" : "lw-axis",
    "aria-hidden": "true",
  });
  for (const token of tokens) axis.append(html("span", {}, visible(token)));
  axis.style.setProperty(
    "--lw-longest",
    Math.min(12, Math.max(...tokens.map((token) => [...token].length))),
  );
  const chart = svg("svg", {
    class: "lw-chart",
    role: "img",
    height: CHART,
    preserveAspectRatio: "none",
  });
  const zero = svg("path", { class: "lw-zero", "vector-effect": "non-scaling-stroke" });
  const curve = svg("path", { class: "lw-curve", "vector-effect": "non-scaling-stroke" });
  const signalCurve = svg("path", { class: "lw-signal", "vector-effect": "non-scaling-stroke" });
  chart.append(zero, signalCurve, curve);
  const rowMark = html("div", { class: "lw-mark lw-row" });
  const columnMark = html("div", { class: "lw-mark lw-column" });
  const cellMark = html("div", { class: "lw-mark lw-spot" });
  const sheet = html(
    "div",
    { class: "lw-sheet" },
    canvas,
    axis,
    chart,
    rowMark,
    columnMark,
    cellMark,
  );
  const scroll = html("div", { class: "lw-scroll" }, sheet);
  const labels = html("div", { class: "lw-labels", "aria-hidden": "true" });
  const high = html("span"),
    low = html("span"),
    middle = html("span");
  const scale = html(
    "div",
    { class: "lw-scale", "aria-hidden": "true" },
    html("span"),
    html("i"),
    html("span"),
  );

  // The text
  const caption = html("div", { class: "lw-muted lw-caption" });
  const text = html("div", { class: words ? "lw-text lw-prose" : "lw-text" });
  const spans = tokens.map((token, t) =>
    html("span", { "data-t": t }, token === "\n" ? "↵\n" : token),
  );
  spans.forEach((span, t) => text.append(...(words && t ? [" ", span] : [span])));

  el.append(
    html(
      "div",
      { class: "lw-bar" },
      arrayChoice.group,
      sortChoice.group,
      ...(signalNames.length ? [signalChoice.group] : []),
    ),
    html("div", { class: "lw-readout" }, where, values),
    live,
    html("div", { class: "lw-plot" }, labels, scroll),
    html("div", { class: "lw-foot" }, html("span", { class: "lw-muted" }, TEXT.hint), scale),
    ...(reach ? [shadeChoice.group] : []),
    caption,
    text,
  );
  const file = html("input", {
    type: "file",
    accept: ".json,application/json",
    "aria-label": TEXT.open,
    ...KEYS,
  });
  listen(file, "change", async () => {
    const state = traceIn(await file.files[0].text());
    if (!state) return (live.textContent = notice.textContent = TEXT.noTrace);
    const start = {
      signal: Object.keys(state.signals)[0] ?? "",
      unit: 0,
      step: 0,
      reach: state.reach ?? "",
      shade: "unit",
      guesses: state.guesses ?? [],
    };
    if (model.get("sort") === "signal" && !start.signal) start.sort = "memory";
    again(TEXT.opened(state.means.length, state.tokens.length), () => {
      for (const name of ["unit", "step"]) model.set(name, 0); // what another trace may not have
      for (const [name, value] of Object.entries({ ...state, ...start })) {
        if (!NAMES.includes(name) || (!DATA.includes(name) && !(name in start))) continue;
        const plain =
          name === "arrays"
            ? Object.fromEntries(
                ARRAYS.map((key) => [
                  key,
                  rowsOf(value[key], state.tokens.length, state.means.length),
                ]),
              )
            : value;
        model.set(name, plain);
      }
      model.save_changes();
    });
  });
  const notice = html("span", { class: "lw-muted lw-notice" }, said);
  const saving = { listen, model, el, names: NAMES, name: "sequence-inspector", title: TEXT.title };
  const bar = saveButtons({ ...saving, picture: () => snapshot() });
  bar.append(
    html("label", { class: "lw-file" }, file, html("span", { class: "lw-chip" }, TEXT.open)),
    notice,
  );
  el.append(bar);
  live.textContent = said;

  let columnWidth = 12,
    rowHeight = 10;
  // what is read out; a pointer moves it, a click keeps it
  let at = { t: model.get("step"), unit: model.get("unit") };
  let rowOf = []; // unit -> row
  let ramp = null;

  const readRamp = () => {
    const style = getComputedStyle(el);
    ramp = Object.fromEntries(
      ["negative", "zero", "positive"].map((end) => [
        end,
        rgb(style.getPropertyValue(`--lw-${end}`)),
      ]),
    );
  };
  const colour = (name, value) => {
    const share = clamp(value / range(name), -1, 1);
    const end = share < 0 ? ramp.negative : ramp.positive;
    return ramp.zero.map((from, k) => Math.round(from + (end[k] - from) * Math.abs(share)));
  };

  function paint() {
    const name = model.get("array");
    const order = units();
    const context = canvas.getContext("2d");
    const image = context.createImageData(T, H);
    for (let t = 0; t < T; t++) {
      const step = arrays[name][t];
      order.forEach((unit, row) =>
        image.data.set([...colour(name, step[unit]), 255], 4 * (row * T + t)),
      );
    }
    context.putImageData(image, 0, 0);
    rowOf = [];
    order.forEach((unit, row) => (rowOf[unit] = row));
    const [from, gradient, to] = scale.children;
    const span = range(name);
    from.textContent = GATES.includes(name) ? "0" : `−${Number(span.toPrecision(3))}`;
    to.textContent = String(Number(span.toPrecision(3)));
    gradient.className = GATES.includes(name) ? "lw-one" : "lw-two";
    canvas.setAttribute("aria-label", TEXT.map(`${TEXT.array[name]} ${name}`, H, T));
  }

  function drawUnit() {
    const name = model.get("array"),
      unit = model.get("unit");
    const course = arrays[name].map((step) => step[unit]);
    const span = range(name),
      bottom = GATES.includes(name) ? 0 : -span;
    const y = (value) =>
      (CHART - 5 - ((value - bottom) / (span - bottom)) * (CHART - 10)).toFixed(1);
    chart.setAttribute("viewBox", `0 0 ${T} ${CHART}`);
    curve.setAttribute(
      "d",
      course.map((value, t) => `${t ? "L" : "M"}${t + 0.5} ${y(value)}`).join(""),
    );
    curve.style.stroke = `var(--lw-${name})`;
    // The signal, stretched over the height of the chart: its shape is what counts.
    const signal = model.get("sort") === "signal" ? signals[model.get("signal")] : [];
    const [least, most] = [Math.min(...signal), Math.max(...signal)];
    const level = (value) =>
      (CHART - 5 - ((value - least) / (most - least || 1)) * (CHART - 10)).toFixed(1);
    signalCurve.setAttribute(
      "d",
      signal.map((value, t) => `${t ? "L" : "M"}${t + 0.5} ${level(value)}`).join(""),
    );
    zero.setAttribute("d", `M0 ${y(0)}H${T}`);
    chart.setAttribute(
      "aria-label",
      TEXT.chart(TEXT.array[name], unit, exact(Math.min(...course)), exact(Math.max(...course))),
    );
    [high.textContent, low.textContent] = [
      scale.lastChild.textContent,
      scale.firstChild.textContent,
    ];
    middle.replaceChildren(html("i", {}, name), ` ${unit}`);
    if (byReach()) return; // mark() colours the text, by the step that is pointed at
    spans.forEach((node, t) => shade(node, colour(name, course[t])));
    const [before, letter, after] = TEXT.caption(name, unit);
    caption.replaceChildren(before, html("i", {}, letter), after);
  }

  function shade(node, background) {
    node.style.backgroundColor = `rgb(${background})`;
    node.style.color = ink(background);
  }

  function shadeByReach() {
    const shares = tokens.map((_, s) => reach(at.t, s));
    spans.forEach((node, s) => {
      shade(node, colour("i", shares[s])); // the colours of a gate, from 0 to 1
      node.dataset.reach = shares[s].toFixed(3);
    });
    const lag = at.t - shares.indexOf(Math.max(...shares));
    const guessed = (model.get("guesses") ?? [])[at.t] ?? [];
    const shown = guessed.map(([token, p]) => [visible(token), p]);
    caption.replaceChildren(
      TEXT.reach(visible(tokens[at.t]), lag),
      shown.length ? TEXT.guessed(shown) : "",
      TEXT.another,
    );
  }

  function place() {
    const room = el.clientWidth - labels.offsetWidth - 2;
    if (room <= 0) return; // not on the page yet, or hidden: the observer calls again
    columnWidth = clamp(Math.floor(room / T), words ? 18 : 11, 30);
    rowHeight = clamp(Math.floor(320 / H), 3, 22); // 128 units stay shorter than a telephone
    sheet.style.width = `${columnWidth * T}px`;
    sheet.style.setProperty("--lw-column", `${columnWidth}px`);
    canvas.style.height = `${rowHeight * H}px`;
    drawLabels();
    mark();
  }

  function drawLabels() {
    const order = units();
    // where rows are thin, only the picked unit has room
    const every = rowHeight >= 12 ? order : [model.get("unit")];
    const nodes = every.map((unit) => {
      const top = (rowOf[unit] + 0.5) * rowHeight;
      return html(
        "span",
        {
          class: unit === model.get("unit") ? "lw-label lw-picked" : "lw-label",
          style: `top:${top}px`,
          "data-unit": unit,
        },
        String(unit),
      );
    });
    high.className = low.className = middle.className = "lw-label";
    const foot = canvas.offsetHeight + axis.offsetHeight;
    [
      [high, 8],
      [middle, CHART / 2],
      [low, CHART - 8],
    ].forEach(([node, down]) => (node.style.top = `${foot + down}px`));
    labels.replaceChildren(...nodes, high, middle, low);
  }

  function mark() {
    const height = rowHeight * H;
    const box = (node, left, top, width, tall) =>
      Object.assign(node.style, {
        left: `${left}px`,
        top: `${top}px`,
        width: `${width}px`,
        height: `${tall}px`,
      });
    box(rowMark, 0, rowOf[model.get("unit")] * rowHeight, columnWidth * T, rowHeight);
    // not over the colours
    box(columnMark, at.t * columnWidth, height, columnWidth, axis.offsetHeight + CHART);
    box(cellMark, at.t * columnWidth, rowOf[at.unit] * rowHeight, columnWidth, rowHeight);
    spans.forEach((node, t) => node.classList.toggle("lw-at", t === at.t));
    if (byReach()) shadeByReach();
    const name = model.get("array");
    const r = model.get("sort") === "signal" ? exact(likeness[like()][at.unit]) : undefined;
    where.textContent = TEXT.where(
      at.t,
      T,
      visible(tokens[at.t]),
      at.unit,
      exact(means[at.unit]),
      r,
    );
    for (const other of ARRAYS) {
      outs[other].textContent = exact(arrays[other][at.t][at.unit]);
      outs[other].parentNode.classList.toggle("lw-shown", other === name);
    }
  }

  function update() {
    for (const [name, { inputs }] of [
      ["array", arrayChoice],
      ["sort", sortChoice],
      ["signal", signalChoice],
      ["shade", shadeChoice],
    ]) {
      for (const [option, input] of Object.entries(inputs))
        input.checked = option === model.get(name);
    }
    el.dataset.units = units().join(" ");
    paint();
    drawUnit();
    place();
  }

  // The map, the text under it and the course of the picked unit, as one SVG
  function snapshot() {
    const name = model.get("array"),
      unit = model.get("unit"),
      left = 44,
      top = 26;
    const width = left + columnWidth * T + 8,
      map = rowHeight * H,
      under = top + map + 18;
    const fg = themed(el, "fg"),
      muted = themed(el, "muted");
    const root = svg("svg", {
      xmlns: NS,
      viewBox: `0 0 ${width} ${under + CHART + 6}`,
      width,
      height: under + CHART + 6,
      "font-family": "system-ui, sans-serif",
      "font-size": 12,
    });
    const write = (x, y, words, more = {}) => {
      const node = svg("text", { x, y, fill: muted, ...more });
      node.append(words);
      root.append(node);
    };
    root.append(svg("rect", { width, height: under + CHART + 6, fill: themed(el, "page") }));
    write(
      left,
      16,
      TEXT.picture(`${TEXT.array[name]} ${name}`, unit, TEXT.sorts[model.get("sort")]),
      { fill: fg, "font-size": 13 },
    );
    root.append(
      svg("image", {
        x: left,
        y: top,
        width: columnWidth * T,
        height: map,
        href: canvas.toDataURL(),
        preserveAspectRatio: "none",
        style: "image-rendering:pixelated",
      }),
      svg("rect", {
        x: left,
        y: top + rowOf[unit] * rowHeight,
        width: columnWidth * T,
        height: rowHeight,
        fill: "none",
        stroke: fg,
        "stroke-width": 1.5,
      }),
    );
    write(left - 6, top + (rowOf[unit] + 0.5) * rowHeight + 4, String(unit), {
      "text-anchor": "end",
      fill: fg,
    });
    tokens.forEach((token, t) =>
      write(left + (t + 0.5) * columnWidth, top + map + 12, visible(token), {
        "text-anchor": "middle",
        "font-family": "monospace",
      }),
    );
    const place = svg("g", {
      transform: `translate(${left} ${under}) scale(${columnWidth} 1)`,
      fill: "none",
    });
    for (const [path, stroke, dashes] of [
      [zero, muted, "2 3"],
      [signalCurve, muted, "6 4"],
      [curve, themed(el, name), "none"],
    ]) {
      if (path.getAttribute("d"))
        place.append(
          svg("path", {
            d: path.getAttribute("d"),
            stroke,
            "stroke-width": 1.8,
            "stroke-dasharray": dashes,
            "vector-effect": "non-scaling-stroke",
          }),
        );
    }
    root.append(place);
    return new XMLSerializer().serializeToString(root);
  }

  // Pointer: a mouse reads as it moves; a click or a tap keeps the step and picks the unit.
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    const t = clamp(Math.floor(((event.clientX - box.left) / box.width) * T), 0, T - 1);
    const row = clamp(Math.floor(((event.clientY - box.top) / box.height) * H), 0, H - 1);
    return { t, unit: units()[row] };
  };
  const keep = () => {
    at = { t: model.get("step"), unit: model.get("unit") };
    mark();
  };
  const pick = ({ t, unit }) => {
    at = { t, unit };
    model.set("step", t);
    set("unit", unit);
  };
  listen(canvas, "pointermove", (event) => {
    if (event.pointerType === "touch") return;
    at = under(event);
    mark();
  });
  listen(canvas, "pointerleave", keep);
  listen(canvas, "click", (event) => pick(under(event)));
  listen(canvas, "keydown", (event) => {
    const row = rowOf[at.unit];
    const [t, to] =
      {
        ArrowLeft: [at.t - 1, row],
        ArrowRight: [at.t + 1, row],
        ArrowUp: [at.t, row - 1],
        ArrowDown: [at.t, row + 1],
        Home: [0, row],
        End: [T - 1, row],
        PageUp: [at.t, row - PAGE],
        PageDown: [at.t, row + PAGE],
        Enter: [at.t, row],
        " ": [at.t, row],
      }[event.key] ?? [];
    if (t === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = { t: clamp(t, 0, T - 1), unit: units()[clamp(to, 0, H - 1)] };
    if (event.key === "Enter" || event.key === " ") return pick(next);
    at = next;
    if (model.get("step") !== at.t) {
      model.set("step", at.t);
      model.save_changes();
    }
    mark();
    const left = at.t * columnWidth;
    if (left < scroll.scrollLeft) scroll.scrollLeft = left;
    if (left + columnWidth > scroll.scrollLeft + scroll.clientWidth)
      scroll.scrollLeft = left + columnWidth - scroll.clientWidth;
    const name = model.get("array");
    live.textContent = TEXT.spoken(
      at.t,
      spoken(tokens[at.t]),
      at.unit,
      name,
      exact(arrays[name][at.t][at.unit]),
    );
  });
  const stepOf = (event) => event.target.closest?.("[data-t]")?.dataset.t;
  listen(text, "pointerover", (event) => {
    if (event.pointerType === "touch" || stepOf(event) === undefined) return;
    at = { t: Number(stepOf(event)), unit: model.get("unit") };
    mark();
  });
  listen(text, "pointerleave", keep);
  listen(text, "click", (event) => {
    if (stepOf(event) !== undefined) pick({ t: Number(stepOf(event)), unit: model.get("unit") });
  });
  listen(labels, "click", (event) => {
    const unit = event.target.closest?.("[data-unit]")?.dataset.unit;
    if (unit !== undefined) pick({ t: at.t, unit: Number(unit) });
  });

  // Changes from elsewhere: from Python, from the width of the page, from light to dark.
  for (const name of ["array", "sort", "signal", "unit", "step", "shade"]) {
    const changed = () => {
      if (name === "unit") at = { ...at, unit: model.get("unit") };
      if (name === "step") at = { ...at, t: model.get("step") };
      update();
    };
    model.on(`change:${name}`, changed);
    cleanups.push(() => model.off(`change:${name}`, changed));
  }
  const recolour = () => {
    const before = String(Object.values(ramp));
    readRamp();
    if (String(Object.values(ramp)) !== before) update();
  };
  const themes = new MutationObserver(recolour);
  for (const node of [document.documentElement, document.body]) {
    themes.observe(node, {
      attributes: true,
      attributeFilter: ["data-theme", "data-jp-theme-light", "theme", "class"],
    });
  }
  listen(matchMedia("(prefers-color-scheme: dark)"), "change", recolour);
  let width = 0;
  const sizes = new ResizeObserver(() => {
    if (el.clientWidth === width) return; // the height is our own doing
    width = el.clientWidth;
    recolour(); // a live notebook styles the element only after it is in the page
    place();
  });
  sizes.observe(el);
  cleanups.push(
    () => themes.disconnect(),
    () => sizes.disconnect(),
  );

  readRamp();
  update();
  return leaving(el);
}

function render({ model, el }) {
  let stop;
  const again = (said, change) => {
    stop();
    change();
    stop = draw({ model, el, again, said });
  };
  stop = draw({ model, el, again });
  return () => stop();
}

export default { render };
