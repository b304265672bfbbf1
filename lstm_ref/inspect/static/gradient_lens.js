// How large a gradient still is, k steps back, in a plain RNN, a GRU and an LSTM: move the
// numbers and see the curves follow.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// Forward and backward pass of all three are computed here; lstm_ref/inspect/gradient_lens.py
// has the same numbers in NumPy.
// with dom.js

const N = 4,
  D = 4,
  H = 24,
  T_MAX = 100,
  INPUT = 0.5; // as in gradient_lens.py
const NETWORKS = [
  ["rnn", 1],
  ["gru", 3],
  ["lstm", 4],
]; // and their blocks of H columns
const NAMES = ["forget_bias", "longest", "scale", "T", "lag", "seed"];
const CHART = { height: 300, left: 46, right: 66, top: 10, bottom: 40 };
const APART = 15; // pixels between two labels at the ends of curves

// The states and the gate of the LSTM have the colours of the palette, the other networks two
// that no gate has.
const SERIES = {
  rnn_h: { colour: "s0", dash: "8 3 2 3", width: 2.2 },
  gru_h: { colour: "s1", dash: "8 3", width: 2 },
  lstm_h: { colour: "h", dash: "none", width: 2.2 },
  lstm_c: { colour: "c", dash: "none", width: 3 },
  lstm_f: { colour: "f", dash: "2 3", width: 2.2 },
};

const TEXT = {
  title: "Gradient lens: size of the gradient by lag",
  presets: "Examples",
  first: "Start",
  firstNote:
    "Move a number, point at the chart, or take an example. Draw again for other " +
    "weights and inputs.",
  own: "Your own numbers.",
  again: "Draw again",
  againHint: "Other weights, other inputs, another direction of the gradient",
  controls: "Numbers to move",
  label: {
    forget_bias: "forget bias",
    longest: "chrono up to",
    scale: "weight scale",
    T: "steps T",
    lag: "read at lag",
  },
  off: "off",
  spoken: {
    forget_bias: "bias of the gate that keeps",
    longest:
      "longest memory in steps of the chrono start, which gives each unit a forget " +
      "bias of its own; 0 is off",
    scale: "scale of the recurrent weights",
    T: "time steps T",
    lag: "lag at which the numbers are read, in steps back from the last",
  },
  x: "lag k: steps back from the last",
  y: "gradient, as a part of that at the last step",
  summary: (T, parts) => `Left of the gradient ${T} steps back: ${parts.join("; ")}.`,
  none: "Tick a curve in the table.",
  end: {
    rnn_h: ["RNN"],
    gru_h: ["GRU"],
    lstm_h: ["LSTM ", "h"],
    lstm_c: ["LSTM ", "c"],
    lstm_f: ["only ", "f"],
  },
  tick: (name) => `show the curve of ${name}`,
  table: "Size of the gradient in each network",
  row: {
    rnn_h: ["RNN, ", "h"],
    gru_h: ["GRU, ", "h"],
    lstm_h: ["LSTM, ", "h"],
    lstm_c: ["LSTM, ", "c"],
    lstm_f: ["LSTM, ", "c", ", gates fixed"],
  },
  network: "gradient of",
  at: (lag) => `at lag ${lag}`,
  perStep: "per step",
  perStepHint: "Mean factor by which one step back multiplies the gradient, from lag 1 to lag T",
  all: "All numbers",
  allTable: "Size of the gradient at every lag",
  lag: "lag",
};

const EXAMPLES = [
  [
    "b = 0",
    "The gates that keep are half open: what is gated forgets faster than the plain RNN.",
    { forget_bias: 0, scale: 1, T: 50 },
  ],
  [
    "Gates open",
    "A large bias holds the gates near 1, and small weights leave them there: what is " +
      "gated keeps, the RNN does not.",
    { forget_bias: 5, scale: 0.5, T: 50 },
  ],
  [
    "Chrono",
    "Each unit has a forget bias of its own, for 1 to 49 steps, and writes as little " +
      "as it forgets: LSTM and GRU keep over all 50 steps.",
    { longest: 50, scale: 1, T: 50 },
  ],
  [
    "No recurrence",
    "Recurrent weights of 0: the cell state alone goes back, and its gradient is the " +
      "product of the forget gates.",
    { forget_bias: 1, scale: 0, T: 50 },
  ],
  [
    "Large weights",
    "The gradient of the RNN explodes in nearly every draw; that of the LSTM grows " +
      "in most of them, and far less.",
    { forget_bias: 2, scale: 3, T: 100 },
  ],
];

