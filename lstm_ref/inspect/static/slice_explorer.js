// Where is the model wrong, and is that luck? Choose a slice, see its errors with an interval
// that each look makes wider.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js

const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"; // as in slice_explorer.py
const LEVEL = 0.05;
const FEW = 30; // fewer examples than this say little
const CHART = { row: 30, left: 12, right: 12, bottom: 34 };

const TEXT = {
  title: "Slice explorer: errors of a model by slices of its data",
  first: "Before you look: which slice is the sick one?",
  noGuess: "choose a slice …",
  commit: "That is my guess",
  all: "all",
  choose: "Slice",
  clear: "All examples",
  everything: "all examples",
  empty: "No example is in this slice. That was no look.",
  summary: (name, wrong, n, rate, low, high, level) =>
    `${name}: ${wrong} of ${n} wrong, ${rate} %. Interval ${low} to ${high} % at a ` +
    `level of ${level} %.`,
  few: " So few examples say little.",
  above: " Above the whole, even so.",
  looks: (k) => (k === 1 ? "1 slice looked at" : `${k} different slices looked at`),
  price:
    "The more slices you look at, the wider each interval must be, or one of them " +
    "will look sick by luck.",
  history: "Slices looked at",
  slice: "slice",
  errors: "wrong",
  size: "of",
  rate: "error",
  interval: "interval",
  right: (guess) => `Your guess was ${guess}: it is the worst of the single slices.`,
  other: (guess) => `Your guess was ${guess}. The worst of the single slices is another one.`,
  tell: "Tell me",
  axis: "error rate",
  again: "Start again",
};

const percent = (share) => (100 * share).toFixed(1);

// Normal quantile: the u with P(|Z| > u) = level, by Newton's method on a series for the
// distribution function.
function quantile(level) {
  const density = (u) => Math.exp((-u * u) / 2) / Math.sqrt(2 * Math.PI);
  const below = (u) => {
    let term = u,
      sum = u;
    for (let k = 1; k < 200; k += 1) {
      term *= (u * u) / (2 * k + 1);
      sum += term;
    }
    return 0.5 + density(u) * sum;
  };
  let u = 2;
  for (let k = 0; k < 60; k += 1) u += (1 - level / 2 - below(u)) / density(u);
  return u;
}

// Interval of Wilson (1927) for k of n
function wilson(k, n, u) {
  const p = k / n,
    w = (u * u) / n,
    half = u * Math.sqrt((p * (1 - p)) / n + w / (4 * n));
  return [(p + w / 2 - half) / (1 + w), (p + w / 2 + half) / (1 + w)];
}

