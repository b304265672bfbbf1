// Backpropagation through two steps of a small LSTM, one local derivative at a time, right or
// with a planted mistake.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// Forward pass, walk and difference quotients are computed here; lstm_ref.lstm_backward and the
// zoo give the same gradients.
// with dom.js

const GATES = ["i", "f", "g", "o"];
const EPSILON = 1e-5; // of the difference quotient: near the cube root of the rounding error
const APART = 1e-6; // relative; rounding and EPSILON stay far below
const SHAPES = {
  one: "(N, H) = (1, 1)",
  x: "(N, D) = (1, 1)",
  Wx: "(D, 4H) = (1, 4)",
  Wh: "(H, 4H) = (1, 4)",
  b: "(4H,) = (4,)",
};
const SECONDS = 1.4; // for one step while it plays
const NARROW = 560; // below this width the diagram shows one of the two steps

const TEXT = {
  title: "Backward stepper: backpropagation through two steps of an LSTM",
  losses: "Where the loss looks",
  loss: {
    last: ["loss at the last step", "L = ½ ({h|2} − {y|2})²"],
    both: ["loss at both steps", "L = ½ ({h|1} − {y|1})² + ½ ({h|2} − {y|2})²"],
  },
  planted: "planted mistake",
  none: "none",
  letter: (k) => `mistake ${String.fromCharCode(65 + k)}`,
  walk: "Walk",
  start: "Start",
  forward: "Forward again",
  back: "Back",
  end: "To the end",
  play: "Play",
  pause: "Pause",
  jump: (node) => `Go to the gradient at ${node}`,
  place: "place in the walk back",
  atStart: "The forward pass is done. Press Back.",
  count: (k, all) => `Step back ${k} of ${all}`,
  edge: (from, to) => `from ${from} to ${to}`,
  shape: "shape",
  covered:
    "A mistake is planted: the formula and the numbers that go in are covered, as in " +
    "a program that only runs.",
  meets: "Two ways meet here: their parts are added.",
  four: "Four parts are added, one for each gate; in the picture they share one line.",
  found: "Found so far",
  nothing: "nothing yet",
  heads: ["gradient", "shape", "found"],
  compareHeads: ["difference quotient", "apart"],
  compare: "Compare with the difference quotient",
  agrees: "agrees",
  off: (percent) => `off by ${percent}`,
  notZero: "should be 0",
  showMe: "Show me the mistake",
  right: "right:",
  wrong: "here:",
  leftOut: "(left out)",
  forwardPass: "Numbers of the forward pass",
  step: (t) => `step ${t}`,
  at: (node) => `at ${node}`,
  weights: "the weights",
  isTanh: "u is tanh(c): what the output gate lets through.",
};

// The numbers

const slope = (a) => 1 - Math.tanh(a) ** 2;

// Both steps and the loss. `shift` moves one thing: {key, block, by}, where the key is that of
// its gradient, such as "dc|1".
// "dh_next|1" and "dc_next|1" move the state only where step 2 sees it; "dWx|2" moves only the
// copy of Wx that step 2 uses.
function forward(p, shift = { key: "" }) {
  const values = {};
  const tap = (key, value) => (shift.key === key ? value + shift.by : value);
  const note = (name, t, value) => (values[`${name}|${t}`] = tap(`d${name}|${t}`, value));
  const weight = (name, t, k) => {
    const moved = (shift.key === `d${name}|` || shift.key === `d${name}|${t}`) && shift.block === k;
    return p[name][k] + (moved ? shift.by : 0);
  };
  let h = note("h", 0, p.h0),
    c = note("c", 0, p.c0),
    loss = 0;
  for (const t of [1, 2]) {
    const seen = { h: tap(`dh_next|${t - 1}`, h), c: tap(`dc_next|${t - 1}`, c) };
    const x = note("x", t, p.x[t - 1]);
    const gate = {};
    GATES.forEach((letter, k) => {
      const a = note(
        `a_${letter}`,
        t,
        x * weight("Wx", t, k) + seen.h * weight("Wh", t, k) + weight("b", t, k),
      );
      gate[letter] = note(letter, t, letter === "g" ? Math.tanh(a) : sigmoid(a));
    });
    c = note("c", t, gate.f * seen.c + gate.i * gate.g);
    h = note("h", t, gate.o * note("u", t, Math.tanh(c)));
    values[`y|${t}`] = p.y[t - 1];
    if (t === 2 || p.loss === "both") loss += 0.5 * (h - p.y[t - 1]) ** 2;
  }
  return { values: { ...values, "Wx|": p.Wx, "Wh|": p.Wh, "b|": p.b }, loss };
}

