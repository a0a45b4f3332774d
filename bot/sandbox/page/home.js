// The app's Home tab: opening it sends the event, then it shows what the app publishes for this person.

import { renderBlocks } from "./blocks.js";
import { avatar } from "./channel.js";
import { viewSurface } from "./dialogs.js";
import { h, reconcile } from "./dom.js";
import { act } from "./sandbox.js";

export function homeView(page) {
  const app = page.workspace.users.find(({ id }) => id === page.workspace.bot);
  const list = h("div", { class: "home" });
  const title = h("header", { class: "title" }, avatar(app), h("h2", null, app.real_name ?? app.name), h("p", null, "Home"));
  const scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Home" }, list);
  let asked = false;

  function update() {
    if (!asked) {
      asked = true;
      page.trouble.during("home", "open", act("open_home", { user: page.me }));
    }
    const published = page.workspace.views.find(({ user, view }) => user === page.me && view.type === "home")?.view;
    const problem = page.trouble.problem("home") ?? (published && page.trouble.problem(published.id));
    const waits = page.trouble.isBusy("home", "open");
    const parts = [];
    if (problem) parts.push(part("problem", problem, () => h("p", { class: "problem", role: "alert" }, problem)));
    if (published) {
      const signature = [published.hash, page.trouble.of(published.id)];
      const make = () => h("div", { class: "blocks" }, renderBlocks(published.blocks, viewSurface(page, published)));
      parts.push(part("blocks", signature, make));
    } else {
      const said = waits ? "Waiting for the app…" : "The app has not published a Home tab for you.";
      parts.push(part("nothing", said, () => h("p", { class: "empty" }, said)));
    }
    reconcile(list, parts);
  }

  return { node: h("div", { class: "channel" }, title, scroller), update };
}

const part = (key, value, make) => ({ key, signature: JSON.stringify(value), make });