// The numbers

// xorshift with 32 bits, bit for bit that of gradient_lens.py; the deviation is 1
function uniform(seed) {
  let state = Math.imul(seed, 2654435761) >>> 0;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.sqrt(3) * (2 * (state / 2 ** 32) - 1);
  };
  for (let skip = 0; skip < 8; skip += 1) next();
  return next;
}

function draw(seed) {
  const next = uniform(seed);
  const array = (size) => Float64Array.from({ length: size }, next);
  const drawn = {};
  for (const [network, blocks] of NETWORKS)
    drawn[network] = { Wx: array(D * blocks * H), Wh: array(H * blocks * H) };
  drawn.x = array(T_MAX * N * D); // (T, N, D)
  drawn.dhT = array(N * H);
  let squares = 0;
  for (const value of drawn.dhT) squares += value * value;
  drawn.dhT = drawn.dhT.map((value) => value / Math.sqrt(squares));
  drawn.chrono = array(H);
  return drawn;
}

const scaled = (array, deviation) => array.map((value) => deviation * value);

// row (k) times W (k, columns), added to out
function times(row, W, out) {
  const columns = out.length;
  for (let k = 0; k < row.length; k += 1) {
    for (let j = 0; j < columns; j += 1) out[j] += row[k] * W[k * columns + j];
  }
  return out;
}

// row (columns) times W.T
function timesTransposed(row, W, size) {
  const columns = row.length,
    out = new Float64Array(size);
  for (let k = 0; k < size; k += 1) {
    let sum = 0;
    for (let j = 0; j < columns; j += 1) sum += row[j] * W[k * columns + j];
    out[k] = sum;
  }
  return out;
}

function units(compute) {
  const out = new Float64Array(H);
  for (let k = 0; k < H; k += 1) out[k] = compute(k);
  return out;
}

// Each network: one example, all steps forward, then back; note(name, gradient) is called for
// lag 0, 1, ..., T.

function rnn({ Wx, Wh }, bias, xs, dhT, note) {
  const steps = [];
  let h = new Float64Array(H);
  for (const x of xs) {
    h = times(h, Wh, times(x, Wx, new Float64Array(H))).map(Math.tanh);
    steps.push(h);
  }
  let dh = dhT;
  for (const y of steps.reverse()) {
    note("rnn_h", dh);
    dh = timesTransposed(
      units((k) => dh[k] * (1 - y[k] ** 2)),
      Wh,
      H,
    );
  }
  note("rnn_h", dh);
}

function gru({ Wx, Wh }, bias, xs, dhT, note) {
  const steps = [];
  let h = new Float64Array(H);
  for (const x of xs) {
    const before = h,
      fromInput = times(x, Wx, new Float64Array(3 * H)),
      fromState = times(h, Wh, new Float64Array(3 * H));
    const r = units((k) => sigmoid(fromInput[k] + fromState[k]));
    const z = units((k) => sigmoid(fromInput[H + k] + fromState[H + k] + bias.keep[k]));
    const m = fromState.slice(2 * H);
    const n = units((k) => Math.tanh(fromInput[2 * H + k] + r[k] * m[k]));
    h = units((k) => (1 - z[k]) * n[k] + z[k] * before[k]);
    steps.push({ before, r, z, m, n });
  }
  let dh = dhT;
  for (const { before, r, z, m, n } of steps.reverse()) {
    note("gru_h", dh);
    const da = new Float64Array(3 * H); // of what comes from the state
    for (let k = 0; k < H; k += 1) {
      const da_n = dh[k] * (1 - z[k]) * (1 - n[k] ** 2);
      da[k] = da_n * m[k] * r[k] * (1 - r[k]);
      da[H + k] = dh[k] * (before[k] - n[k]) * z[k] * (1 - z[k]);
      da[2 * H + k] = da_n * r[k];
    }
    const back = timesTransposed(da, Wh, H),
      kept = dh;
    dh = units((k) => back[k] + kept[k] * z[k]);
  }
  note("gru_h", dh);
}