function quotient(p, key, size) {
  const one = (block) => {
    const [up, down] = [EPSILON, -EPSILON].map((by) => forward(p, { key, block, by }).loss);
    return (up - down) / (2 * EPSILON);
  };
  return size === 1 ? one(0) : GATES.map((_, k) => one(k));
}

// One entry for each step back, in order: [key, formula, value, where, options]. A formula is
// written once; with names it is
// the formula, with numbers in their place it is the line below. `e` has every number of the
// forward pass and every gradient found.
function plan(p, mistake) {
  const both = p.loss === "both",
    is = (id) => mistake === id;
  const all = [];
  const add = (key, formula, value, walk, more = {}) =>
    all.push({ key, formula, value, walk, shape: SHAPES.one, size: 1, ...more });
  for (const t of [2, 1]) {
    const before = t - 1,
      n = (name) => `{${name}|${t}}`,
      at = (name) => `${name}|${t}`;
    const looks = `${n("h")} − ${n("y")}`;
    if (t === 2) add("dh|2", looks, (e) => e["h|2"] - e["y|2"], ["L", "h2", ["h2-L"]]);
    else {
      const carried = !is("no_dh_carry");
      const parts = [...(both ? [looks] : []), ...(carried ? ["{dh_next|1}"] : [])];
      const direct = (e) => (both ? e["h|1"] - e["y|1"] : 0);
      add(
        "dh|1",
        parts.join(" + ") || "0",
        (e) => direct(e) + (carried ? e["dh_next|1"] : 0),
        ["", "h1", both ? ["h1-L", "h1-bus2"] : ["h1-bus2"]],
        { meets: both },
      );
    }
    add(
      at("do"),
      `${n("dh")} · ${is("do_uses_c") ? n("c") : `tanh(${n("c")})`}`,
      (e) => e[at("dh")] * (is("do_uses_c") ? e[at("c")] : e[at("u")]),
      [`h${t}`, `o${t}`, [`o${t}-h${t}`]],
    );
    add(at("du"), `${n("dh")} · ${n("o")}`, (e) => e[at("dh")] * e[at("o")], [
      `h${t}`,
      `u${t}`,
      [`u${t}-h${t}`],
    ]);
    const bent = is("tanh_prime_of_c") ? `(1 − ${n("c")}²)` : `(1 − tanh²(${n("c")}))`;
    const bend = (e) => (is("tanh_prime_of_c") ? 1 - e[at("c")] ** 2 : slope(e[at("c")]));
    const carried = t === 1 && !is("no_dc_carry");
    add(
      at("dc"),
      `${carried ? `${n("dc_next")} + ` : ""}${n("du")} · ${bent}`,
      (e) => (carried ? e["dc_next|1"] : 0) + e[at("du")] * bend(e),
      [`u${t}`, `c${t}`, t === 1 ? ["c1-u1", "c1-c2"] : ["c2-u2"]],
      { meets: t === 1 },
    );
    const old = is("df_uses_new_cell") ? `c|${t}` : `c|${before}`;
    add(at("df"), `${n("dc")} · {${old}}`, (e) => e[at("dc")] * e[old], [
      `c${t}`,
      `f${t}`,
      [`f${t}-c${t}`],
    ]);
    add(at("di"), `${n("dc")} · ${n("g")}`, (e) => e[at("dc")] * e[at("g")], [
      `c${t}`,
      `i${t}`,
      [`i${t}-c${t}`],
    ]);
    add(at("dg"), `${n("dc")} · ${n("i")}`, (e) => e[at("dc")] * e[at("i")], [
      `c${t}`,
      `g${t}`,
      [`g${t}-c${t}`],
    ]);
    for (const k of GATES) {
      const inner = is("sigmoid_prime_of_a") ? `a_${k}` : k;
      const formula = k === "g" ? `(1 − ${n("g")}²)` : `${n(inner)} · (1 − ${n(inner)})`;
      const value = (e) => (k === "g" ? 1 - e[at("g")] ** 2 : e[at(inner)] * (1 - e[at(inner)]));
      add(at(`da_${k}`), `${n(`d${k}`)} · ${formula}`, (e) => e[at(`d${k}`)] * value(e), [
        `${k}${t}`,
        `a_${k}${t}`,
        [`a_${k}${t}-${k}${t}`],
      ]);
    }
    const da = (e) => GATES.map((k) => e[at(`da_${k}`)]);
    const times = (name) => (e) =>
      da(e).reduce((sum, value, k) => sum + value * e[`${name}|`][k], 0);
    const through = (name) => GATES.map((k) => `${n(`da_${k}`)} · {${name}_${k}|}`).join(" + ");
    const stubs = [`bus${t}`, ...GATES.map((k) => `bus${t}-a_${k}${t}`)];
    const kept = !is("dc_prev_without_f");
    add(
      before ? "dc_next|1" : "dc|0",
      `${n("dc")}${kept ? ` · ${n("f")}` : ""}`,
      (e) => e[at("dc")] * (kept ? e[at("f")] : 1),
      [`c${t}`, `c${before}`, [`c${before}-c${t}`]],
    );
    add(
      before ? "dh_next|1" : "dh|0",
      through("Wh"),
      times("Wh"),
      [`a${t}`, `h${before}`, [...stubs, `h${before}-bus${t}`]],
      { four: true },
    );
    add(at("dx"), through("Wx"), times("Wx"), [`a${t}`, `x${t}`, [...stubs, `x${t}-bus${t}`]], {
      shape: SHAPES.x,
      four: true,
    });
    for (const [name, factor] of [
      ["Wx", `x|${t}`],
      ["Wh", `h|${before}`],
      ["b", ""],
    ]) {
      const share = (e) => da(e).map((value) => value * (factor ? e[factor] : 1));
      const four = GATES.map((k) => n(`da_${k}`)).join(", ");
      const mine = `${factor ? `{${factor}} · ` : ""}(${four})`;
      const walk = [`a${t}`, `W${t}`, [...stubs, `W${t}-bus${t}`]],
        more = { shape: SHAPES[name], size: 4 };
      if (t === 2) add(`d${name}|2`, mine, share, walk, more);
      else if (is("weights_overwritten"))
        add(`d${name}|`, mine, share, walk, { ...more, meets: true });
      else
        add(
          `d${name}|`,
          `{d${name}|2} + ${mine}`,
          (e) => share(e).map((value, k) => value + e[`d${name}|2`][k]),
          walk,
          { ...more, meets: true },
        );
    }
  }
  return all;
}

