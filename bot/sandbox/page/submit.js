// The form that submits a sample, edited or not, or any file to the app.

import { append, h, spinner } from "./dom.js";
import { submit as send } from "./sandbox.js";

const NO_FILE = "Drop a file here, or choose one";

export function submitView({ title, hint, samples }, page) {
  let file = null;
  const sample = h("select", { class: "field", id: "sample", onchange: () => choose(null) });
  const text = h("textarea", { class: "field code", rows: "14", spellcheck: "false", "aria-label": "What to submit" });
  const picker = h("input", { type: "file", id: "file", class: "unseen", onchange: () => choose(picker.files[0]) });
  const name = h("span", null, NO_FILE);
  const drop = h("label", { class: "drop", for: "file" }, name, h("small", null, hint));
  const button = h("button", { type: "submit", class: "button primary" }, title);
  const result = h("div", { class: "result", role: "status" });

  // One thing is submitted: the file chosen last, or the text.
  function choose(chosen) {
    file = chosen ?? null;
    if (!file) text.value = samples.find((each) => each.name === sample.value)?.text ?? "";
    text.hidden = file !== null;
    name.textContent = file ? `${file.name}, ${Math.ceil(file.size / 1024).toLocaleString("en-US")} KiB` : NO_FILE;
    drop.classList.toggle("chosen", file !== null);
    result.replaceChildren();
  }

  function over(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    drop.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") choose(event.dataTransfer.files[0]);
  }

  async function submit(event) {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    button.append(spinner());
    const { ok, lines } = await send(file ?? text.value);
    button.replaceChildren(title);
    button.disabled = false;
    result.className = ok ? "result" : "result problem";
    result.replaceChildren();
    const [first, rest] = ok ? [lines[0], lines.slice(1)] : ["Nothing was stored.", lines];
    append(result, [h("p", null, first), h("ol", null, rest.map((line) => h("li", null, line)))]);
    page.refresh();
  }

  sample.append(...samples.map((each) => h("option", { value: each.name }, each.name.replace(/\.json$/, ""))));
  choose(null);
  const node = h(
    "form",
    { class: "submit", onsubmit: submit, ondragover: over, ondragleave: over, ondrop: over },
    h("label", { for: "sample" }, "Sample"),
    sample,
    text,
    picker,
    drop,
    button,
    result,
  );
  return { node, update: () => {} };
}
