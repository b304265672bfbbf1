// Forecast, interval and persistence, wherever the forecast begins. Guess first, then move the
// origin.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js
// with guess.js

const CHART = { height: 220, left: 48, right: 12, top: 12, bottom: 34 };
const STRIP = { height: 130, left: 48, right: 12, top: 8, bottom: 34 };
const STEP = 5; // per cent, of a guess
const BACK = 3; // horizons that are shown before an origin: as in origin_slider.py

const TEXT = {
  title: "Origin slider: forecast, interval and persistence, wherever the forecast begins",
  first: (model) =>
    `Before you look: at which share of the origins is ${model} better than ` +
    "persistence, the last value repeated?",
  guess: (name, percent) => `${name}: ${percent} %`,
  commit: "These are my guesses",
  which: "Series",
  move: "Origin: where the forecast begins",
  at: (when, k, n) => `${when}, ${k} of ${n}`,
  summary: (when, k, n, model, error, same, unit) =>
    `Origin ${when} (${k} of ${n}): error of ${model} ${error}${unit}, of ` +
    `persistence ${same}${unit}.`,
  wins: (model) => ` ${model} is better.`,
  loses: " Persistence is as good or better.",
  inside: (k, n) => ` ${k} of ${n} true values lie in the interval.`,
  known: "known",
  came: "what came",
  persistence: "persistence",
  interval: "interval",
  ahead: (k) => `${k} ahead`,
  before: (k) => `${k} before`,
  origin: "origin",
  strip: "Error at each origin; filled where persistence is as good or better",
  error: "error",
  results: "All origins",
  series: "series",
  yours: "your guess",
  better: (model) => `${model} better`,
  skill: "skill over persistence",
  coverage: "true values inside",
  again: "Guess again",
};

const percent = (share) => String(Math.round(100 * share));
// About three digits, whatever the unit
const short = (value, span) =>
  value.toFixed(Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(span || 1)))));

// What belongs to an origin: as _errors() in origin_slider.py
function windowAt(one, k) {
  const t = one.origins[k],
    K = one.told[k].length;
  const true_ = one.series.slice(t + 1, t + 1 + K),
    last = one.series[t];
  const of = one.told[k].map((value, j) => (value - true_[j]) ** 2),
    same = true_.map((value) => (last - value) ** 2);
  const inside = true_.filter(
    (value, j) => one.low[k][j] <= value && value <= one.high[k][j],
  ).length;
  return {
    t,
    K,
    true_,
    last,
    squares: of,
    sameSquares: same,
    error: Math.sqrt(mean(of)),
    same: Math.sqrt(mean(same)),
    inside,
  };
}

