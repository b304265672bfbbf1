// Loss curves to be diagnosed: commit to a cause and to the next measurement, then see what the
// curve decides and what not.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js

const CHART = { height: 250, left: 40, right: 10, top: 10, bottom: 36 };
const HIGHEST = 4; // of the loss axis; what is above it is drawn at its edge

const TEXT = {
  title: "Loss-curve doctor: what is wrong with this run, if anything?",
  runs: "Runs",
  tab: (k, own, state) => `${own ? "Your run" : `Run ${k}`}${state ? `, ${state}` : ""}`,
  own: "yours",
  right: "right",
  half: "half right",
  wrong: "wrong",
  answered: "answered",
  facts: ({ updates, batch, training, validation }) =>
    `${updates} updates with batches of ${batch}; ` +
    (training
      ? `${training} examples for training, ${validation} for validation.`
      : "new examples for every batch."),
  noFacts: "Your own run.",
  train: "training, as logged",
  valid: "validation",
  constant: "constant answer",
  after: "shown with the answer",
  axis: "share of the run",
  longerAxis: (times) => `share of the run shown first, up to ${times} times`,
  loss: "loss",
  chart: (train, valid) =>
    "Two curves in parts of the loss of a constant answer. Training goes from " +
    `${train[0]} over ${train[1]} to ${train[2]}, validation from ${valid[0]} over ` +
    `${valid[1]} to ${valid[2]}.`,
  look: "Read the curves",
  values: (share, train, valid) =>
    `At ${share} % of the run: training ${train}, validation ${valid}.`,
  cause: "What is the cause?",
  next: "What do you do next, to be sure?",
  commit: "Commit",
  causeRight: (name) => `Cause: right. ${name}.`,
  causeWrong: (name, chosen) => `Cause: ${name}. You chose: ${chosen}.`,
  nextRight: "Next: right, this settles it.",
  nextWrong: (title) => `Next: “${title}” would have settled it.`,
  decides: "What the curve shows",
  reading: "read from the curve",
  here: "here",
  seeds: "three seeds",
  limit: "limit for this cause",
  atLeast: "at least",
  atMost: "at most",
  open: "What the curve leaves open",
  offered: "cause",
  shows: "against it",
  fits: "fits the curve",
  yes: "yes",
  no: "no",
  nothing: "nothing",
  against: (name, value, relation, limit) => `${name}: ${value}, not ${relation} ${limit}`,
  alone: "Of the causes offered, the curve by itself leaves only this one.",
  several: (count, total) =>
    `Of the ${total} causes offered, the curve leaves ${count}. It alone does not decide.`,
  none:
    "No cause of the list fits this curve. The limits come from the stored runs; " +
    "another task may have others.",
  settles: "What settles it",
  measure: "measurement",
  value: "number",
  range: "three seeds",
  yours: "your choice",
  ownFits: (name) => `The curve does not exclude your cause: ${name}.`,
  ownNot: (name) => `The curve speaks against your cause: ${name}.`,
  ownNext: (title) => `The measurement for it: ${title}.`,
  ownRight: "You chose it.",
  ownOther: (title) => `You chose: ${title}.`,
  score: (causes, nexts, done) =>
    `Of ${done} answered: ${causes} ${causes === 1 ? "cause" : "causes"} and ` +
    `${nexts} next ${nexts === 1 ? "step" : "steps"} right.`,
  following: "Next run",
  again: "Start again",
};

const shown = (x) =>
  (Math.abs(x) >= 100
    ? x.toFixed(0)
    : Math.abs(x) >= 10
      ? x.toFixed(1)
      : Math.abs(x) >= 0.1 || x === 0
        ? x.toFixed(2)
        : x.toPrecision(2)
  ).replace("-", "−");
const number = (x) => html("data", { value: x }, shown(x));

// What the doctor reads from two curves: as readings() in curve_doctor.py
function readings(a, v) {
  const n = a.length,
    tenth = Math.max(1, Math.floor(n / 10)),
    quarter = Math.floor(n / 4),
    before = n - quarter;
  const end = mean(a.slice(n - tenth)),
    validEnd = mean(v.slice(n - tenth)),
    half = v.slice(Math.floor(n / 2));
  const jumps = half.slice(2).map((value, k) => Math.abs(value - 2 * half[k + 1] + half[k]));
  return {
    end,
    gap: validEnd / end,
    early: mean(v.slice(tenth, quarter)) / mean(a.slice(tenth, quarter)),
    rise: validEnd / Math.min(...v),
    late: end / mean(a.slice(before - tenth, before)),
    jump: mean(jumps),
  };
}