function walkBack(p, mistake) {
  const { values } = forward(p);
  for (const name of ["Wx", "Wh"]) GATES.forEach((k, n) => (values[`${name}_${k}|`] = p[name][n]));
  const steps = plan(p, mistake);
  for (const step of steps) step.number = values[step.key] = step.value(values);
  return { steps, values };
}

// The page

const LOWERED = [..."₀₁₂"];
const TOKEN = /\{([^|}]*)\|([^}]*)\}/g;
const round = (value) => {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4)
    return value.toPrecision(4).replace("-", "−");
  const [digits, exponent] = value.toExponential(2).split("e");
  return `${digits.replace("-", "−")}·${powerOfTen(exponent)}`;
};
const inLine = (value) => (value < 0 ? `(${round(value)})` : round(value));
const list = (value) => (Array.isArray(value) ? `(${value.map(round).join(", ")})` : round(value));
const asText = (formula) => formula.replace(TOKEN, (_, name, t) => `${name}${t}`);
const nodeText = (node) =>
  node === "L"
    ? "L"
    : node.startsWith("W")
      ? TEXT.weights
      : node.startsWith("u")
        ? `tanh c${node.slice(-1)}`
        : node;
const keyName = (key) => `{${key}}`;

// {dc_next|1} as mathematics in HTML: letters in italics, what follows "_" and the step as an index
function maths(formula) {
  const out = html("span", { class: "lw-formula" });
  let last = 0;
  for (const match of formula.matchAll(TOKEN)) {
    const [name, ...rest] = match[1].split("_");
    const index = [...rest, match[2]].filter(Boolean).join(",");
    const sym = html("span", { class: "lw-sym" }, html("i", {}, name));
    if (index) sym.append(html("sub", {}, index));
    out.append(formula.slice(last, match.index), sym);
    last = match.index + match[0].length;
  }
  out.append(formula.slice(last));
  return out;
}

