// Sick programs as cases: order measurements, each at its cost, read the numbers, decide, and
// then see the answer.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js

const HASH = "#case-"; // an address of the page with this and a case's id opens the case

const TEXT = {
  title: "Clinic: sick programs as cases",
  cases: "Cases",
  tab: (k, state) => `Case ${k}${state ? `, ${state}` : ""}`,
  open: "open",
  right: "right",
  wrong: "wrong",
  head: (k, framework) => `Case ${k}: a program in ${framework}`,
  says: "What its owner says",
  sees: "What its owner sees",
  order: "Order a measurement",
  cost: (passes) => (passes === 1 ? "1 pass" : `${passes} passes`),
  spent: (cost, count) => `${count} ordered, ${cost === 1 ? "1 pass" : `${cost} passes`} spent.`,
  nothing: "Nothing is ordered yet.",
  results: "Results",
  quantity: "measured",
  value: "this program",
  normal: "a right program shows",
  mended: "mended",
  seeds: "sick, all seeds",
  not: "No number:",
  decide: "Your diagnosis",
  none: "choose a diagnosis …",
  commit: "Decide",
  isRight: (cost) => `Right, for ${cost === 1 ? "1 pass" : `${cost} passes`}.`,
  isWrong: (name) => `It is another one. You chose: ${name}`,
  cause: "Cause",
  mend: "Mend",
  lines: "The lines that are wrong, and the right ones",
  doctor: "The doctor's first finding",
  noDoctor: "The doctor finds nothing here.",
  expert: (names, cost) => `An expert would order: ${names}. That costs ${cost}.`,
  read: "The page on it",
  score: "Score",
  all: "all",
  caseName: "case",
  yours: "your cost",
  experts: "expert's cost",
  diagnosis: "diagnosis",
  total: (right, count) => `${right} of ${count} right`,
  again: "Start again",
  next: "Next case",
};

// Three digits; powers of ten where a number is very small or large.
function shown(x) {
  if (x === null) return "not a number";
  const size = Math.abs(x);
  if (x === 0 || (size >= 1e-3 && size < 1e5))
    return String(Number(x.toPrecision(3))).replace("-", "−");
  const [digits, power] = x.toExponential(1).split("e");
  return `${digits.replace("-", "−")}·${powerOfTen(power)}`;
}

function number(x) {
  return html("data", { value: x === null ? "nan" : x }, shown(x));
}

