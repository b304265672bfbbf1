// What is left of accuracy and bytes when weights are thrown away? Guess first, then move the
// slider.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js
// with guess.js

const CHART = { height: 240, left: 40, right: 12, top: 10, bottom: 36 };
const STEP = 5; // per cent, of a guess

const TEXT = {
  title: "Pruning slider: accuracy and bytes by the share of weights that is gone",
  first: (level) =>
    "Before you look: how much can go, without fine-tuning, before the accuracy " +
    `falls below ${level}?`,
  guess: (arm, percent) => `${arm}: ${percent} %`,
  commit: "These are my guesses",
  way: "What is thrown away",
  tune: "Fine-tuned afterwards",
  share: "Share that is gone",
  summary: (arm, percent, tuned, mean, low, high, seeds) =>
    `${arm}, ${percent} % gone${tuned ? ", fine-tuned" : ""}: accuracy ` +
    `${mean}${seeds > 1 ? `, ${low} to ${high} over ${seeds} seeds` : ""}.`,
  other: (tuned, mean) => (tuned ? ` As cut: ${mean}.` : ` Fine-tuned: ${mean}.`),
  size: "Bytes of the file",
  bytes: "as it is saved",
  zipped: "zipped",
  ofWhole: (value, percent) => `${value} (${percent} % of the whole model's)`,
  guesses: (level) => `What can go with an accuracy of at least ${level}`,
  arm: "thrown away",
  yours: "your guess",
  kept: "as cut",
  tuned: "fine-tuned",
  upTo: (percent) => `up to ${percent} %`,
  never: "nothing",
  measured: "The shares in between were not measured.",
  axis: "share that is gone",
  accuracy: "accuracy",
  asCut: "as cut",
  fineTuned: "fine-tuned",
  band: "band: all seeds",
  mark: "your guess",
  level: (level) => `level ${level}`,
  again: "Guess again",
};

const column = (rows, k) => rows.map((row) => row[k]);
const percent = (share) => String(Math.round(100 * share));
const grouped = (value) => Math.round(value).toLocaleString("en");