const cell = (value) => {
  const td = html("td", {});
  [value]
    .flat()
    .forEach((number) => td.append(html("data", { value: number }, round(number)), " "));
  return td;
};

// Where things stand: both steps have the same picture, the second one to the right
const WIDE = 310,
  ROW = { c: 40, u: 85, gate: 105, h: 150, a: 165, bus: 205, x: 245, L: 276 };
// W and x join the line between two gates
const COLUMN = { f: 55, i: 105, g: 155, o: 205, c: 105, u: 250, h: 250, W: 80, x: 180 };
const COLOUR = { i: "i", f: "f", g: "g", o: "o", c: "c", h: "h" };

function picture() {
  const nodes = { c0: [-45, ROW.c], h0: [-45, ROW.h], L: [WIDE + COLUMN.h, ROW.L] },
    edges = {};
  for (const t of [1, 2]) {
    const left = (t - 1) * WIDE,
      b = t - 1;
    for (const k of GATES) {
      nodes[`${k}${t}`] = [left + COLUMN[k], ROW.gate];
      nodes[`a_${k}${t}`] = [left + COLUMN[k], ROW.a];
      edges[`a_${k}${t}-${k}${t}`] = [nodes[`a_${k}${t}`], nodes[`${k}${t}`]];
      edges[`bus${t}-a_${k}${t}`] = [[left + COLUMN[k], ROW.bus], nodes[`a_${k}${t}`]];
    }
    for (const name of ["c", "u", "h", "x", "W"])
      nodes[`${name}${t}`] = [left + COLUMN[name], ROW[name === "W" ? "x" : name]];
    for (const pair of [
      `f${t}-c${t}`,
      `i${t}-c${t}`,
      `g${t}-c${t}`,
      `c${b}-c${t}`,
      `c${t}-u${t}`,
      `u${t}-h${t}`,
      `o${t}-h${t}`,
    ]) {
      edges[pair] = pair.split("-").map((name) => nodes[name]);
    }
    edges[`bus${t}`] = [
      [left + COLUMN.f, ROW.bus],
      [left + COLUMN.o, ROW.bus],
    ];
    for (const name of ["x", "W"])
      edges[`${name}${t}-bus${t}`] = [nodes[`${name}${t}`], [left + COLUMN[name], ROW.bus]];
    const from = nodes[`h${b}`];
    edges[`h${b}-bus${t}`] = [from, [from[0], ROW.bus], [left + COLUMN.f, ROW.bus]];
  }
  edges["h2-L"] = [nodes.h2, nodes.L];
  edges["h1-L"] = [nodes.h1, [nodes.h1[0] + 36, ROW.h], [nodes.h1[0] + 36, ROW.L], nodes.L];
  return { nodes, edges };
}

const RADIUS = 15;
// The line between the rims of two nodes; ends of a bus have no rim
function shorten(points, edge) {
  const inward = ([x, y], [u, v], by) => {
    const length = Math.hypot(u - x, v - y);
    return [x + ((u - x) * by) / length, y + ((v - y) * by) / length];
  };
  const [tail, head] = edge.split("-"),
    all = points.map((point) => [...point]);
  if (!tail.startsWith("bus")) all[0] = inward(points[0], points[1], RADIUS + 1);
  if (head && !head.startsWith("bus"))
    all[all.length - 1] = inward(points.at(-1), points.at(-2), RADIUS + 1);
  return all;
}

