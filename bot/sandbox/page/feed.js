// Hands something to the app: a sample, edited or not, or any file.

import { append, h, spinner } from "./dom.js";
import { push } from "./sandbox.js";

export function feedView({ title, hint, samples }, page) {
  let file = null;
  const choice = h("select", { class: "field", id: "sample", onchange: () => take(null) });
  const text = h("textarea", { class: "field code", rows: "14", spellcheck: "false", "aria-label": "What is pushed" });
  const picker = h("input", { type: "file", id: "file", class: "unseen", onchange: () => take(picker.files[0]) });
  const name = h("span", null, "Drop a file here, or choose one");
  const drop = h("label", { class: "drop", for: "file" }, name, h("small", null, hint));
  const send = h("button", { type: "submit", class: "button primary" }, title);
  const told = h("div", { class: "told", role: "status" });

  // What is pushed is one thing: the file that was chosen last, or the text.
  function take(chosen) {
    file = chosen ?? null;
    if (!file) text.value = samples.find((sample) => sample.name === choice.value)?.text ?? "";
    text.hidden = file !== null;
    name.textContent = file ? `${file.name}, ${Math.ceil(file.size / 1024).toLocaleString("en-US")} KiB` : "Drop a file here, or choose one";
    drop.classList.toggle("chosen", file !== null);
    told.replaceChildren();
  }

  function over(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    drop.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files[0]);
  }

  async function submit(event) {
    event.preventDefault();
    if (send.disabled) return;
    send.disabled = true;
    send.append(spinner());
    const { ok, lines } = await push(file ?? text.value);
    send.replaceChildren(title);
    send.disabled = false;
    told.className = ok ? "told" : "told problem";
    told.replaceChildren();
    append(told, [h("p", null, ok ? lines[0] : "Nothing was taken."), h("ol", null, lines.slice(ok ? 1 : 0).map((line) => h("li", null, line)))]);
    page.refresh();
  }

  choice.append(...samples.map((sample) => h("option", { value: sample.name }, sample.name.replace(/\.json$/, ""))));
  take(null);
  const node = h(
    "form",
    { class: "feed", onsubmit: submit, ondragover: over, ondragleave: over, ondrop: over },
    h("label", { for: "sample" }, "Sample"),
    choice,
    text,
    picker,
    drop,
    send,
    told,
  );
  return { node, update: () => {} };
}
