// The panel beside the page shows one tool at a time. Its button opens and closes it; Escape closes it too.

import { h, reconcile } from "./dom.js";

let open = null;

// Draws the buttons of `tools` ({key, label, count(), view(page)}) and the `view` ({node, update}) of the open one.
export function drawPanel(page, tools) {
  const [buttons, panel] = [document.getElementById("tools"), document.getElementById("panel")];
  if (open && !tools.includes(open.tool)) open = null;
  reconcile(buttons, tools.map((tool) => toolButton(page, tools, tool)));
  panel.hidden = open === null;
  document.body.classList.toggle("with-panel", open !== null);
  if (!open) return;
  if (panel.firstChild !== open.node) {
    panel.setAttribute("aria-label", open.tool.label);
    panel.onkeydown = ({ key }) => key === "Escape" && close(page, tools);
    panel.replaceChildren(open.node);
    panel.focus({ preventScroll: true });
  }
  open.update();
}

export const isOpen = (key) => open?.tool.key === key;

function toolButton(page, tools, tool) {
  const [expanded, count] = [open?.tool === tool, tool.count()];
  const toggle = () => (expanded ? close(page, tools) : show(page, tools, tool));
  const make = () =>
    h(
      "button",
      {
        type: "button",
        class: "tool",
        "aria-expanded": String(expanded),
        "aria-controls": "panel",
        "data-control": tool.key,
        onclick: toggle,
      },
      tool.label,
      count > 0 && h("b", { class: "count" }, String(count), h("span", { class: "unseen" }, " on")),
    );
  return { key: tool.key, signature: JSON.stringify([expanded, count, tool.label]), make };
}

function show(page, tools, tool) {
  const view = tool.view(page);
  const head = h(
    "header",
    { class: "title" },
    h("h2", null, tool.label),
    h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => close(page, tools) }, "✕"),
  );
  open = { tool, node: h("div", null, head, view.node), update: view.update };
  drawPanel(page, tools);
}

function close(page, tools) {
  const { key } = open.tool;
  open = null;
  drawPanel(page, tools);
  document.querySelector(`#tools [data-control="${key}"]`)?.focus();
}