const triangle = ([x, y], [fx, fy]) => {
  const angle = Math.atan2(y - fy, x - fx);
  const corner = (turn, size) =>
    `${(x + size * Math.cos(angle + turn)).toFixed(1)} ` +
    `${(y + size * Math.sin(angle + turn)).toFixed(1)}`;
  return `M${x} ${y}L${corner(2.7, 9)}L${corner(-2.7, 9)}Z`;
};

function drawing() {
  const { nodes, edges } = picture();
  const root = svg("svg", { class: "lw-graph", role: "img" });
  const frames = svg("g", {}),
    lines = svg("g", {}),
    discs = svg("g", {});
  root.append(frames, lines, discs);
  for (const t of [1, 2]) {
    const left = (t - 1) * WIDE + 25;
    frames.append(
      svg("rect", { class: "lw-frame", x: left, y: 8, width: 250, height: 212, rx: 10 }),
      svg("text", { class: "lw-label", x: left + 8, y: 26 }, TEXT.step(t)),
    );
  }
  const drawnEdges = {},
    drawnNodes = {};
  for (const [name, points] of Object.entries(edges)) {
    const line = shorten(points, name),
      isBus = !name.includes("-"),
      plainHead = isBus || name.split("-")[1].startsWith("bus");
    const group = svg(
      "g",
      { class: "lw-edge", "data-edge": name },
      svg("path", { class: "lw-line", d: `M${line.map((point) => point.join(" ")).join("L")}` }),
    );
    if (!plainHead)
      group.append(svg("path", { class: "lw-ahead", d: triangle(line.at(-1), line.at(-2)) }));
    if (!name.startsWith("bus"))
      group.append(svg("path", { class: "lw-behind", d: triangle(line[0], line[1]) }));
    lines.append(group);
    drawnEdges[name] = group;
  }
  for (const [name, [x, y]] of Object.entries(nodes)) {
    const letter = name[0] === "a" ? "a" : name[0],
      colour = COLOUR[name.startsWith("a_") ? name[2] : letter];
    const group = svg("g", { class: "lw-node", "data-node": name });
    if (colour) group.setAttribute("style", `--lw-own:var(--lw-${colour})`);
    if (letter === "W") {
      group.append(
        svg("rect", { x: x - 34, y: y - 13, width: 68, height: 26, rx: 5 }),
        svg("text", { x, y: y + 4.5, "text-anchor": "middle" }, "Wx Wh b"),
      );
    } else {
      const index = name === "L" ? "" : name.startsWith("a_") ? name[2] : name.slice(-1);
      const text =
        letter === "u"
          ? svg("text", { x, y: y + 4, "text-anchor": "middle", class: "lw-small" }, "tanh")
          : svg(
              "text",
              { x, y: y + 4.5, "text-anchor": "middle", class: "lw-letter" },
              letter,
              svg("tspan", { class: "lw-index", dy: 4 }, index),
            );
      group.append(svg("circle", { cx: x, cy: y, r: RADIUS }), text);
    }
    discs.append(group);
    drawnNodes[name] = group;
  }
  for (const t of [1, 2]) {
    for (const name of ["W", "x"])
      lines.append(
        svg("circle", {
          class: "lw-joint",
          cx: (t - 1) * WIDE + COLUMN[name],
          cy: ROW.bus,
          r: 3.5,
        }),
      );
  }
  return { root, drawnEdges, drawnNodes };
}

