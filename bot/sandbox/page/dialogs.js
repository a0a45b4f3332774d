// Dialogs: the modals that an app opened for a person, and confirm dialogs.

import { entries, renderBlocks, showErrors } from "./blocks.js";
import { h, keepFocus, spinner } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { act } from "./sandbox.js";

// Asks the confirm question of a button, as Slack does. Resolves to whether the person agreed.
export function confirmed(confirm, names) {
  const giveBack = keepFocus();
  return new Promise((resolve) => {
    const answer = (agreed) => {
      dialog.close();
      dialog.remove();
      giveBack();
      resolve(agreed);
    };
    const said = confirm.text.type === "mrkdwn" ? mrkdwn(confirm.text.text, names) : confirm.text.text;
    const dialog = h(
      "dialog",
      { class: "confirm", "aria-labelledby": "confirm-title", oncancel: () => answer(false) },
      h("h2", { id: "confirm-title" }, confirm.title.text),
      h("p", null, said),
      h(
        "footer",
        null,
        h("button", { type: "button", class: "button", onclick: () => answer(false) }, confirm.deny.text),
        h(
          "button",
          {
            type: "button",
            class: `button ${confirm.style === "danger" ? "danger" : "primary"}`,
            autofocus: true,
            onclick: () => answer(true),
          },
          confirm.confirm.text,
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

let shown = null;

// Shows the person's topmost modal. What they typed stays while the inputs stay the same.
export function showModal(page) {
  const open = page.workspace.views.filter(({ user, view }) => user === page.me && view.type === "modal");
  const top = open.at(-1);
  const key = top ? JSON.stringify([top.view.id, top.view.hash, page.me]) : null;
  if (shown && shown.key !== key) {
    const kept = shown.viewId === top?.view.id ? entries(shown.dialog, shown.blocks) : null;
    const { giveBack } = shown;
    shown.dialog.close();
    shown.dialog.remove();
    shown = top ? { ...build(page, top.view, key, kept), giveBack } : null;
    if (!top) giveBack();
  } else if (!shown && top) {
    const giveBack = keepFocus();
    shown = { ...build(page, top.view, key, null), giveBack };
  }
  if (shown) update(page, top);
}

function build(page, view, key, kept) {
  const dialog = h("dialog", { class: "modal", "aria-labelledby": "modal-title" });
  const close = (all) => page.trouble.during(view.id, "close", act("close_view", { ...place(page, view), ...all }));
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close({});
  });
  dialog.append(
    h(
      "form",
      { novalidate: true, onsubmit: (event) => submit(event, page, view) },
      h(
        "header",
        null,
        h("h2", { id: "modal-title" }, view.title.text),
        h(
          "button",
          { type: "button", class: "quiet", "aria-label": "Close", onclick: () => close({ all_of_them: true }) },
          "✕",
        ),
      ),
      h("div", { class: "blocks", tabindex: "-1" }, renderBlocks(view.blocks, viewSurface(page, view, kept))),
      h("p", { class: "problem", role: "alert" }),
      h(
        "footer",
        null,
        h("button", { type: "button", class: "button", onclick: () => close({}) }, view.close?.text ?? "Cancel"),
        view.submit && h("button", { type: "submit", class: "button primary" }, view.submit.text),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  if (!dialog.querySelector("[autofocus]")) dialog.querySelector("[data-block]")?.focus();
  return { dialog, key, viewId: view.id, blocks: view.blocks };
}

// The surface of a modal or Home tab; `kept` is what the inputs contained before.
export function viewSurface(page, view, kept = null) {
  return {
    names: page.names,
    entered: kept,
    state: ({ action_id: action }) => page.trouble.isBusy(view.id, action) && "busy",
    press: async (element, option) => {
      if (element.confirm && !(await confirmed(element.confirm, page.names))) return;
      const args = { ...place(page, view), action_id: element.action_id };
      if (option !== undefined) args.option = option;
      await page.trouble.during(view.id, element.action_id, act("click_in_view", args));
    },
  };
}

async function submit(event, page, view) {
  event.preventDefault();
  if (page.trouble.isBusy(view.id, "submit")) return;
  const values = {};
  for (const [block, entered] of Object.entries(entries(event.target, view.blocks))) {
    values[block] = Object.values(entered)[0] || null;
  }
  await page.trouble.during(view.id, "submit", act("submit_view", { ...place(page, view), values }));
  shown?.dialog.querySelector('[aria-invalid="true"]')?.focus();
}

// Shows errors and progress, and leaves what was typed.
function update(page, { view, errors, trouble }) {
  const { dialog } = shown;
  showErrors(dialog, errors);
  const problem = dialog.querySelector(".problem");
  const text = trouble ?? (Object.keys(errors).length ? "" : (page.trouble.problem(view.id) ?? ""));
  if (problem.textContent !== text) problem.textContent = text;
  const send = dialog.querySelector('[type="submit"]');
  const busy = page.trouble.isBusy(view.id, "submit");
  send?.setAttribute("aria-busy", String(busy));
  if (send && busy && !send.querySelector(".spinner")) send.append(spinner());
  if (!busy) send?.querySelector(".spinner")?.remove();
}

const place = (page, view) => ({ user: page.me, view_id: view.id });