const holds = ([name, relation, limit], read) =>
  relation === "at least" ? read[name] >= limit : read[name] <= limit;

function render({ model, el }) {
  const { listen, follow, resized, leaving } = listening();
  const runs = model.get("runs"),
    causes = model.get("causes"),
    measures = model.get("measures"),
    names = model.get("names");
  const isOwn = (run) => run.seeds.end === undefined;
  let place = 0;
  // A stored run bears the key of its cause.
  const answerOf = (run) => model.get("answers")[run.key];
  const causeRight = (run) => answerOf(run).cause === run.key;
  const nextRight = (run) => answerOf(run).next === causes[run.key].settles;
  const write = (answers) => {
    model.set("answers", answers);
    model.save_changes();
    update();
  };

  el.classList.add("lstm-widget", "lw-curves");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  const tabs = html("div", { class: "lw-tabs", role: "group", "aria-label": TEXT.runs });
  const buttons = runs.map((run, k) => {
    const button = html("button", { type: "button", "data-run": k });
    listen(button, "click", () => show(k));
    tabs.append(button);
    return button;
  });
  function show(k) {
    place = k;
    form.reset();
    slider.value = slider.max;
    update();
  }

  const facts = html("p", { class: "lw-facts" });
  const key = html("p", { class: "lw-key" });
  const chart = svg("svg", { class: "lw-chart", role: "img" });
  const slider = html("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": TEXT.look,
    ...KEYS,
  });
  const values = html("p", { class: "lw-values", "aria-live": "polite" });
  listen(slider, "input", () => draw());

  // Radio buttons of one form: their names meet those of no other widget.
  const choices = {
    cause: html("div", { class: "lw-choices" }),
    next: html("div", { class: "lw-choices" }),
  };
  const commit = html("button", { type: "submit", disabled: "" }, TEXT.commit);
  const form = html(
    "form",
    {},
    html("fieldset", {}, html("legend", {}, TEXT.cause), choices.cause),
    html("fieldset", {}, html("legend", {}, TEXT.next), choices.next),
    commit,
  );
  const chosen = (part) => choices[part].querySelector("input:checked")?.value;
  listen(form, "change", () =>
    commit.toggleAttribute("disabled", !(chosen("cause") && chosen("next"))),
  );
  listen(form, "submit", (event) => {
    event.preventDefault();
    if (!chosen("cause") || !chosen("next")) return;
    write({
      ...model.get("answers"),
      [runs[place].key]: { cause: chosen("cause"), next: chosen("next") },
    });
    answer.focus();
  });

  const answer = html("div", { class: "lw-answer", tabindex: "-1", "aria-live": "polite" });
  const following = html("button", { type: "button" }, TEXT.following);
  listen(following, "click", () => {
    show((place + 1) % runs.length);
    buttons[place].focus();
  });
  const again = html("button", { type: "button" }, TEXT.again);
  listen(again, "click", () => {
    place = 0;
    form.reset();
    write({});
    buttons[0].focus();
  });
  const score = html("p", { class: "lw-score", "aria-live": "polite" });
  el.append(
    tabs,
    facts,
    key,
    chart,
    slider,
    values,
    form,
    answer,
    html("div", { class: "lw-buttons" }, following, again),
    score,
  );

  function radios(part, keys, text) {
    choices[part].replaceChildren(
      ...keys.map((one) =>
        html(
          "label",
          {},
          html("input", { type: "radio", name: part, value: one, ...KEYS }),
          html("span", {}, text(one)),
        ),
      ),
    );
  }

  const row = (cells, head) =>
    html(
      "tr",
      {},
      ...cells.map((cell, k) =>
        html(
          head || k === 0 ? "th" : "td",
          head || k === 0 ? { scope: head ? "col" : "row" } : {},
          cell,
        ),
      ),
    );
  function table(caption, head, rows) {
    const inner = html(
      "table",
      { class: "lw-table" },
      html("caption", {}, caption),
      html("thead", {}, row(head, true)),
      html("tbody", {}, ...rows),
    );
    return html(
      "div",
      { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": caption },
      inner,
    );
  }

  // The signs of a cause, with the numbers of this run
  function signsOf(run, cause, read) {
    const seeds = !isOwn(run);
    const lines = causes[cause].signs.map(([name, relation, limit]) => {
      const range = seeds
        ? [html("span", {}, number(run.seeds[name][0]), " – ", number(run.seeds[name][1]))]
        : [];
      return row([
        names[name],
        number(read[name]),
        ...range,
        `${relation === "at least" ? TEXT.atLeast : TEXT.atMost} ${limit}`,
      ]);
    });
    return table(
      TEXT.decides,
      [TEXT.reading, TEXT.here, ...(seeds ? [TEXT.seeds] : []), TEXT.limit],
      lines,
    );
  }

  function openOf(run, read) {
    const lines = run.causes.map((cause) => {
      const broken = causes[cause].signs.find((sign) => !holds(sign, read));
      const line = row([
        causes[cause].name,
        broken ? TEXT.no : TEXT.yes,
        broken
          ? TEXT.against(
              names[broken[0]],
              shown(read[broken[0]]),
              broken[1] === "at least" ? TEXT.atLeast : TEXT.atMost,
              broken[2],
            )
          : TEXT.nothing,
      ]);
      line.dataset.cause = cause;
      line.dataset.fits = String(!broken);
      return line;
    });
    const count = lines.filter((line) => line.dataset.fits === "true").length;
    const verdict =
      count === 0
        ? TEXT.none
        : count === 1 && !isOwn(run)
          ? TEXT.alone
          : TEXT.several(count, lines.length);
    return [
      table(TEXT.open, [TEXT.offered, TEXT.fits, TEXT.shows], lines),
      html("p", { class: "lw-alone" }, verdict),
    ];
  }

  function settledOf(run) {
    const lines = run.nexts.map((one) => {
      const [value, low, high] = run.values[one];
      const title = html(
        "span",
        {},
        measures[one].title,
        html("span", { class: "lw-tells" }, ` (${measures[one].tells})`),
      );
      if (one === answerOf(run).next) title.append(html("strong", {}, ` ${TEXT.yours}`));
      const line = row([title, number(value), html("span", {}, number(low), " – ", number(high))]);
      line.dataset.measure = one;
      return line;
    });
    return [
      table(TEXT.settles, [TEXT.measure, TEXT.value, TEXT.range], lines),
      html("p", { class: "lw-settled" }, run.settled),
    ];
  }

  function told(run, read) {
    const mine = answerOf(run);
    if (isOwn(run)) {
      const { name, signs, settles, why } = causes[mine.cause],
        fit = signs.every((sign) => holds(sign, read));
      const taken =
        mine.next === settles ? TEXT.ownRight : TEXT.ownOther(measures[mine.next].title);
      const next = `${TEXT.ownNext(measures[settles].title)} ${taken}`;
      return [
        html("p", { class: "lw-verdict" }, fit ? TEXT.ownFits(name) : TEXT.ownNot(name)),
        html("p", { class: "lw-verdict" }, next),
        signsOf(run, mine.cause, read),
        html("p", {}, why),
        ...openOf(run, read),
      ];
    }
    const { name, settles, why } = causes[run.key];
    return [
      html(
        "p",
        { class: "lw-verdict", "data-right": causeRight(run) },
        causeRight(run) ? TEXT.causeRight(name) : TEXT.causeWrong(name, causes[mine.cause].name),
      ),
      html(
        "p",
        { class: "lw-verdict", "data-right": nextRight(run) },
        nextRight(run) ? TEXT.nextRight : TEXT.nextWrong(measures[settles].title),
      ),
      signsOf(run, run.key, read),
      ...openOf(run, read),
      ...settledOf(run),
      html("p", {}, why),
    ];
  }

  function draw() {
    const run = runs[place],
      { train, valid } = run,
      n = train.length;
    const isTold = answerOf(run) !== undefined,
      after = isTold ? run.after : [],
      longer = isTold ? run.longer : 1;
    const width = Math.max(el.clientWidth, 240),
      { height, left, right, top, bottom } = CHART;
    const most = Math.min(HIGHEST, Math.max(1.25, 1.05 * Math.max(...train, ...valid, ...after)));
    const x = (share) => left + ((width - left - right) * share) / longer;
    const y = (loss) => height - bottom - ((height - top - bottom) * Math.min(loss, most)) / most;
    const path = (curve, times = 1) =>
      curve
        .map(
          (loss, k) =>
            `${k ? "L" : "M"}${x((times * k) / (curve.length - 1)).toFixed(1)} ` +
            `${y(loss).toFixed(1)}`,
        )
        .join("");
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.replaceChildren();
    const step = most > 2 ? 1 : most > 0.6 ? 0.25 : 0.1;
    for (let loss = 0; loss <= most; loss += step) {
      chart.append(
        svg("path", { class: "lw-line", d: `M${left} ${y(loss)}H${width - right}` }),
        svg(
          "text",
          { x: left - 5, y: y(loss) + 4, "text-anchor": "end" },
          String(Number(loss.toFixed(2))),
        ),
      );
    }
    for (const share of [0, 0.5, 1]) {
      chart.append(
        svg(
          "text",
          {
            x: x(share * longer),
            y: height - bottom + 16,
            "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle",
          },
          `${100 * share * longer} %`,
        ),
      );
    }
    chart.append(
      svg(
        "text",
        { class: "lw-axis", x: x(longer / 2), y: height - 3, "text-anchor": "middle" },
        longer > 1 ? TEXT.longerAxis(longer) : TEXT.axis,
      ),
    );
    chart.append(svg("path", { class: "lw-constant", d: `M${left} ${y(1)}H${width - right}` }));
    if (after.length) chart.append(svg("path", { class: "lw-after", d: path(after, longer) }));
    chart.append(
      svg("path", { class: "lw-train", d: path(train) }),
      svg("path", { class: "lw-valid", d: path(valid) }),
    );
    const k = Math.min(Number(slider.value), n - 1),
      share = k / (n - 1);
    chart.append(
      svg("path", { class: "lw-cursor", d: `M${x(share).toFixed(1)} ${top}V${height - bottom}` }),
    );
    chart.append(
      svg("circle", {
        class: "lw-dot-train",
        cx: x(share).toFixed(1),
        cy: y(train[k]).toFixed(1),
        r: 4,
      }),
      svg("circle", {
        class: "lw-dot-valid",
        cx: x(share).toFixed(1),
        cy: y(valid[k]).toFixed(1),
        r: 4,
      }),
    );
    const told = TEXT.values(Math.round(100 * share), train[k].toFixed(3), valid[k].toFixed(3));
    values.textContent = told;
    slider.setAttribute("aria-valuetext", told);
    const three = (curve) => [0, Math.floor(n / 2), n - 1].map((one) => curve[one].toFixed(2));
    chart.setAttribute("aria-label", TEXT.chart(three(train), three(valid)));
    key.replaceChildren(
      ...[
        ["train", TEXT.train],
        ["valid", TEXT.valid],
        ["constant", TEXT.constant],
        ...(after.length
          ? [["after", `${TEXT.after}: ${measures[causes[run.key].settles].title}`]]
          : []),
      ].map(([name, text]) => {
        const line = svg("svg", { width: 26, height: 10, "aria-hidden": "true" });
        line.append(svg("path", { class: `lw-${name}`, d: "M0 5H26" }));
        return html("span", {}, line, ` ${text}`);
      }),
    );
  }

  function update() {
    const run = runs[place],
      isTold = answerOf(run) !== undefined;
    buttons.forEach((button, k) => {
      const one = runs[k],
        done = answerOf(one) !== undefined,
        points = !done || isOwn(one) ? 0 : causeRight(one) + nextRight(one);
      const state = !done
        ? ""
        : isOwn(one)
          ? TEXT.answered
          : [TEXT.wrong, TEXT.half, TEXT.right][points];
      const mark = !done ? "" : isOwn(one) ? " ·" : [" ✗", " ½", " ✓"][points];
      button.textContent = `${isOwn(one) ? TEXT.own : k + 1}${mark}`;
      button.setAttribute("aria-label", TEXT.tab(k + 1, isOwn(one), state));
      button.setAttribute("aria-pressed", String(k === place));
    });
    facts.textContent = isOwn(run) ? TEXT.noFacts : TEXT.facts(run.facts);
    const before = Number(slider.max);
    slider.max = run.train.length - 1;
    if (before !== run.train.length - 1) slider.value = slider.max;
    const kept = { cause: chosen("cause"), next: chosen("next") };
    radios("cause", run.causes, (one) => causes[one].name);
    radios("next", run.nexts, (one) => measures[one].title);
    for (const part of ["cause", "next"])
      for (const input of choices[part].querySelectorAll("input"))
        input.checked = input.value === kept[part];
    commit.toggleAttribute("disabled", !(chosen("cause") && chosen("next")));
    form.hidden = isTold;
    answer.hidden = !isTold;
    answer.replaceChildren(...(isTold ? told(run, readings(run.train, run.valid)) : []));
    const done = runs.filter((one) => !isOwn(one) && answerOf(one));
    score.textContent = done.length
      ? TEXT.score(done.filter(causeRight).length, done.filter(nextRight).length, done.length)
      : "";
    draw();
  }

  follow(model, ["answers"], update);
  resized(el, draw);
  show(0);
  return leaving(el);
}

export default { render };