function render({ model, el }) {
  const { listen, follow, resized, leaving, cleanups } = listening();
  const NAMES = ["x", "y", "h0", "c0", "Wx", "Wh", "b", "loss", "mistake", "position"];
  const { read, write, isWriting } = traits(model, NAMES, () => update());
  const zoo = model.get("zoo");
  let compared = false,
    shownMistake = "none",
    walked = null;

  el.classList.add("lstm-widget", "lw-stepper");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  const button = (text, press, attributes = {}) => {
    const node = html("button", { type: "button", ...attributes }, text);
    listen(node, "click", () => {
      if (node.getAttribute("aria-disabled") !== "true") press();
    });
    return node;
  };

  // Where the loss looks, and the planted mistake
  const losses = html("div", { class: "lw-buttons", role: "group", "aria-label": TEXT.losses });
  const lossButtons = Object.entries(TEXT.loss).map(([name, [label]]) => {
    const node = button(label, () => write({ loss: name }), { "data-loss": name });
    losses.append(node);
    return node;
  });
  const lossFormula = html("span", { class: "lw-loss" });
  losses.append(lossFormula);
  const select = html("select", {}, html("option", { value: "none" }, TEXT.none));
  zoo.forEach(({ id }, k) => select.append(html("option", { value: id }, TEXT.letter(k))));
  listen(select, "change", () => write({ mistake: select.value }));
  const choice = html("label", { class: "lw-choice" }, html("span", {}, TEXT.planted), select);

  // The walk
  const { root, drawnEdges, drawnNodes } = drawing();
  const last = () => walked.steps.length;
  const go = (position) => write({ position: Math.min(Math.max(position, 0), last()) });
  const buttons = {
    start: button(TEXT.start, () => go(0)),
    forward: button(TEXT.forward, () => go(model.get("position") - 1)),
    back: button(`← ${TEXT.back}`, () => go(model.get("position") + 1), {
      class: "lw-back",
      "aria-label": TEXT.back,
    }),
    end: button(TEXT.end, () => go(last())),
    play: button(TEXT.play, () => (playing ? pause() : play())),
  };
  let playing = 0;
  function pause() {
    clearInterval(playing);
    playing = 0;
    buttons.play.textContent = TEXT.play;
  }
  function play() {
    if (model.get("position") >= last()) go(0);
    playing = setInterval(() => {
      go(model.get("position") + 1);
      if (model.get("position") >= last()) pause();
    }, SECONDS * 1000);
    buttons.play.textContent = TEXT.pause;
  }
  cleanups.push(pause);
  for (const [name, group] of Object.entries(drawnNodes)) {
    group.append(svg("title", {}, TEXT.jump(nodeText(name))));
    listen(group, "click", () => {
      const arrivals = walked.steps.flatMap(({ walk: [, to] }, k) => (to === name ? [k + 1] : []));
      const next = arrivals.find((place) => place > model.get("position")) ?? arrivals[0];
      pause();
      if (next || name === "L") go(next ?? 0);
    });
  }
  const slider = html("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": TEXT.place,
    ...KEYS,
  });
  listen(slider, "input", () => go(Number(slider.value)));
  const walk = html(
    "div",
    { class: "lw-buttons", role: "group", "aria-label": TEXT.walk },
    buttons.back,
    buttons.forward,
    buttons.start,
    buttons.end,
    buttons.play,
  );

  const card = html("div", { class: "lw-card" });
  const spoken = html("p", { class: "lw-unseen", "aria-live": "polite" });

  // What was found
  const compare = button(
    TEXT.compare,
    () => {
      compared = !compared;
      update();
    },
    { "aria-pressed": "false" },
  );
  const showMe = button(TEXT.showMe, () => {
    shownMistake = model.get("mistake");
    update();
  });
  const answer = html("div", { class: "lw-answer", "aria-live": "polite" });
  const table = html("table", { class: "lw-table" });
  const scroll = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.found, ...KEYS },
    table,
  );
  const forwardTable = html("table", { class: "lw-table" });
  const forwardScroll = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.forwardPass },
    forwardTable,
  );
  const details = html("details", {}, html("summary", {}, TEXT.forwardPass), forwardScroll);

  el.append(
    html("div", { class: "lw-top" }, losses, choice),
    root,
    walk,
    slider,
    card,
    spoken,
    html("div", { class: "lw-buttons lw-tools" }, compare, showMe),
    answer,
    scroll,
    details,
  );

  function fillForward(numbers) {
    const { values, loss } = forward(numbers);
    const rows = ["x", "y", ...GATES.map((k) => `a_${k}`), ...GATES, "c", "u", "h"].map((name) => {
      const row = html(
        "tr",
        {},
        html("th", { scope: "row" }, name === "u" ? maths("tanh({c|})") : maths(`{${name}|}`)),
      );
      for (const t of [0, 1, 2])
        row.append(`${name}|${t}` in values ? cell(values[`${name}|${t}`]) : html("td", {}, "–"));
      return row;
    });
    for (const name of ["Wx", "Wh", "b"]) {
      const row = html(
        "tr",
        {},
        html("th", { scope: "row" }, maths(`{${name}|}`)),
        cell(numbers[name]),
      );
      row.lastChild.setAttribute("colspan", 3);
      rows.push(row);
    }
    const end = html("tr", {}, html("th", { scope: "row" }, maths("{L|}")), cell(loss));
    end.lastChild.setAttribute("colspan", 3);
    const head = html(
      "tr",
      {},
      html("td", {}),
      ...["0", "1", "2"].map((t) => html("th", { scope: "col" }, TEXT.step(t))),
    );
    forwardTable.replaceChildren(
      html("caption", { class: "lw-unseen" }, TEXT.forwardPass),
      html("thead", {}, head),
      html("tbody", {}, ...rows, end),
    );
  }

  function verdict(found, want) {
    const difference = Math.hypot(...found.map((value, k) => value - want[k])),
      size = Math.hypot(...want);
    if (difference <= APART * size + 1e-9) return TEXT.agrees;
    const share = (100 * difference) / size;
    return size > 1e-9
      ? TEXT.off(`${share < 10 ? share.toPrecision(2) : Math.round(share)} %`)
      : TEXT.notZero;
  }

  function fillFound(numbers, position) {
    const heads = [...TEXT.heads, ...(compared ? TEXT.compareHeads : [])];
    const rows = walked.steps.slice(0, position).map(({ key, number, size, shape }, k) => {
      const row = html(
        "tr",
        { "data-key": key },
        html("th", { scope: "row" }, maths(keyName(key))),
        html("td", { class: "lw-shape" }, shape.split(" = ")[1]),
        cell(number),
      );
      if (k === position - 1) row.classList.add("lw-now");
      if (compared) {
        const want = quotient(numbers, key, size),
          said = verdict([number].flat(), [want].flat());
        row.append(
          cell(want),
          html("td", { class: said === TEXT.agrees ? "lw-same" : "lw-apart" }, said),
        );
      }
      return row;
    });
    if (!rows.length)
      rows.push(html("tr", {}, html("td", { colspan: heads.length }, TEXT.nothing)));
    table.replaceChildren(
      html("caption", {}, TEXT.found),
      html("thead", {}, html("tr", {}, ...heads.map((head) => html("th", { scope: "col" }, head)))),
      html("tbody", {}, ...rows),
    );
    scroll.scrollTop = scroll.scrollHeight;
  }

  function fillCard(step, position, covered) {
    if (!step) {
      card.replaceChildren(html("p", {}, TEXT.atStart));
      return TEXT.atStart;
    }
    const {
      walk: [from, to],
      key,
      formula,
      number,
      shape,
      meets,
      four,
    } = step;
    const where = from ? TEXT.edge(nodeText(from), nodeText(to)) : TEXT.at(nodeText(to));
    const count = TEXT.count(position, last());
    const name = keyName(key);
    const lines = [
      html(
        "p",
        { class: "lw-where" },
        html("b", {}, count),
        ` · ${where.replace(/\d/g, (digit) => LOWERED[digit])} · ${TEXT.shape} ${shape}`,
      ),
    ];
    const said = [`${count}, ${where}`];
    if (covered) {
      lines.push(
        html("p", { class: "lw-covered" }, TEXT.covered),
        html("p", { class: "lw-equation" }, maths(name), " = ", html("b", {}, list(number))),
      );
      said.push(`${asText(name)} = ${list(number)}`);
    } else {
      const withNumbers = formula.replace(TOKEN, (_, letter, t) => {
        const value = walked.values[`${letter}|${t}`];
        return Array.isArray(value) ? list(value) : inLine(value);
      });
      // tanh((−0.5)): one pair is enough
      const filled = withNumbers.replace(/\(\(([^()]*)\)\)/g, "($1)");
      const shown =
        formula === name
          ? []
          : [html("p", { class: "lw-equation" }, maths(`${name} = ${formula}`))];
      lines.push(
        ...shown,
        html("p", { class: "lw-equation lw-numbers" }, `= ${filled}`),
        html("p", { class: "lw-equation lw-numbers" }, "= ", html("b", {}, list(number))),
      );
      said.push(`${asText(name)} = ${asText(formula)} = ${filled} = ${list(number)}`);
    }
    if (to[0] === "u") lines.push(html("p", { class: "lw-covered" }, TEXT.isTanh));
    if (four && !covered) {
      lines.push(html("p", { class: "lw-meets" }, TEXT.four));
      said.push(TEXT.four);
    }
    if (meets) {
      lines.push(html("p", { class: "lw-meets" }, TEXT.meets));
      said.push(TEXT.meets);
    }
    card.replaceChildren(...lines);
    return said.join(". ");
  }

  function drawPlace(step) {
    const place = step ? step.walk[1] : "L",
      wide = el.clientWidth >= NARROW;
    const second = place === "L" || place.endsWith("2") || step.walk[0] === "a2";
    const [x, width] = wide ? [-70, 660] : second ? [231, 368] : [-67, 368];
    root.setAttribute("viewBox", `${x} 0 ${width} 300`);
  }

  function update() {
    if (isWriting()) return;
    const numbers = read();
    walked = walkBack(numbers, numbers.mistake);
    // another mistake is planted: covered again
    if (shownMistake !== numbers.mistake) shownMistake = "none";
    const planted = numbers.mistake !== "none",
      covered = planted && shownMistake !== numbers.mistake;
    const position = Math.min(numbers.position, last()),
      step = walked.steps[position - 1];

    lossButtons.forEach((node) =>
      node.setAttribute("aria-pressed", String(node.dataset.loss === numbers.loss)),
    );
    lossFormula.replaceChildren(maths(TEXT.loss[numbers.loss][1]));
    select.value = numbers.mistake;
    slider.max = last();
    slider.value = position;

    drawnEdges["h1-L"].setAttribute("visibility", numbers.loss === "both" ? "visible" : "hidden");
    const lit = new Set(step ? step.walk[2] : []);
    for (const [name, group] of Object.entries(drawnEdges))
      group.classList.toggle("lw-on", lit.has(name));
    const reached = new Set([
      "L",
      ...walked.steps.slice(0, position).map(({ walk: [, to] }) => to),
    ]);
    for (const [name, group] of Object.entries(drawnNodes)) {
      group.classList.toggle("lw-found", reached.has(name));
      group.classList.toggle("lw-on", name === (step ? step.walk[1] : "L"));
    }
    drawPlace(step);

    const said = fillCard(step, position, covered);
    if (spoken.textContent !== said) spoken.textContent = said;
    slider.setAttribute("aria-valuetext", said);
    root.setAttribute("aria-label", `${TEXT.title}. ${said}`);
    for (const [name, off] of [
      ["start", position === 0],
      ["forward", position === 0],
      ["back", position === last()],
      ["end", position === last()],
    ]) {
      buttons[name].setAttribute("aria-disabled", String(off));
    }
    compare.setAttribute("aria-pressed", String(compared));
    showMe.hidden = !covered;
    answer.replaceChildren();
    if (planted && !covered) {
      const { title, changes } = zoo.find(({ id }) => id === numbers.mistake);
      answer.append(html("p", {}, title));
      for (const { right, wrong } of changes) {
        answer.append(
          html(
            "p",
            { class: "lw-code" },
            `${TEXT.right} `,
            html("code", {}, right),
            html("br"),
            `${TEXT.wrong} `,
            html("code", {}, wrong || TEXT.leftOut),
          ),
        );
      }
    }
    fillFound(numbers, position);
    fillForward(numbers);
  }

  follow(model, NAMES, update);
  resized(el, () => {
    if (walked) drawPlace(walked.steps[Math.min(model.get("position"), last()) - 1]);
  });
  update();
  return leaving(el);
}

export default { render };
