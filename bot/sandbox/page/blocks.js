// Block Kit as nodes. Each known block and element has its function here; the page marks any other as unsupported.
//
// A surface says where blocks are shown: { names, press(element, option), state(element), entered }. `press` is what a
// click does, `state` is "busy" or nothing, and `entered` holds the initial values of a form's inputs.

import { append, followable, h, link, spinner } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";

const BLOCKS = {
  actions: (block, surface) =>
    h("div", { class: "b-actions" }, block.elements.map((each) => element(block, each, surface))),
  context: (block, surface) =>
    h("div", { class: "b-context" }, block.elements.map((each) => h("span", null, text(each, surface)))),
  divider: () => h("hr", { class: "b-divider" }),
  header: (block, surface) => h("h3", { class: "b-header" }, text(block.text, surface)),
  input,
  rich_text: (block) => h("div", { class: "b-rich" }, block.elements.map((each) => pick("element", RICH, each))),
  section,
};

const ELEMENTS = {
  button,
  plain_text_input: plainTextInput,
  static_select: staticSelect,
};

const RICH = {
  rich_text_preformatted: ({ elements }) =>
    h("pre", { role: "group", "aria-label": "Code" }, elements.map((each) => pick("element", LEAVES, each))),
};

const LEAVES = {
  text: (leaf) => document.createTextNode(leaf.text),
};

const TEXTS = {
  mrkdwn: (object, surface) => mrkdwn(object.text, surface.names, object.verbatim),
  plain_text: (object) => [object.emoji === false ? object.text : withEmoji(object.text)],
};

export function renderBlocks(blocks, surface) {
  return blocks.map((block) => pick("block", BLOCKS, block, surface));
}

function pick(what, table, node, ...more) {
  return Object.hasOwn(table, node.type) ? table[node.type](node, ...more) : unsupported(what, node);
}

const text = (object, surface) => pick("element", TEXTS, object, surface);

function element(block, node, surface) {
  return Object.hasOwn(ELEMENTS, node.type) ? ELEMENTS[node.type](block, node, surface) : unsupported("element", node);
}

function unsupported(what, node) {
  return h("div", { class: "b-unsupported", role: "note" }, `unsupported ${what}: ${node.type}`);
}

function section(block, surface) {
  return h(
    "div",
    { class: "b-section" },
    h(
      "div",
      { class: "b-said" },
      block.text && h("p", null, text(block.text, surface)),
      block.fields && h("div", { class: "b-fields" }, block.fields.map((each) => h("p", null, text(each, surface)))),
    ),
    block.accessory && h("div", { class: "b-accessory" }, element(block, block.accessory, surface)),
  );
}

function button(block, node, surface) {
  const busy = surface.state(node) === "busy";
  const attributes = {
    class: `button ${node.style ?? ""}`,
    "data-control": node.action_id,
    "aria-label": node.accessibility_label,
    "aria-busy": busy ? "true" : null,
    onclick: () => busy || surface.press(node),
  };
  const label = [text(node.text, surface), busy && spinner()];
  if (node.url && followable(node.url)) return link(node.url, label, attributes);
  return h("button", { type: "button", ...attributes }, label);
}

function staticSelect(block, node, surface) {
  const began = surface.entered?.[block.block_id]?.[node.action_id] ?? node.initial_option?.value ?? "";
  const choice = (option) =>
    h("option", { value: option.value, selected: option.value === began }, text(option.text, surface));
  const groups = node.option_groups ?? [];
  return h(
    "select",
    {
      class: "field",
      "data-control": node.action_id,
      "data-block": block.block_id,
      "aria-label": block.type === "input" ? null : node.placeholder?.text,
      onchange: (event) => block.type === "input" || surface.press(node, event.target.value),
    },
    h("option", { value: "", selected: began === "" }, node.placeholder?.text ?? "Choose one"),
    (node.options ?? []).map(choice),
    groups.map((group) => h("optgroup", { label: group.label.text }, group.options.map(choice))),
  );
}

function plainTextInput(block, node, surface) {
  const began = surface.entered?.[block.block_id]?.[node.action_id] ?? node.initial_value ?? "";
  const field = h(node.multiline ? "textarea" : "input", {
    class: "field",
    rows: node.multiline ? "5" : null,
    "data-control": node.action_id,
    "data-block": block.block_id,
    placeholder: node.placeholder?.text,
    autofocus: node.focus_on_load,
  });
  field.value = began;
  return field;
}

function input(block, surface) {
  const field = element(block, block.element, surface);
  const [hint, error] = [`${block.block_id}-hint`, `${block.block_id}-error`];
  field.id = `${block.block_id}-field`;
  field.setAttribute("aria-describedby", `${error} ${hint}`);
  return h(
    "div",
    { class: "b-input" },
    h("label", { for: field.id }, text(block.label, surface), block.optional && h("span", null, " (optional)")),
    field,
    h("p", { class: "b-error", id: error }),
    block.hint && h("p", { class: "b-hint", id: hint }, text(block.hint, surface)),
  );
}

// Shows each message of `errors` (by block_id) under its input and removes the old ones.
export function showErrors(form, errors) {
  for (const field of form.querySelectorAll("[data-block]")) {
    const message = errors[field.dataset.block];
    const place = field.parentElement.querySelector(".b-error");
    if (place.textContent !== (message ?? "")) {
      place.replaceChildren();
      append(place, [message]);
    }
    if (message) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}

// The values of a form's inputs: {block_id: {action_id: text}}.
export function entries(form, blocks) {
  const found = {};
  for (const block of blocks.filter(({ type }) => type === "input")) {
    const field = [...form.querySelectorAll("[data-block]")].find((each) => each.dataset.block === block.block_id);
    if (field) found[block.block_id] = { [block.element.action_id]: field.value };
  }
  return found;
}
