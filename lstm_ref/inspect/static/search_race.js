// Which search finds the better settings at one price? Guess, then replay races on stored losses.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js

const METHODS = ["grid", "random", "halving"];
const BUDGETS = [4, 9, 16];
const ETA = 3; // of the runs of a rung of halving, one in so many goes on
const MANY = 200;
const MAX_RACES = 2000; // as in search_race.py
const MAP = { cell: 20, gap: 1 };
const CHART = { row: 30, left: 12, right: 12, bottom: 34 };

const TEXT = {
  title: "Search race: grid, random and halving search at one price",
  method: { grid: "grid, placed at random", random: "random", halving: "successive halving" },
  budget: "Price of each search, at most",
  runs: (n) => `${n} full runs`,
  winner: "Which one shows the lowest loss, on average?",
  worth: "The setting that it found, trained with other seeds: what is its loss?",
  worths: { same: "about the same", higher: "clearly higher", lower: "clearly lower" },
  commit: "That is my guess",
  one: "One race",
  many: `${MANY} races`,
  reset: "Start again",
  seen: (k) => (k === 0 ? "No race yet." : k === 1 ? "1 race." : `${k} races.`),
  last: "The last race",
  key:
    "strong colour: low loss after a full run; dot: tried and stopped early; ring: " +
    "trained to the end; filled ring: found",
  axes: (first, second) => `Upwards: ${first}; to the right: ${second}.`,
  map: (name, tried, full, loss, first, second) =>
    `${name}: ${tried} settings tried, ${full} to the end. Found a loss of ${loss} ` +
    `at ${first}, ${second}.`,
  at: (name, value) => `${name} ${value}`,
  table: "All races",
  search: "search",
  shown: "loss shown, mean",
  range: "10 % to 90 %",
  other: "on other seeds, mean",
  won: "lowest loss",
  chart: "Loss shown, and loss on other seeds",
  shownKey: "loss shown: mean, and 10 % to 90 % of the races",
  worthKey: "on other seeds: mean",
  axis: "loss",
  right: (name) => `Your guess holds so far: ${name}.`,
  wrong: (guess, name) => `You guessed ${guess}. So far it is ${name}.`,
  same: (times) => `On other seeds its loss is about the same: ${times} times.`,
  different: (word, shown, worth) =>
    `On other seeds its loss is ${word}: ${worth} in place of ${shown}.`,
  worthRight: "You guessed that.",
  worthWrong: (guess) => `You guessed: ${guess}.`,
  few: "With so few races, this is luck.",
};
const FEW = 30; // fewer races than this decide nothing
const APART = 1.2; // from this ratio on, two mean losses are called different

const least = (cells, of) => cells.reduce((best, cell) => (of(cell) < of(best) ? cell : best));

// As NumPy's: linear between the two neighbours
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b),
    at = share * (sorted.length - 1),
    low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

// A linear congruential generator, the same as in search_race.py
function generator(seed) {
  let state = (Math.imul(seed, 2654435761) + 12345) >>> 0;
  const draw = () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let k = 0; k < 4; k += 1) draw(); // neighbouring seeds begin alike
  return draw;
}

function gridOf(draw, budget, rows, columns) {
  const k = Math.round(Math.sqrt(budget));
  const values = (size) => {
    const shift = draw();
    return Array.from({ length: k }, (_, one) => Math.floor(((shift + one) * size) / k));
  };
  const first = values(rows),
    second = values(columns);
  return first.flatMap((r) => second.map((c) => [r, c]));
}

function some(draw, n, rows, columns) {
  const cells = Array.from({ length: rows * columns }, (_, k) => k);
  for (let k = 0; k < Math.min(n, cells.length); k += 1) {
    const other = k + Math.floor(draw() * (cells.length - k));
    [cells[k], cells[other]] = [cells[other], cells[k]];
  }
  return cells.slice(0, n).map((cell) => [Math.floor(cell / columns), cell % columns]);
}