function lstm({ Wx, Wh }, bias, xs, dhT, note) {
  const steps = [];
  let h = new Float64Array(H),
    c = new Float64Array(H);
  for (const x of xs) {
    const before = c,
      a = times(h, Wh, times(x, Wx, new Float64Array(4 * H)));
    const i = units((k) => sigmoid(a[k] + bias.write[k])),
      f = units((k) => sigmoid(a[H + k] + bias.keep[k]));
    const g = units((k) => Math.tanh(a[2 * H + k])),
      o = units((k) => sigmoid(a[3 * H + k]));
    c = units((k) => f[k] * before[k] + i[k] * g[k]);
    const y = c.map(Math.tanh);
    h = units((k) => o[k] * y[k]);
    steps.push({ before, i, f, g, o, y });
  }
  let dh = dhT,
    dc = new Float64Array(H),
    alone = null;
  for (const { before, i, f, g, o, y } of steps.reverse()) {
    const total = units((k) => dc[k] + dh[k] * o[k] * (1 - y[k] ** 2));
    alone ??= total;
    note("lstm_h", dh);
    note("lstm_c", total);
    note("lstm_f", alone);
    const da = new Float64Array(4 * H);
    for (let k = 0; k < H; k += 1) {
      da[k] = total[k] * g[k] * i[k] * (1 - i[k]);
      da[H + k] = total[k] * before[k] * f[k] * (1 - f[k]);
      da[2 * H + k] = total[k] * i[k] * (1 - g[k] ** 2);
      da[3 * H + k] = dh[k] * y[k] * o[k] * (1 - o[k]);
    }
    dh = timesTransposed(da, Wh, H);
    dc = units((k) => total[k] * f[k]);
    const kept = alone;
    alone = units((k) => kept[k] * f[k]);
  }
  note("lstm_h", dh);
  note("lstm_c", dc);
  note("lstm_f", alone);
}

// Of the gate that keeps, and of the LSTM's input gate: the same for all units, or drawn for
// each by the chrono start
function biases(drawn, { forget_bias, longest }) {
  if (!longest) return { keep: units(() => forget_bias), write: new Float64Array(H) };
  const keep = units((k) => Math.log(1 + (longest - 2) * (0.5 + drawn.chrono[k] / Math.sqrt(12))));
  return { keep, write: keep.map((value) => -value) };
}

function measure(drawn, numbers) {
  const { scale, T } = numbers,
    bias = biases(drawn, numbers);
  const squares = Object.fromEntries(
    Object.keys(SERIES).map((name) => [name, new Float64Array(T + 1)]),
  );
  const weights = {};
  for (const [network] of NETWORKS) {
    weights[network] = {
      Wx: scaled(drawn[network].Wx, INPUT / Math.sqrt(D)),
      Wh: scaled(drawn[network].Wh, scale / Math.sqrt(H)),
    };
  }
  for (let n = 0; n < N; n += 1) {
    const xs = Array.from({ length: T }, (_, t) =>
      drawn.x.slice((t * N + n) * D, (t * N + n + 1) * D),
    );
    const lag = {};
    const note = (name, gradient) => {
      lag[name] = (lag[name] ?? -1) + 1;
      for (const value of gradient) squares[name][lag[name]] += value * value;
    };
    const dhT = drawn.dhT.slice(n * H, (n + 1) * H);
    for (const [network, run] of [
      ["rnn", rnn],
      ["gru", gru],
      ["lstm", lstm],
    ])
      run(weights[network], bias, xs, dhT, note);
  }
  return Object.fromEntries(
    Object.entries(squares).map(([name, all]) => [name, all.map(Math.sqrt)]),
  );
}

// The page

const plain = (value, digits) => value.toFixed(digits).replace("-", "−");

function size(value) {
  if (value === 0) return "0";
  const [digits, exponent] = value.toExponential(2).split("e").map(Number);
  if (exponent > 3 || exponent < -3) return `${digits.toFixed(1)}·${powerOfTen(exponent)}`;
  return value.toPrecision(3);
}

const stroke = ({ colour, dash, width }) => ({
  class: "lw-curve",
  style: `stroke:var(--lw-${colour})`,
  "stroke-dasharray": dash,
  "stroke-width": width,
});

// Labels at the ends of curves, moved so that no two of them touch and none leaves the chart
function apart(places, bottom) {
  const sorted = [...places].sort((a, b) => a[1] - b[1]);
  sorted.forEach((entry, k) => {
    if (k) entry[1] = Math.max(entry[1], sorted[k - 1][1] + APART);
  });
  sorted.reverse().forEach((entry, k) => {
    entry[1] = Math.min(entry[1], k ? sorted[k - 1][1] - APART : bottom);
  });
  return sorted;
}

const rowName = (name) => {
  const [network, state, ...rest] = TEXT.row[name];
  return [network, html("i", {}, state), ...rest];
};

