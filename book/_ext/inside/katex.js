// Reads one formula per line, as JSON, and answers each with one line. Ends with its input.
const katex = require(process.argv[2]);
const lines = require("readline").createInterface({ input: process.stdin });

lines.on("line", (line) => {
  const { latex, displayMode } = JSON.parse(line);
  let answer;
  try {
    // A mistake in a formula is an error of the build, not red text on the page.
    answer = {
      html: katex.renderToString(latex, { displayMode, throwOnError: true, strict: "error" }),
    };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