function render({ model, el }) {
  const { listen, follow, resized, leaving } = listening();
  const series = model.get("series"),
    names = Object.keys(series),
    who = model.get("model");
  const all = Object.fromEntries(
    names.map((name) => [name, series[name].origins.map((_, k) => windowAt(series[name], k))]),
  );
  // One height of the chart for all origins of a series, so that an error looks as large as it is
  const spans = Object.fromEntries(
    names.map((name) => [
      name,
      Math.max(
        ...all[name].map((w, k) => {
          const shown = seen(series[name], w, k);
          return Math.max(...shown) - Math.min(...shown);
        }),
      ),
    ]),
  );
  function seen(one, w, k) {
    return [
      ...one.series.slice(Math.max(0, w.t - BACK * w.K), w.t + w.K + 1),
      ...one.told[k],
      ...one.low[k],
      ...one.high[k],
    ];
  }
  const write = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    update();
  };
  const hasGuessed = () => Object.keys(model.get("guesses")).length > 0;

  el.classList.add("lstm-widget", "lw-origin");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  // The guesses
  const asked = guessForm(listen, {
    names,
    question: TEXT.first(who),
    label: TEXT.guess,
    commit: TEXT.commit,
    step: STEP,
    start: 50,
    unmoved: "?",
    take(guesses) {
      write({ guesses });
      slider.focus();
    },
  });

  // The slider
  const ways = html("div", { class: "lw-ways", role: "group", "aria-label": TEXT.which });
  const buttons = names.map((name) => {
    const button = html("button", { type: "button" }, name);
    listen(button, "click", () => write({ place: 0, chosen: name }));
    ways.append(button);
    return button;
  });
  const slider = html("input", { type: "range", min: 0, step: 1, ...KEYS });
  listen(slider, "input", () => write({ place: Number(slider.value) }));
  const track = html("label", { class: "lw-track" }, html("span", {}, TEXT.move), slider);
  const summary = html("p", { class: "lw-summary", "aria-live": "polite" });
  const key = html("p", { class: "lw-key" });
  const chart = svg("svg", { class: "lw-chart", role: "img" });
  const strip = svg("svg", { class: "lw-strip", role: "img", "aria-label": TEXT.strip });
  const body = html("tbody");
  const head = html(
    "tr",
    {},
    ...[TEXT.series, TEXT.yours, TEXT.better(who), TEXT.skill, TEXT.coverage].map((text) =>
      html("th", { scope: "col" }, text),
    ),
  );
  const table = html(
    "table",
    { class: "lw-table" },
    html("caption", {}, TEXT.results),
    html("thead", {}, head),
    body,
  );
  const region = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.results },
    table,
  );
  const again = html("button", { type: "button" }, TEXT.again);
  listen(again, "click", () => {
    asked.clear();
    write({ guesses: {}, place: 0 });
    asked.focus();
  });
  const shown = html(
    "div",
    {},
    ways,
    track,
    summary,
    key,
    chart,
    html("p", { class: "lw-note" }, TEXT.strip),
    strip,
    region,
    html("div", { class: "lw-buttons" }, again),
  );
  el.append(asked.form, shown);

  function frame(target, { height, left, right, top, bottom }, [least, most], ticks) {
    const width = Math.max(el.clientWidth, 240);
    target.setAttribute("width", width);
    target.setAttribute("height", height);
    target.replaceChildren();
    const y = (value) =>
      height - bottom - ((height - top - bottom) * (value - least)) / (most - least || 1);
    const x = (share) => left + (width - left - right) * share;
    for (let k = 0; k <= ticks; k += 1) {
      const value = least + ((most - least) * k) / ticks;
      target.append(
        svg("path", { class: "lw-line", d: `M${left} ${y(value)}H${width - right}` }),
        svg(
          "text",
          { x: left - 5, y: y(value) + 4, "text-anchor": "end" },
          short(value, most - least),
        ),
      );
    }
    return { x, y, width };
  }

  function drawChart(one, k, name) {
    const w = all[name][k],
      values = seen(one, w, k),
      middle = (Math.max(...values) + Math.min(...values)) / 2,
      half = 0.52 * spans[name];
    const start = w.t - BACK * w.K,
      first = Math.max(0, start),
      total = (BACK + 1) * w.K;
    const { x, y } = frame(chart, CHART, [middle - half, middle + half], 4);
    const point = (t, value) => `${x((t - start) / total).toFixed(1)} ${y(value).toFixed(1)}`;
    const ahead = (from) => [w.last, ...from].map((value, j) => point(w.t + j, value));
    chart.setAttribute("aria-label", summary.textContent);
    chart.append(
      svg("path", {
        class: "lw-band",
        d: `M${ahead(one.low[k]).join("L")}L${ahead(one.high[k]).reverse().join("L")}Z`,
      }),
    );
    chart.append(
      svg("path", {
        class: "lw-now",
        d: `M${point(w.t, middle - half)}L${point(w.t, middle + half)}`,
      }),
    );
    chart.append(
      svg("path", {
        class: "lw-known",
        d: `M${one.series
          .slice(first, w.t + 1)
          .map((value, j) => point(first + j, value))
          .join("L")}`,
      }),
    );
    chart.append(svg("path", { class: "lw-came", d: `M${ahead(w.true_).join("L")}` }));
    chart.append(
      svg("path", { class: "lw-same", d: `M${ahead(w.true_.map(() => w.last)).join("L")}` }),
    );
    chart.append(svg("path", { class: "lw-told", d: `M${ahead(one.told[k]).join("L")}` }));
    const base = CHART.height - CHART.bottom + 17;
    for (const [t, text, anchor] of [
      [start, TEXT.before(BACK * w.K), "start"],
      [w.t, TEXT.origin, "middle"],
      [w.t + w.K, TEXT.ahead(w.K), "end"],
    ]) {
      chart.append(
        svg("text", { x: x((t - start) / total), y: base, "text-anchor": anchor }, text),
      );
    }
  }

  function drawStrip(one, k, name) {
    const rows = all[name],
      most = Math.max(...rows.flatMap((w) => [w.error, w.same])),
      n = rows.length;
    const { x, y } = frame(strip, STRIP, [0, most], 2);
    const share = (j) => (n > 1 ? j / (n - 1) : 0.5);
    const line = (key_) =>
      `M${rows.map((w, j) => `${x(share(j)).toFixed(1)} ${y(w[key_]).toFixed(1)}`).join("L")}`;
    const width = (x(1) - x(0)) / Math.max(n - 1, 1);
    rows.forEach((w, j) => {
      if (w.error < w.same) return;
      strip.append(
        svg("rect", {
          class: "lw-lost",
          "data-place": j,
          x: (x(share(j)) - width / 2).toFixed(1),
          y: y(most),
          width: width.toFixed(1),
          height: y(0) - y(most),
        }),
      );
    });
    strip.append(
      svg("path", { class: "lw-same", d: line("same") }),
      svg("path", { class: "lw-told", d: line("error") }),
    );
    strip.append(
      svg("path", { class: "lw-now", d: `M${x(share(k)).toFixed(1)} ${y(0)}V${y(most)}` }),
    );
    const base = STRIP.height - STRIP.bottom + 17;
    strip.append(
      svg("text", { x: x(0), y: base }, one.when[0]),
      svg("text", { x: x(1), y: base, "text-anchor": "end" }, one.when[n - 1]),
    );
    strip.append(
      svg(
        "text",
        { class: "lw-axis", x: x(0.5), y: base + 14, "text-anchor": "middle" },
        TEXT.origin,
      ),
    );
  }

  function whole(name) {
    const rows = all[name],
      of = mean(rows.flatMap((w) => w.squares)),
      same = mean(rows.flatMap((w) => w.sameSquares));
    return {
      better: mean(rows.map((w) => Number(w.error < w.same))),
      skill: 1 - Math.sqrt(of / same),
      coverage: mean(rows.map((w) => w.inside / w.K)),
    };
  }

  function draw() {
    const name = model.get("chosen"),
      one = series[name],
      k = Math.min(model.get("place"), one.origins.length - 1);
    drawChart(one, k, name);
    drawStrip(one, k, name);
  }

  function update() {
    const guesses = model.get("guesses"),
      name = model.get("chosen"),
      one = series[name];
    asked.form.hidden = hasGuessed();
    shown.hidden = !hasGuessed();
    if (!hasGuessed()) {
      // What is hidden is empty as well: nothing of the answer may be found before the guess.
      for (const part of [summary, key, chart, strip, body]) part.replaceChildren();
      for (const number of ["error", "persistence", "inside"]) delete summary.dataset[number];
      return;
    }
    const n = one.origins.length,
      k = Math.min(model.get("place"), n - 1),
      w = all[name][k];
    buttons.forEach((button, j) => button.setAttribute("aria-pressed", String(names[j] === name)));
    slider.max = n - 1;
    slider.value = k;
    slider.setAttribute("aria-valuetext", TEXT.at(one.when[k], k + 1, n));
    const unit = one.unit ? ` ${one.unit}` : "";
    summary.replaceChildren(
      TEXT.summary(
        one.when[k],
        k + 1,
        n,
        who,
        short(w.error, spans[name]),
        short(w.same, spans[name]),
        unit,
      ) +
        (w.error < w.same ? TEXT.wins(who) : TEXT.loses) +
        TEXT.inside(w.inside, w.K),
    );
    summary.dataset.error = w.error;
    summary.dataset.persistence = w.same;
    summary.dataset.inside = w.inside;
    key.replaceChildren(
      ...[
        ["known", TEXT.known],
        ["came", TEXT.came],
        ["told", who],
        ["band", TEXT.interval],
        ["same", TEXT.persistence],
      ].map(([kind, text]) => {
        const sample = svg("svg", { width: 26, height: 10, "aria-hidden": "true" });
        sample.append(
          svg("path", { class: `lw-${kind}`, d: kind === "band" ? "M0 0H26V10H0Z" : "M0 5H26" }),
        );
        return html("span", {}, sample, ` ${text}`);
      }),
    );
    body.replaceChildren(
      ...names.map((each) => {
        const found = whole(each),
          cell = (value, text) => html("td", {}, html("data", { value: value.toFixed(3) }, text));
        const line = html(
          "tr",
          {},
          html("th", { scope: "row" }, each),
          html("td", {}, guesses[each] === undefined ? "" : `${percent(guesses[each])} %`),
          cell(found.better, `${percent(found.better)} %`),
          cell(found.skill, found.skill.toFixed(2)),
          cell(found.coverage, `${percent(found.coverage)} %`),
        );
        return line;
      }),
    );
    draw();
  }

  follow(model, ["guesses", "chosen", "place"], update);
  resized(el, () => {
    if (hasGuessed()) draw();
  });
  update();
  return leaving(el);
}

export default { render };