function render({ model, el }) {
  const { listen, follow, resized, leaving } = listening();
  const loss = model.get("loss"),
    costs = model.get("costs"),
    axes = model.get("axes"),
    names = model.get("names");
  const rows = loss[0].length,
    columns = loss[0][0].length,
    last = costs.length - 1;
  const write = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    update();
  };
  const hasGuessed = () => model.get("guess").winner !== undefined;

  function raced(method, budget, seed, draw) {
    const at = ([r, c], rung) => loss[seed][r][c][rung];
    let tried, full;
    if (method === "grid") tried = full = gridOf(draw, budget, rows, columns);
    else if (method === "random") tried = full = some(draw, budget, rows, columns);
    else {
      const price = costs.reduce(
        (sum, cost, rung) => sum + (cost - (costs[rung - 1] ?? 0)) / ETA ** rung,
        0,
      );
      tried = full = some(
        draw,
        Math.min(rows * columns, Math.floor((budget * costs[last]) / price)),
        rows,
        columns,
      );
      for (let rung = 0; rung < last; rung += 1) {
        const ranked = [...full].sort((a, b) => at(a, rung) - at(b, rung));
        full = ranked.slice(0, Math.max(1, Math.floor(full.length / ETA)));
      }
    }
    const found = least(full, (cell) => at(cell, last));
    const others = loss.filter((_, k) => k !== seed).map((one) => one[found[0]][found[1]][last]);
    return { tried, full, found, shown: at(found, last), worth: mean(others), seed };
  }

  // Races are drawn one after another and kept until another price is chosen.
  let kept = [],
    keptFor = "";
  function races() {
    const budget = model.get("budget"),
      start = model.get("start"),
      count = model.get("races");
    if (keptFor !== `${budget} ${start}`) [kept, keptFor] = [[], `${budget} ${start}`];
    while (kept.length < count) {
      const draw = generator(start + kept.length),
        seed = Math.floor(draw() * loss.length);
      kept.push(
        Object.fromEntries(METHODS.map((method) => [method, raced(method, budget, seed, draw)])),
      );
    }
    return kept.slice(0, count);
  }

  el.classList.add("lstm-widget", "lw-race");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  const prices = html("select", { ...KEYS });
  for (const budget of BUDGETS) prices.append(html("option", { value: budget }, TEXT.runs(budget)));
  listen(prices, "change", () => write({ budget: Number(prices.value), races: 0 }));
  const price = html("label", { class: "lw-price" }, html("span", {}, TEXT.budget), prices);

  // The guess: radio buttons of one form, so that their names meet those of no other widget
  const radios = (name, question, keys, text) =>
    html(
      "fieldset",
      {},
      html("legend", {}, question),
      ...keys.map((one) =>
        html(
          "label",
          {},
          html("input", { type: "radio", name, value: one, ...KEYS }),
          html("span", {}, text(one)),
        ),
      ),
    );
  const commit = html("button", { type: "submit", disabled: "" }, TEXT.commit);
  const form = html(
    "form",
    {},
    radios("winner", TEXT.winner, METHODS, (one) => TEXT.method[one]),
    radios("worth", TEXT.worth, Object.keys(TEXT.worths), (one) => TEXT.worths[one]),
    commit,
  );
  const chosen = (name) => form.querySelector(`input[name="${name}"]:checked`)?.value;
  listen(form, "change", () =>
    commit.toggleAttribute("disabled", !(chosen("winner") && chosen("worth"))),
  );
  listen(form, "submit", (event) => {
    event.preventDefault();
    if (!chosen("winner") || !chosen("worth")) return;
    write({ guess: { winner: chosen("winner"), worth: chosen("worth") } });
    once.focus();
  });

  const once = html("button", { type: "button" }, TEXT.one),
    often = html("button", { type: "button" }, TEXT.many);
  for (const [button, more] of [
    [once, 1],
    [often, MANY],
  ])
    listen(button, "click", () => write({ races: Math.min(MAX_RACES, model.get("races") + more) }));
  const reset = html("button", { type: "button" }, TEXT.reset);
  listen(reset, "click", () => {
    form.reset();
    commit.toggleAttribute("disabled", true);
    // Other races than those that were seen
    write({ guess: {}, races: 0, start: model.get("start") + model.get("races") });
    form.querySelector("input").focus();
  });
  const seen = html("p", { class: "lw-seen", "aria-live": "polite" });
  const verdict = html("p", { class: "lw-verdict", "aria-live": "polite" });
  const maps = html("div", { class: "lw-maps", role: "group", "aria-label": TEXT.last });
  const chart = svg("svg", { class: "lw-chart", role: "img" });
  const key = html("p", { class: "lw-key" });
  const body = html("tbody");
  const head = html(
    "tr",
    {},
    ...["search", "shown", "range", "other", "won"].map((name) =>
      html("th", { scope: "col" }, TEXT[name]),
    ),
  );
  const table = html(
    "table",
    { class: "lw-table" },
    html("caption", {}, TEXT.table),
    html("thead", {}, head),
    body,
  );
  const region = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.table },
    table,
  );
  const shown = html(
    "div",
    {},
    html("div", { class: "lw-buttons" }, once, often, reset),
    seen,
    maps,
    key,
    region,
    chart,
    verdict,
  );
  el.append(price, form, shown);

  function mapOf(method, race) {
    const { tried, full, found, seed, shown } = race[method],
      { cell, gap } = MAP;
    const most = Math.max(...loss[seed].flat().map((one) => one[last]));
    const label = TEXT.map(
      TEXT.method[method],
      tried.length,
      full.length,
      shown.toFixed(3),
      TEXT.at(names[0], axes[names[0]][found[0]]),
      TEXT.at(names[1], axes[names[1]][found[1]]),
    );
    const picture = svg("svg", {
      role: "img",
      "aria-label": label,
      viewBox: `0 0 ${columns * cell} ${rows * cell}`,
      "data-method": method,
    });
    const [x, y] = [(c) => c * cell, (r) => (rows - 1 - r) * cell];
    loss[seed].forEach((line, r) =>
      line.forEach((one, c) => {
        picture.append(
          svg("rect", {
            class: "lw-cell",
            x: x(c),
            y: y(r),
            width: cell - gap,
            height: cell - gap,
            "fill-opacity": (0.08 + 0.82 * (1 - Math.min(one[last] / most, 1))).toFixed(3),
          }),
        );
      }),
    );
    const middle = ([r, c]) => ({ cx: x(c) + (cell - gap) / 2, cy: y(r) + (cell - gap) / 2 });
    for (const one of tried)
      if (!full.includes(one))
        picture.append(svg("circle", { class: "lw-early", ...middle(one), r: 2.5 }));
    for (const one of full)
      picture.append(
        svg("circle", { class: one === found ? "lw-found" : "lw-full", ...middle(one), r: 6 }),
      );
    return html(
      "figure",
      {},
      html("figcaption", {}, TEXT.method[method]),
      picture,
      html("p", {}, label),
    );
  }

  function summary(all) {
    const lowest = all.map((race) => Math.min(...METHODS.map((method) => race[method].shown)));
    return Object.fromEntries(
      METHODS.map((method) => {
        const found = all.map((race) => race[method].shown);
        return [
          method,
          {
            shown: mean(found),
            low: quantile(found, 0.1),
            high: quantile(found, 0.9),
            worth: mean(all.map((race) => race[method].worth)),
            won: mean(found.map((one, k) => Number(one <= lowest[k]))),
          },
        ];
      }),
    );
  }

  function drawChart(means) {
    const width = Math.max(el.clientWidth, 240),
      height = METHODS.length * CHART.row + CHART.bottom;
    const most =
      1.05 *
      Math.max(...METHODS.flatMap((method) => [means[method].high, means[method].worth]), 1e-9);
    const x = (value) => CHART.left + ((width - CHART.left - CHART.right) * value) / most;
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.setAttribute("aria-label", TEXT.chart);
    chart.replaceChildren();
    for (let k = 0; k <= 4; k += 1) {
      const value = (most * k) / 4;
      chart.append(svg("path", { class: "lw-line", d: `M${x(value)} 0V${height - CHART.bottom}` }));
      chart.append(
        svg(
          "text",
          {
            x: x(value),
            y: height - CHART.bottom + 15,
            "text-anchor": k === 0 ? "start" : k === 4 ? "end" : "middle",
          },
          value.toFixed(2),
        ),
      );
    }
    chart.append(
      svg(
        "text",
        { class: "lw-axis", x: x(most / 2), y: height - 3, "text-anchor": "middle" },
        TEXT.axis,
      ),
    );
    METHODS.forEach((method, k) => {
      const y = k * CHART.row + 22,
        { shown, low, high, worth } = means[method];
      chart.append(svg("text", { x: CHART.left, y: y - 8 }, TEXT.method[method]));
      chart.append(svg("path", { class: "lw-bar", d: `M${x(low)} ${y}H${x(high)}` }));
      chart.append(svg("circle", { class: "lw-dot", cx: x(shown), cy: y, r: 5 }));
      chart.append(svg("path", { class: "lw-worth", d: `M${x(worth)} ${y - 6}l6 6l-6 6l-6 -6z` }));
    });
  }

  function told(means, count) {
    const guess = model.get("guess"),
      best = least(METHODS, (method) => means[method].shown),
      { shown, worth } = means[best];
    const truth = worth > APART * shown ? "higher" : worth < shown / APART ? "lower" : "same";
    const first =
      guess.winner === best
        ? TEXT.right(TEXT.method[best])
        : TEXT.wrong(TEXT.method[guess.winner], TEXT.method[best]);
    const second =
      truth === "same"
        ? TEXT.same((worth / shown).toFixed(2))
        : TEXT.different(TEXT.worths[truth], shown.toFixed(3), worth.toFixed(3));
    const third =
      guess.worth === truth ? TEXT.worthRight : TEXT.worthWrong(TEXT.worths[guess.worth]);
    return [first, second, third, ...(count < FEW ? [TEXT.few] : [])].join(" ");
  }

  let means = null;
  function update() {
    const guessed = hasGuessed(),
      all = guessed ? races() : [];
    prices.value = String(model.get("budget"));
    form.hidden = guessed;
    shown.hidden = !guessed;
    means = all.length ? summary(all) : null;
    seen.textContent = guessed ? TEXT.seen(all.length) : "";
    for (const part of [maps, body, chart, verdict, key]) part.replaceChildren();
    for (const part of [maps, key, region, chart]) part.toggleAttribute("hidden", !means);
    for (const button of [once, often]) button.toggleAttribute("disabled", all.length >= MAX_RACES);
    if (!means) return;
    maps.replaceChildren(...METHODS.map((method) => mapOf(method, all[all.length - 1])));
    key.replaceChildren(html("span", {}, `${TEXT.last}: ${TEXT.key}. ${TEXT.axes(...names)}`));
    body.replaceChildren(
      ...METHODS.map((method) => {
        const { shown, low, high, worth, won } = means[method],
          number = (value) => html("data", { value }, value.toFixed(3));
        const line = html(
          "tr",
          {},
          html("th", { scope: "row" }, TEXT.method[method]),
          html("td", {}, number(shown)),
          html("td", {}, number(low), " – ", number(high)),
          html("td", {}, number(worth)),
          html("td", {}, html("data", { value: won }, `${Math.round(100 * won)} %`)),
        );
        line.dataset.method = method;
        return line;
      }),
    );
    drawChart(means);
    key.append(html("span", {}, `${TEXT.chart}: ● ${TEXT.shownKey}; ◆ ${TEXT.worthKey}.`));
    verdict.textContent = told(means, all.length);
  }

  follow(model, ["guess", "budget", "races", "start"], update);
  resized(el, () => {
    if (means) drawChart(means);
  });
  update();
  return leaving(el);
}

export default { render };