function render({ model, el }) {
  const { listen, follow, resized, leaving } = listening();
  const arms = model.get("arms"),
    level = model.get("level"),
    names = Object.keys(arms);
  const write = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    update();
  };
  const hasGuessed = () => Object.keys(model.get("guesses")).length > 0;
  // Largest share up to which every mean is at least the level: as kept() in pruning_slider.py
  const kept = (arm, name) => {
    const { shares, [name]: rows } = arms[arm];
    if (rows === undefined) return undefined;
    const first = shares.findIndex((_, k) => mean(column(rows, k)) < level);
    return first === 0 ? NaN : shares[(first < 0 ? shares.length : first) - 1];
  };

  el.classList.add("lstm-widget", "lw-pruning");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  // The guesses
  const asked = guessForm(listen, {
    names,
    question: TEXT.first(level),
    label: TEXT.guess,
    commit: TEXT.commit,
    step: STEP,
    start: 0,
    take(guesses) {
      write({ guesses });
      slider.focus();
    },
  });

  // The slider
  const ways = html("div", { class: "lw-ways", role: "group", "aria-label": TEXT.way });
  const buttons = names.map((arm) => {
    const button = html("button", { type: "button" }, arm);
    listen(button, "click", () => {
      // The place goes first or last, so that no state in between is outside of the arm.
      const share = arms[model.get("arm")].shares[model.get("place")];
      const near = arms[arm].shares.reduce(
        (best, one, k, all) => (Math.abs(one - share) < Math.abs(all[best] - share) ? k : best),
        0,
      );
      write({ place: 0, arm });
      write({ place: near });
    });
    ways.append(button);
    return button;
  });
  const tune = html("button", { type: "button" }, TEXT.tune);
  listen(tune, "click", () => write({ tuned: !model.get("tuned") }));
  ways.append(tune);
  const slider = html("input", { type: "range", min: 0, step: 1, ...KEYS });
  listen(slider, "input", () => write({ place: Number(slider.value) }));
  const summary = html("p", { class: "lw-summary", "aria-live": "polite" });
  const key = html("p", { class: "lw-key" });
  const chart = svg("svg", { class: "lw-chart", role: "img" });
  const sizes = html("div", { class: "lw-sizes", role: "group", "aria-label": TEXT.size });
  const body = html("tbody");
  const head = html(
    "tr",
    {},
    ...["arm", "yours", "kept", "tuned"].map((name) => html("th", { scope: "col" }, TEXT[name])),
  );
  const table = html(
    "table",
    { class: "lw-table" },
    html("caption", {}, TEXT.guesses(level)),
    html("thead", {}, head),
    body,
  );
  const again = html("button", { type: "button" }, TEXT.again);
  listen(again, "click", () => {
    asked.clear();
    write({ guesses: {}, place: 0, tuned: false });
    asked.focus();
  });
  const region = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.guesses(level) },
    table,
  );
  const track = html("label", { class: "lw-track" }, html("span", {}, TEXT.share), slider);
  const shown = html(
    "div",
    {},
    ways,
    track,
    summary,
    key,
    chart,
    sizes,
    region,
    html("p", { class: "lw-note" }, TEXT.measured),
    html("div", { class: "lw-buttons" }, again),
  );
  el.append(asked.form, shown);

  function draw() {
    const name = model.get("arm"),
      tuned = model.get("tuned"),
      arm = arms[name];
    const width = Math.max(el.clientWidth, 240),
      { height, left, right, top, bottom } = CHART;
    const all = names
      .flatMap((one) => [...arms[one].accuracy, ...(arms[one]["fine-tuned"] ?? [])])
      .flat();
    const least = Math.max(0, Math.floor(10 * Math.min(...all) - 1e-9) / 10),
      most = Math.max(...all, level);
    const x = (share) => left + (width - left - right) * share;
    const y = (value) =>
      height - bottom - ((height - top - bottom) * (value - least)) / (most - least);
    const point = (share, value) => `${x(share).toFixed(1)} ${y(value).toFixed(1)}`;
    const line = (one, rows) =>
      `M${arms[one].shares.map((share, k) => point(share, mean(column(rows, k)))).join("L")}`;
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.setAttribute("aria-label", summary.textContent);
    chart.replaceChildren();
    for (let k = 0; k <= 4; k += 1) {
      const value = least + ((most - least) * k) / 4,
        share = k / 4;
      chart.append(
        svg("path", { class: "lw-line", d: `M${left} ${y(value)}H${width - right}` }),
        svg("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)),
      );
      chart.append(
        svg(
          "text",
          {
            x: x(share),
            y: height - bottom + 16,
            "text-anchor": k === 0 ? "start" : k === 4 ? "end" : "middle",
          },
          `${100 * share} %`,
        ),
      );
    }
    chart.append(
      svg(
        "text",
        { class: "lw-axis", x: x(0.5), y: height - 3, "text-anchor": "middle" },
        TEXT.axis,
      ),
    );
    chart.append(svg("path", { class: "lw-level", d: `M${left} ${y(level)}H${width - right}` }));
    for (const [rows, kind, on] of [
      [arm["fine-tuned"], "tuned", tuned],
      [arm.accuracy, "cut", !tuned],
    ]) {
      if (rows === undefined) continue;
      const low = arm.shares.map((share, k) => point(share, Math.min(...column(rows, k)))),
        high = arm.shares.map((share, k) => point(share, Math.max(...column(rows, k))));
      if (on)
        chart.append(
          svg("path", {
            class: `lw-band lw-${kind}`,
            d: `M${low.join("L")}L${high.reverse().join("L")}Z`,
          }),
        );
      chart.append(svg("path", { class: `lw-curve lw-${kind}`, d: line(name, rows) }));
    }
    const guess = model.get("guesses")[name];
    if (guess !== undefined)
      chart.append(
        svg("path", { class: "lw-mark", d: `M${x(guess).toFixed(1)} ${top}V${height - bottom}` }),
      );
    const place = model.get("place"),
      rows = (tuned && arm["fine-tuned"]) || arm.accuracy;
    chart.append(
      svg("circle", {
        class: "lw-dot",
        cx: x(arm.shares[place]).toFixed(1),
        cy: y(mean(column(rows, place))).toFixed(1),
        r: 6,
      }),
    );
    key.replaceChildren(
      ...[
        ["curve lw-cut", TEXT.asCut],
        ...(arm["fine-tuned"] ? [["curve lw-tuned", TEXT.fineTuned]] : []),
        ["mark", TEXT.mark],
        ["level", TEXT.level(level)],
      ].map(([kind, text]) => {
        const sample = svg("svg", { width: 26, height: 10, "aria-hidden": "true" });
        sample.append(svg("path", { class: `lw-${kind}`, d: "M0 5H26" }));
        return html("span", {}, sample, ` ${text}`);
      }),
      html("span", {}, TEXT.band),
    );
  }

  function tellSizes(arm, place) {
    sizes.replaceChildren();
    for (const name of ["bytes", "zipped"]) {
      if (arm[name] === undefined) continue;
      const value = mean(column(arm[name], place)),
        whole = mean(column(arm.bytes ?? arm.zipped, 0)),
        share = value / whole;
      const bar = html("span", { class: "lw-bar", "aria-hidden": "true" });
      bar.style.inlineSize = `${100 * Math.min(share, 1)}%`;
      const told = html(
        "data",
        { value, "data-size": name },
        TEXT.ofWhole(grouped(value), percent(share)),
      );
      sizes.append(
        html(
          "p",
          {},
          html("span", { class: "lw-name" }, `${TEXT.size}, ${TEXT[name]}: `),
          told,
          bar,
        ),
      );
    }
  }

  function update() {
    const guesses = model.get("guesses"),
      name = model.get("arm"),
      arm = arms[name];
    const place = Math.min(model.get("place"), arm.shares.length - 1),
      tuned = model.get("tuned") && arm["fine-tuned"] !== undefined;
    asked.form.hidden = hasGuessed();
    shown.hidden = !hasGuessed();
    if (!hasGuessed()) {
      // What is hidden is empty as well: nothing of the answer may be found before the guess.
      for (const part of [summary, key, chart, sizes, body]) part.replaceChildren();
      return;
    }
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(names[k] === name)));
    tune.setAttribute("aria-pressed", String(tuned));
    tune.hidden = arm["fine-tuned"] === undefined;
    slider.max = arm.shares.length - 1;
    slider.value = place;
    slider.setAttribute("aria-valuetext", `${percent(arm.shares[place])} %`);
    const rows = tuned ? arm["fine-tuned"] : arm.accuracy,
      here = column(rows, place),
      other = tuned ? arm.accuracy : arm["fine-tuned"];
    const three = [mean(here), Math.min(...here), Math.max(...here)].map((value) =>
      value.toFixed(3),
    );
    summary.textContent =
      TEXT.summary(name, percent(arm.shares[place]), tuned, ...three, here.length) +
      (other ? TEXT.other(tuned, mean(column(other, place)).toFixed(3)) : "");
    tellSizes(arm, place);
    const told = (share) =>
      share === undefined
        ? ""
        : Number.isNaN(share)
          ? TEXT.never
          : html("data", { value: share }, TEXT.upTo(percent(share)));
    body.replaceChildren(
      ...names.map((one) => {
        const line = html(
          "tr",
          {},
          html("th", { scope: "row" }, one),
          html("td", {}, guesses[one] === undefined ? "" : `${percent(guesses[one])} %`),
          html("td", {}, told(kept(one, "accuracy"))),
          html("td", {}, told(kept(one, "fine-tuned"))),
        );
        line.dataset.arm = one;
        return line;
      }),
    );
    draw();
  }

  follow(model, ["guesses", "arm", "place", "tuned"], update);
  resized(el, () => {
    if (hasGuessed()) draw();
  });
  update();
  return leaving(el);
}

export default { render };