// A number with all its digits for whoever reads the page by program, and the one that is shown
const cell = (value, text) => html("td", {}, html("data", { value }, text));

function render({ model, el }) {
  const { listen, follow, resized, leaving } = listening();
  const { read, write, isWriting } = traits(model, NAMES, () => update());
  // For readers who have met neither, the GRU and the chrono start are left out.
  const basic = model.get("basic");
  const series = Object.entries(SERIES).filter(([name]) => !(basic && name === "gru_h"));
  const names = series.map(([name]) => name);

  el.classList.add("lstm-widget", "lw-lens");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  // Examples
  const presets = html("div", { class: "lw-presets", role: "group", "aria-label": TEXT.presets });
  const note = html("p", { class: "lw-note", "aria-live": "polite" });
  const { forget_bias, longest, scale, T } = read();
  const examples = EXAMPLES.filter(([, , values]) => !(basic && values.longest)).map(
    ([label, remark, values]) => [label, remark, { longest: 0, ...values }],
  );
  const choices = [[TEXT.first, TEXT.firstNote, { forget_bias, longest, scale, T }], ...examples];
  const buttons = choices.map(([label, , values]) => {
    const button = html("button", { type: "button", "aria-pressed": "false" }, label);
    listen(button, "click", () => write(values));
    presets.append(button);
    return button;
  });
  const again = html(
    "button",
    { type: "button", class: "lw-again", title: TEXT.againHint },
    TEXT.again,
  );
  listen(again, "click", () => write({ seed: (model.get("seed") % 2147483647) + 1 }));
  presets.append(again);

  // Sliders
  const sliders = {};
  const controls = html("div", {
    class: "lw-controls",
    role: "group",
    "aria-label": TEXT.controls,
  });
  for (const [name, min, max, step] of [
    ["forget_bias", -2, 6, 0.1],
    ["longest", 0, 400, 10],
    ["scale", 0, 3, 0.05],
    ["T", 1, T_MAX, 1],
    ["lag", 0, T_MAX, 1],
  ].filter(([name]) => !(basic && name === "longest"))) {
    const input = html("input", {
      type: "range",
      min,
      max,
      step,
      "aria-label": TEXT.spoken[name],
      "data-name": name,
      ...KEYS,
    });
    const shown = html("output", {});
    listen(input, "input", () => write({ [name]: Number(input.value) }));
    sliders[name] = { input, shown, digits: { forget_bias: 1, scale: 2 }[name] ?? 0 };
    controls.append(
      html("label", { class: "lw-slider" }, html("span", {}, TEXT.label[name]), input, shown),
    );
  }

  // Chart
  const chart = svg("svg", { class: "lw-chart", role: "img", height: CHART.height });
  const ground = svg("g", {}),
    curves = {},
    dots = {},
    ends = {};
  const cursor = svg("path", { class: "lw-cursor" });
  const plot = svg("svg", { class: "lw-plot" }, cursor); // cuts off what leaves the axes
  chart.append(ground, plot);
  for (const [name, look] of series) {
    curves[name] = svg("path", { "data-series": name, ...stroke(look) });
    dots[name] = svg("circle", { r: 4.5, class: "lw-dot", style: `fill:var(--lw-${look.colour})` });
    const [network, letter] = TEXT.end[name];
    ends[name] = svg("text", { class: "lw-end", "data-end": name }, network);
    if (letter) ends[name].append(svg("tspan", { "font-style": "italic" }, letter));
    plot.append(curves[name]);
    chart.append(ends[name]);
  }
  plot.append(...Object.values(dots));
  const summary = html("p", { class: "lw-summary", "aria-live": "polite" });

  // Numbers: those of one lag, which are the legend too, and all of them
  const heads = ["lag", "last"].map(() => html("th", { scope: "col" }));
  const perStep = html("th", { scope: "col", title: TEXT.perStepHint }, TEXT.perStep);
  const body = html("tbody");
  const table = html(
    "table",
    { class: "lw-table" },
    html("caption", { class: "lw-unseen" }, TEXT.table),
    html(
      "thead",
      {},
      html("tr", {}, html("th", { scope: "col" }, TEXT.network), ...heads, perStep),
    ),
    body,
  );
  const rows = {},
    ticks = {};
  const isShown = (name) => model.get("shown").includes(name);
  for (const [name, look] of series) {
    const sample = svg(
      "svg",
      { class: "lw-sample", width: 34, height: 8, "aria-hidden": "true" },
      svg("path", { d: "M0 4H34", ...stroke(look) }),
    );
    rows[name] = html("tr", { "data-row": name });
    const tick = html("input", {
      type: "checkbox",
      "aria-label": TEXT.tick(TEXT.row[name].join("")),
      "data-tick": name,
      ...KEYS,
    });
    listen(tick, "change", () => {
      const now = names.filter((other) =>
        other === name ? tick.checked : isShown(other),
      );
      write({ shown: now });
    });
    ticks[name] = tick;
    rows[name].append(
      html(
        "th",
        { scope: "row" },
        html("label", { class: "lw-tick" }, tick, sample, html("span", {}, ...rowName(name))),
      ),
    );
    body.append(rows[name]);
  }
  const everything = html("table", { class: "lw-table lw-everything" });
  const scroll = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.allTable },
    everything,
  );
  const details = html("details", {}, html("summary", {}, TEXT.all), scroll);

  el.append(
    html("div", { class: "lw-top" }, presets, note),
    controls,
    chart,
    summary,
    table,
    details,
  );

  let drawn = null,
    seed = null;
  let values = null;

  function fillEverything() {
    const head = html("tr", {}, html("th", { scope: "col" }, TEXT.lag));
    for (const name of names)
      head.append(html("th", { scope: "col" }, ...rowName(name)));
    const lines = Array.from(values.rnn_h, (_, lag) =>
      html(
        "tr",
        {},
        html("th", { scope: "row" }, String(lag)),
        ...names.map((name) => cell(values[name][lag], size(values[name][lag]))),
      ),
    );
    everything.replaceChildren(
      html("caption", { class: "lw-unseen" }, TEXT.allTable),
      html("thead", {}, head),
      html("tbody", {}, ...lines),
    );
  }
  listen(details, "toggle", () => {
    if (details.open) fillEverything();
  });

  function drawChart(T, lag) {
    const width = Math.max(el.clientWidth, 240);
    const right = width - CHART.right,
      bottom = CHART.height - CHART.bottom;
    // The axis moves by four decades at a time, so that a curve is seen to move and not the axis.
    const sizes = names
      .filter(isShown)
      .flatMap((name) => [...values[name]])
      .filter((value) => value > 0)
      .map(Math.log10);
    const low = Math.max(-24, 4 * Math.floor(Math.min(-8, ...sizes) / 4));
    const high = Math.min(16, 4 * Math.ceil(Math.max(1, ...sizes) / 4));
    const x = (k) => CHART.left + ((right - CHART.left) * k) / T;
    const y = (exponent) => CHART.top + ((bottom - CHART.top) * (high - exponent)) / (high - low);
    chart.setAttribute("width", width);
    ground.replaceChildren();
    for (let exponent = low; exponent <= high; exponent += 4) {
      ground.append(
        svg("path", {
          class: exponent === 0 ? "lw-one" : "lw-line",
          d: `M${CHART.left} ${y(exponent)}H${right}`,
        }),
        svg(
          "text",
          { x: CHART.left - 7, y: y(exponent) + 4, "text-anchor": "end" },
          exponent === 0 ? "1" : powerOfTen(exponent),
        ),
      );
    }
    const every = [1, 2, 5, 10, 20, 50].find((step) => T / step <= (width < 480 ? 5 : 10)) ?? 50;
    for (let k = 0; k <= T; k += every) {
      ground.append(
        svg("path", { class: "lw-line", d: `M${x(k)} ${bottom}v5` }),
        svg("text", { x: x(k), y: bottom + 18, "text-anchor": "middle" }, String(k)),
      );
    }
    ground.append(
      svg(
        "text",
        {
          class: "lw-axis",
          x: (CHART.left + right) / 2,
          y: CHART.height - 5,
          "text-anchor": "middle",
        },
        TEXT.x,
      ),
      svg(
        "text",
        { class: "lw-axis", x: right - 4, y: CHART.top + 12, "text-anchor": "end" },
        TEXT.y,
      ),
    );
    for (const [name, place] of Object.entries({
      x: CHART.left,
      y: CHART.top,
      width: right - CHART.left,
      height: bottom - CHART.top,
    })) {
      plot.setAttribute(name, place);
    }
    plot.setAttribute(
      "viewBox",
      `${CHART.left} ${CHART.top} ${right - CHART.left} ${bottom - CHART.top}`,
    );
    cursor.setAttribute("d", `M${x(lag)} ${CHART.top}V${bottom}`);
    const places = [];
    for (const name of names) {
      const seen = isShown(name);
      for (const part of [curves[name], ends[name]])
        part.setAttribute("display", seen ? "inline" : "none");
      const last = values[name][T];
      if (seen)
        places.push([
          name,
          Math.min(Math.max(last > 0 ? y(Math.log10(last)) : bottom, CHART.top + 6), bottom),
        ]);
      const points = [];
      for (let k = 0; k <= T && values[name][k] > 0; k += 1)
        points.push(`${x(k).toFixed(1)} ${y(Math.log10(values[name][k])).toFixed(1)}`);
      curves[name].setAttribute("d", points.length ? `M${points.join("L")}` : "");
      const here = values[name][lag];
      dots[name].setAttribute("visibility", here > 0 && seen ? "visible" : "hidden");
      dots[name].setAttribute("cx", x(lag));
      dots[name].setAttribute("cy", here > 0 ? y(Math.log10(here)) : 0);
    }
    apart(places, bottom).forEach(([name, place]) => {
      ends[name].setAttribute("x", right + 5);
      ends[name].setAttribute("y", place + 4);
    });
  }

  function update() {
    if (isWriting()) return;
    const numbers = read();
    if (numbers.seed !== seed) {
      seed = numbers.seed;
      drawn = draw(seed);
    }
    values = measure(drawn, numbers);
    const T = numbers.T,
      lag = Math.min(numbers.lag, T);

    sliders.lag.input.max = T;
    sliders.forget_bias.input.disabled = numbers.longest > 0; // each unit has its own then
    for (const [name, { input, shown, digits }] of Object.entries(sliders)) {
      const value = name === "lag" ? lag : numbers[name];
      if (Number(input.value) !== value) input.value = value;
      shown.textContent = name === "longest" && value === 0 ? TEXT.off : plain(value, digits);
      input.setAttribute(
        "aria-valuetext",
        name === "lag" ? `${lag}: ${spoken(lag)}` : shown.textContent,
      );
    }
    heads[0].textContent = TEXT.at(lag);
    heads[1].textContent = TEXT.at(T);
    for (const [name, row] of Object.entries(rows)) {
      const all = values[name];
      const factor = T > 1 ? (all[T] / all[1]) ** (1 / (T - 1)) : NaN;
      ticks[name].checked = isShown(name);
      const numbersOf = () => [
        cell(all[lag], size(all[lag])),
        cell(all[T], size(all[T])),
        html("td", {}, Number.isFinite(factor) ? `× ${factor.toFixed(2)}` : "–"),
      ];
      while (row.children.length > 1) row.lastChild.remove(); // the tick keeps the focus
      row.append(
        ...(isShown(name) ? numbersOf() : ["–", "–", "–"].map((dash) => html("td", {}, dash))),
      );
    }
    if (details.open) fillEverything();
    const parts = names
      .filter(isShown)
      .map((name) => `${TEXT.row[name].join("")} ${size(values[name][T])}`);
    summary.textContent = parts.length ? TEXT.summary(T, parts) : TEXT.none;
    chart.setAttribute("aria-label", `${TEXT.title}. ${summary.textContent}`);
    const chosen = choices.findIndex(([, , wanted]) =>
      Object.entries(wanted).every(([name, value]) => numbers[name] === value),
    );
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(k === chosen)));
    note.textContent = chosen < 0 ? TEXT.own : choices[chosen][1];
    drawChart(T, lag);
  }

  const spoken = (lag) =>
    names
      .filter(isShown)
      .map((name) => `${TEXT.row[name].join("")} ${size(values[name][lag])}`)
      .join("; ");

  // The chart reads where it is pressed.
  let pressed = false;
  const point = (event) => {
    const box = chart.getBoundingClientRect(),
      T = model.get("T");
    const share = (event.clientX - box.left - CHART.left) / (box.width - CHART.left - CHART.right);
    const lag = Math.round(Math.min(Math.max(share, 0), 1) * T);
    if (lag !== model.get("lag")) write({ lag });
  };
  listen(chart, "pointerdown", (event) => {
    pressed = true;
    chart.setPointerCapture(event.pointerId);
    point(event);
  });
  listen(chart, "pointermove", (event) => {
    if (pressed) point(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    listen(chart, end, () => {
      pressed = false;
    });
  }

  follow(model, [...NAMES, "shown"], update);
  resized(el, () => {
    if (values) drawChart(model.get("T"), Math.min(model.get("lag"), model.get("T")));
  });
  update();
  return leaving(el);
}

export default { render };