function render({ model, el }) {
  const { listen, follow, resized, leaving } = listening();
  const values = model.get("values"),
    codes = model.get("codes"),
    errors = model.get("errors");
  const names = Object.keys(values),
    n = errors.length;
  const write = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    update();
  };

  // Values may hold any text, so slices are compared by their parts and named for the reader only.
  const pairs = (chosen) =>
    names.filter((name) => chosen[name] !== undefined).map((name) => [name, chosen[name]]);
  const same = (a, b) => JSON.stringify(pairs(a)) === JSON.stringify(pairs(b));
  const isAll = (chosen) => pairs(chosen).length === 0;
  const label = (chosen) =>
    pairs(chosen)
      .map(([name, value]) => `${name}: ${value}`)
      .join(", ") || TEXT.everything;
  const count = (chosen) => {
    const wanted = Object.entries(chosen).map(([name, value]) => [
      codes[name],
      LETTERS[values[name].indexOf(value)],
    ]);
    let wrong = 0,
      size = 0;
    for (let k = 0; k < n; k += 1) {
      if (wanted.every(([letters, letter]) => letters[k] === letter)) {
        size += 1;
        wrong += errors[k] === "1";
      }
    }
    return [wrong, size];
  };
  const singles = names.flatMap((name) => values[name].map((value) => ({ [name]: value })));
  const worst = singles
    .map((one) => [one, ...count(one)])
    .filter(([, , size]) => size >= FEW)
    .reduce((best, one) => (best && best[1] / best[2] >= one[1] / one[2] ? best : one), null);

  el.classList.add("lstm-widget", "lw-slices");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  // The guess
  const asked = html("div", { class: "lw-guess" });
  const select = html(
    "select",
    { "aria-label": TEXT.first, ...KEYS },
    html("option", { value: "" }, TEXT.noGuess),
  );
  singles.forEach((one, k) => select.append(html("option", { value: k }, label(one))));
  const commit = html("button", { type: "button", disabled: "" }, TEXT.commit);
  asked.append(html("label", {}, html("span", {}, TEXT.first), select), commit);
  listen(select, "change", () => commit.toggleAttribute("disabled", select.value === ""));
  listen(commit, "click", () => {
    write({ guess: singles[Number(select.value)] });
    Object.values(menus)[0].focus();
  });

  // The slice
  const menus = {};
  const controls = html("div", { class: "lw-controls", role: "group", "aria-label": TEXT.choose });
  for (const name of names) {
    const menu = html(
      "select",
      { "data-name": name, ...KEYS },
      html("option", { value: "" }, TEXT.all),
    );
    for (const value of values[name]) menu.append(html("option", { value }, value));
    listen(menu, "change", () => {
      const chosen = { ...model.get("chosen") };
      if (menu.value === "") delete chosen[name];
      else chosen[name] = menu.value;
      look(chosen);
    });
    menus[name] = menu;
    controls.append(html("label", {}, html("span", {}, name), menu));
  }
  const clear = html("button", { type: "button" }, TEXT.clear);
  listen(clear, "click", () => look({}));
  const tell = html("button", { type: "button" }, TEXT.tell);
  const verdict = html("p", { class: "lw-verdict", "aria-live": "polite" });
  let told = false;
  listen(tell, "click", () => {
    told = true;
    if (worst) look(worst[0]);
  });
  const again = html("button", { type: "button" }, TEXT.again);
  listen(again, "click", () => {
    select.value = "";
    commit.toggleAttribute("disabled", true);
    write({ guess: {}, chosen: {}, looked: [] });
    select.focus();
  });
  const buttons = html("div", { class: "lw-buttons" }, clear, tell, again);

  function look(chosen) {
    const looked = model.get("looked");
    const isNew =
      !isAll(chosen) && count(chosen)[1] > 0 && !looked.some((one) => same(one, chosen));
    write({ chosen, looked: isNew ? [...looked, chosen] : looked });
  }

  const summary = html("p", { class: "lw-summary", "aria-live": "polite" });
  const looks = html("p", { class: "lw-looks" });
  const chart = svg("svg", { class: "lw-chart", role: "img" });
  const body = html("tbody");
  const head = html(
    "tr",
    {},
    ...["slice", "errors", "size", "rate", "interval"].map((name) =>
      html("th", { scope: "col" }, TEXT[name]),
    ),
  );
  const table = html(
    "table",
    { class: "lw-table" },
    html("caption", {}, TEXT.history),
    html("thead", {}, head),
    body,
  );
  const shown = html(
    "div",
    {},
    controls,
    buttons,
    summary,
    chart,
    looks,
    html(
      "div",
      { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.history },
      table,
    ),
    verdict,
  );
  el.append(asked, shown);

  function numbers(slice, u) {
    const [wrong, size] = count(slice);
    const [low, high] = size ? wilson(wrong, size, u) : [0, 1];
    return { wrong, size, rate: size ? wrong / size : NaN, low, high };
  }

  function drawChart(rows) {
    const width = Math.max(el.clientWidth, 240),
      height = rows.length * CHART.row + CHART.bottom;
    const x = (share) => CHART.left + (width - CHART.left - CHART.right) * share;
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.replaceChildren();
    for (let k = 0; k <= 4; k += 1) {
      const share = k / 4;
      chart.append(svg("path", { class: "lw-line", d: `M${x(share)} 0V${height - CHART.bottom}` }));
      const anchor = k === 0 ? "start" : k === 4 ? "end" : "middle";
      chart.append(
        svg(
          "text",
          { x: x(share), y: height - CHART.bottom + 15, "text-anchor": anchor },
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
    rows.forEach(({ label, rate, low, high, whole }, k) => {
      const y = k * CHART.row + 21;
      chart.append(svg("text", { class: "lw-name", x: CHART.left, y: y - 8 }, label));
      chart.append(
        svg("path", {
          class: whole ? "lw-bar lw-whole" : "lw-bar",
          d: `M${x(low)} ${y}H${x(high)}`,
        }),
      );
      chart.append(
        svg("circle", { class: whole ? "lw-dot lw-whole" : "lw-dot", cx: x(rate), cy: y, r: 5 }),
      );
    });
  }

  let rows = [];
  function update() {
    const guess = model.get("guess"),
      chosen = model.get("chosen"),
      looked = model.get("looked");
    asked.hidden = !isAll(guess);
    shown.hidden = isAll(guess);
    if (isAll(guess)) {
      // What is hidden is empty as well: the next reader must not find the slices of the
      // one before.
      told = false;
      rows = [];
      for (const part of [summary, looks, chart, body, verdict]) part.replaceChildren();
      return;
    }
    const u = quantile(LEVEL / Math.max(looked.length, 1));
    const here = numbers(chosen, u),
      whole = numbers({}, quantile(LEVEL)),
      part = !isAll(chosen);
    for (const [name, menu] of Object.entries(menus)) menu.value = chosen[name] ?? "";
    const level = (100 * (1 - LEVEL / Math.max(looked.length, 1))).toFixed(2);
    summary.textContent = here.size
      ? TEXT.summary(
          label(chosen),
          here.wrong,
          here.size,
          percent(here.rate),
          percent(here.low),
          percent(here.high),
          level,
        ) + (here.size < FEW ? TEXT.few : here.low > whole.rate && part ? TEXT.above : "")
      : TEXT.empty;
    looks.textContent = `${TEXT.looks(looked.length)}. ${TEXT.price}`;
    rows = [{ label: TEXT.everything, whole: true, ...whole }];
    if (part && here.size) rows.push({ label: label(chosen), whole: false, ...here });
    chart.setAttribute("aria-label", summary.textContent);
    drawChart(rows);
    const lines = looked.map((one) => [one, numbers(one, u)]).sort(([, a], [, b]) => b.low - a.low);
    body.replaceChildren(
      ...lines.map(([one, found]) =>
        html(
          "tr",
          { "data-slice": label(one) },
          html("th", { scope: "row" }, label(one)),
          html("td", {}, String(found.wrong)),
          html("td", {}, String(found.size)),
          html("td", {}, `${percent(found.rate)} %`),
          html(
            "td",
            {},
            html("data", { value: found.low }, percent(found.low)),
            " – ",
            html("data", { value: found.high }, percent(found.high)),
          ),
        ),
      ),
    );
    table.hidden = looked.length === 0;
    verdict.textContent =
      told && worst ? (same(guess, worst[0]) ? TEXT.right : TEXT.other)(label(guess)) : "";
  }

  follow(model, ["guess", "chosen", "looked"], update);
  resized(el, () => {
    if (!isAll(model.get("guess"))) drawChart(rows);
  });
  update();
  return leaving(el);
}

export default { render };