function render({ model, el }) {
  const { listen, follow, leaving } = listening();
  const { cases, measurements, diagnoses } = model.get("record");
  const named = () => cases.findIndex((one) => window.location.hash === HASH + one.id);
  let place = Math.max(named(), 0);

  const write = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    update();
  };
  const orderedOf = (one) => model.get("ordered")[one.id] ?? [];
  const costOf = (one, ids) => ids.reduce((sum, id) => sum + one.costs[id], 0);
  const decidedOf = (one) => model.get("decided")[one.id];
  const isRight = (one) => decidedOf(one) === one.answer;

  el.classList.add("lstm-widget", "lw-clinic");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  // The cases
  const tabs = html("div", { class: "lw-tabs", role: "group", "aria-label": TEXT.cases });
  const buttons = cases.map((one, k) => {
    const button = html("button", { type: "button", "data-case": one.id });
    listen(button, "click", () => show(k));
    tabs.append(button);
    return button;
  });
  function show(k) {
    place = k;
    select.value = "";
    update();
  }
  listen(window, "hashchange", () => {
    if (named() >= 0) show(named());
  });

  const head = html("p", { class: "lw-head" });
  const complaint = html("blockquote", { class: "lw-complaint" });
  const sees = html("div", { class: "lw-sees" });

  // The menu
  const menu = html("div", { class: "lw-menu", role: "group", "aria-label": TEXT.order });
  const items = {};
  for (const [id, one] of Object.entries(measurements)) {
    const price = html("span", { class: "lw-price" });
    const button = html(
      "button",
      { type: "button", "data-measurement": id },
      html("span", {}, one.title),
      price,
    );
    listen(button, "click", () => order(id));
    items[id] = { button, price };
    menu.append(button);
  }
  function order(id) {
    const one = cases[place],
      before = orderedOf(one);
    // after the decision all numbers are shown at no cost
    if (before.includes(id) || decidedOf(one)) return;
    write({ ordered: { ...model.get("ordered"), [one.id]: [...before, id] } });
  }
  const spent = html("p", { class: "lw-spent", "aria-live": "polite" });

  const results = html("div", { class: "lw-results" });
  const region = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.results },
    results,
  );

  // The decision
  const select = html(
    "select",
    { "data-lm-suppress-shortcuts": "true" },
    html("option", { value: "" }, TEXT.none),
  );
  for (const [id, name] of Object.entries(diagnoses))
    select.append(html("option", { value: id }, name));
  const commit = html("button", { type: "button", disabled: "" }, TEXT.commit);
  listen(select, "change", () => commit.toggleAttribute("disabled", select.value === ""));
  listen(commit, "click", () => {
    write({ decided: { ...model.get("decided"), [cases[place].id]: select.value } });
    next.focus();
  });
  const decision = html(
    "div",
    { class: "lw-decision" },
    html("label", {}, html("span", {}, TEXT.decide), select),
    commit,
  );

  const answer = html("div", { class: "lw-answer", "aria-live": "polite" });
  const next = html("button", { type: "button" }, TEXT.next);
  listen(next, "click", () => {
    show((place + 1) % cases.length);
    buttons[place].focus();
  });
  const again = html("button", { type: "button" }, TEXT.again);
  listen(again, "click", () => {
    place = 0;
    select.value = "";
    write({ ordered: {}, decided: {} });
    buttons[0].focus();
  });
  const score = html("div", { class: "lw-score" });
  const card = html("div", { class: "lw-card" }, head, complaint, sees);
  el.append(
    tabs,
    card,
    menu,
    spent,
    region,
    decision,
    answer,
    html("div", { class: "lw-buttons" }, next, again),
    score,
  );

  function row(cells, tag = "td") {
    const [first, ...rest] = cells;
    return html(
      "tr",
      {},
      html("th", { scope: tag === "th" ? "col" : "row" }, first),
      ...rest.map((cell) => html(tag, tag === "th" ? { scope: "col" } : {}, cell)),
    );
  }

  function resultOf(one, id, told) {
    const found = one.measured[id],
      { title, normal } = measurements[id];
    const caption = html("caption", {}, html("strong", {}, title));
    if (typeof found === "string")
      return html("p", { "data-result": id }, html("strong", {}, title), ` ${TEXT.not} ${found}`);
    caption.append(html("span", { class: "lw-normal" }, ` ${TEXT.normal}: ${normal}`));
    // what an expert would order was measured with more seeds
    const seeds = told && found[0].length > 3;
    const columns = [
      TEXT.quantity,
      TEXT.value,
      ...(seeds ? [TEXT.seeds] : []),
      ...(told ? [TEXT.mended] : []),
    ];
    const lines = found.map(([name, sick, mended, low, high]) => {
      const range = seeds
        ? [html("span", { class: "lw-range" }, number(low), " … ", number(high))]
        : [];
      return row([name, number(sick), ...range, ...(told ? [number(mended)] : [])]);
    });
    return html(
      "table",
      { class: "lw-table", "data-result": id },
      caption,
      html("thead", {}, row(columns, "th")),
      html("tbody", {}, ...lines),
    );
  }

  function answerOf(one) {
    const cost = TEXT.cost(costOf(one, one.expert));
    const names = one.expert.map((id) => `“${measurements[id].title}”`).join(", then ");
    const lines = one.changes.flatMap(([right, wrong]) => [
      html("del", {}, wrong ? `− ${wrong}` : "−"),
      "\n",
      html("ins", {}, `+ ${right}`),
      "\n",
    ]);
    const verdict = isRight(one)
      ? TEXT.isRight(costOf(one, orderedOf(one)))
      : TEXT.isWrong(diagnoses[decidedOf(one)]);
    return [
      html("p", { class: "lw-verdict", "data-right": isRight(one) }, verdict),
      html("p", {}, html("strong", {}, one.title)),
      html("p", {}, html("strong", {}, `${TEXT.cause}: `), one.cause),
      html("p", {}, html("strong", {}, `${TEXT.mend}: `), one.mend),
      html("p", {}, `${TEXT.lines}:`),
      html("pre", { tabindex: "0", role: "region", "aria-label": TEXT.lines }, ...lines),
      html("p", { class: "lw-expert" }, TEXT.expert(names, cost)),
      html(
        "p",
        { class: "lw-doctor" },
        one.doctor ? `${TEXT.doctor}: ${one.doctor}` : TEXT.noDoctor,
      ),
    ];
  }

  function scoreTable() {
    const done = cases.filter(decidedOf);
    if (done.length === 0) return [];
    const lines = done.map((one) =>
      row([
        String(cases.indexOf(one) + 1),
        String(costOf(one, orderedOf(one))),
        String(costOf(one, one.expert)),
        isRight(one) ? TEXT.right : TEXT.wrong,
      ]),
    );
    const sum = (of) => String(done.reduce((all, one) => all + costOf(one, of(one)), 0));
    lines.push(
      row([
        TEXT.all,
        sum(orderedOf),
        sum((one) => one.expert),
        TEXT.total(done.filter(isRight).length, done.length),
      ]),
    );
    const columns = row([TEXT.caseName, TEXT.yours, TEXT.experts, TEXT.diagnosis], "th");
    return [
      html(
        "table",
        { class: "lw-table" },
        html("caption", {}, html("strong", {}, TEXT.score)),
        html("thead", {}, columns),
        html("tbody", {}, ...lines),
      ),
    ];
  }

  function update() {
    const one = cases[place],
      ordered = orderedOf(one),
      told = decidedOf(one) !== undefined;
    buttons.forEach((button, k) => {
      const state =
        decidedOf(cases[k]) === undefined ? "" : isRight(cases[k]) ? TEXT.right : TEXT.wrong;
      const mark = { "": "", [TEXT.right]: " ✓", [TEXT.wrong]: " ✗" }[state];
      button.textContent = `${k + 1}${mark}`;
      button.setAttribute("aria-label", TEXT.tab(k + 1, state));
      button.setAttribute("aria-pressed", String(k === place));
    });
    head.textContent = TEXT.head(place + 1, one.framework);
    complaint.textContent = one.complaint;
    sees.replaceChildren(
      ...one.sees.map(([name, value]) =>
        html("span", {}, html("span", { class: "lw-name" }, name), " ", number(value)),
      ),
    );
    for (const [id, { button, price }] of Object.entries(items)) {
      price.textContent = TEXT.cost(one.costs[id]);
      button.setAttribute("aria-pressed", String(ordered.includes(id)));
      button.toggleAttribute("disabled", told);
    }
    spent.textContent = ordered.length
      ? TEXT.spent(costOf(one, ordered), ordered.length)
      : TEXT.nothing;
    // After the decision the expert's measurements are shown as well: they are what settles
    // the case.
    const all = told ? [...new Set([...ordered, ...one.expert])] : [...ordered];
    results.replaceChildren(...all.map((id) => resultOf(one, id, told)));
    region.hidden = all.length === 0;
    decision.hidden = told;
    commit.toggleAttribute("disabled", select.value === "");
    answer.hidden = !told;
    answer.replaceChildren(...(told ? answerOf(one) : []));
    score.replaceChildren(...scoreTable());
  }

  follow(model, ["ordered", "decided"], update);
  update();
  return leaving(el);
}

export default { render };
