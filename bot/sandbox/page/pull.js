// A pull request as its maintainer sees it: state, branch, body, checks, comments and a coloured diff.

import { h, reconcile } from "./dom.js";
import { markdown } from "./markdown.js";
import { decidePull, loadPull } from "./sandbox.js";
import { day } from "./time.js";

const READ_EVERY = 5_000;

export function stateMark({ state }) {
  return h("span", { class: `state ${state}` }, state);
}

export function pullView(page) {
  const node = h("div", { class: "pull" }, h("p", { class: "empty" }, "Loading…"));
  let summary = null;
  let problem = "";

  async function read() {
    const pull = await loadPull(summary).catch(() => null);
    if (pull) reconcile(node, parts(pull, decide, problem));
  }

  function update(pull) {
    const changed = JSON.stringify(pull) !== JSON.stringify(summary);
    summary = pull;
    if (changed) read();
  }

  async function decide(pull, how) {
    problem = (await decidePull(pull, how)) ?? "";
    await read();
    page.refresh();
  }

  // GitHub sends no change events, so an open view polls.
  const timer = setInterval(() => (node.isConnected ? read() : clearInterval(timer)), READ_EVERY);
  return { node, update };
}

function parts(pull, decide, problem) {
  const part = (key, value, make) => ({ key, signature: JSON.stringify(value), make });
  const { diff, body, comments, ...summary } = pull;
  return [
    part("top", [summary, problem], () => top(pull, decide, problem)),
    part("body", body, () => h("section", { class: "markdown", "aria-label": "Description" }, markdown(body ?? ""))),
    part("comments", comments, () => h("section", null, comments.map(comment))),
    part("diff", diff, () => h("section", { "aria-label": "Changes" }, h("h3", null, "Changes"), files(diff))),
  ];
}

function top(pull, decide, problem) {
  const checks = Object.entries({ ...pull.statuses, ...pull.checks });
  const open = pull.state === "open";
  const offer = (how, label, kind) =>
    h("button", { type: "button", class: `button ${kind}`, "data-control": how, onclick: () => decide(pull, how) }, label);
  return h(
    "header",
    { class: "pull-top" },
    h("p", { class: "pull-where" }, pull.repository),
    h("h2", null, pull.title, h("span", null, ` #${pull.number}`)),
    h(
      "p",
      { class: "pull-about" },
      stateMark(pull),
      [" ", h("b", null, pull.author), " wants to merge ", h("code", null, pull.branch), " into "],
      [h("code", null, pull.base), ", opened ", day(new Date(pull.created_at))],
    ),
    h(
      "p",
      { class: "labels" },
      pull.labels.map((label) => h("span", { class: "label" }, label)),
      pull.reviewers.map((reviewer) => h("span", { class: "label" }, `review: ${reviewer}`)),
      checks.map(([check, state]) => h("span", { class: `label check-${state}` }, `${check}: ${state}`)),
    ),
    open && h("p", { class: "b-actions" }, offer("merge", "Merge as maintainer", "primary"), offer("close", "Close", "")),
    problem && h("p", { class: "problem", role: "alert" }, problem),
  );
}

function comment({ author, body }) {
  return h("article", { class: "comment" }, h("h3", null, author), h("div", { class: "markdown" }, markdown(body)));
}

// A unified diff, file by file. Each line keeps its sign, so that colour is never the only mark.
function files(diff) {
  return diff
    .split(/^(?=diff --git )/m)
    .filter(Boolean)
    .map((text) => {
      const lines = text.replace(/\n$/, "").split("\n");
      const start = lines.findIndex((line) => line.startsWith("@@"));
      const head = lines.slice(0, start < 0 ? lines.length : start);
      const path = /^diff --git a\/.* b\/(.*)$/.exec(lines[0])?.[1] ?? "";
      const changed = start < 0 ? [] : lines.slice(start);
      const count = (sign) => changed.filter((line) => line[0] === sign).length;
      return h(
        "details",
        { class: "file", open: true },
        h("summary", null, h("code", null, path), h("span", null, `+${count("+")} −${count("-")}`)),
        h("pre", { tabindex: "0", role: "group", "aria-label": `Changes of ${path}` }, changedLines(changed, head)),
      );
    });
}

const KINDS = { "+": "added", "-": "removed", "@": "hunk", "\\": "note" };

function changedLines(changed, head) {
  const noted = head.slice(1).filter((line) => !/^(index|---|\+\+\+) /.test(line));
  return [
    ...noted.map((line) => h("span", { class: "note" }, `${line}\n`)),
    ...changed.map((line) => h("span", { class: KINDS[line[0]] ?? null }, `${line}\n`)),
  ];
}
