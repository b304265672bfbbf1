// Shared by widgets that ask for guesses before they show anything; needs dom.js.

// A form with one slider in per cent for each name. Its button waits until every slider was
// moved,
// and then gives `take` the shares by name. `label(name, percent)` is the text of a slider; of one
// that was not moved the percent is `unmoved`.
function guessForm(listen, { names, question, label, commit, step, start, unmoved = start, take }) {
  const form = html("div", { class: "lw-guess" }, html("p", {}, question));
  const button = html("button", { type: "button", disabled: "" }, commit);
  const rows = names.map((name) => {
    const text = html("span"),
      input = html("input", { type: "range", min: 0, max: 100, step, value: start, ...KEYS });
    const row = {
      name,
      input,
      moved: false,
      tell() {
        text.textContent = label(name, row.moved ? input.value : unmoved);
        input.setAttribute("aria-valuetext", `${input.value} %`);
      },
    };
    listen(input, "input", () => {
      row.moved = true;
      row.tell();
      button.disabled = !rows.every((one) => one.moved);
    });
    row.tell();
    form.append(html("label", {}, text, input));
    return row;
  });
  form.append(button);
  listen(button, "click", () =>
    take(Object.fromEntries(rows.map(({ name, input }) => [name, Number(input.value) / 100]))),
  );

  // Ask once more, with nothing left of the guesses
  function clear() {
    for (const row of rows) {
      row.moved = false;
      row.input.value = start;
      row.tell();
    }
    button.disabled = true;
  }
  return { form, clear, focus: () => rows[0].input.focus() };
}
