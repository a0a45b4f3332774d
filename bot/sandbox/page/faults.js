// Switches that inject faults, and the app's latest calls, which show it fail and recover.

import { h, reconcile } from "./dom.js";
import { act, hasGitHub, loadGitHubFaults, setGitHubFaults } from "./sandbox.js";
import { clockSeconds } from "./time.js";

const SLACK = {
  ratelimited: "Answers 429 Too Many Requests",
  http503: "Answers 503 Service Unavailable",
  drop_after: "Does the work, then drops the connection",
};
const GITHUB = { "502_after": "Does the work, then answers 502" };
const CALLS = 30;
const READ_EVERY = 1_500;

let atGitHub = [];

const slackFault = (page, kind) => page.workspace.faults.find((fault) => fault.kind === kind && fault.times === null);
const gitHubFault = (kind) => atGitHub.find((each) => each.kind === kind && each.times === null);

// How many switches are on.
export function countOn(page) {
  const archived = page.workspace.channels.filter((channel) => channel.is_archived);
  return Object.keys(SLACK).filter((kind) => slackFault(page, kind)).length
    + Object.keys(GITHUB).filter(gitHubFault).length + archived.length;
}

export function faultsView(page) {
  const groups = h("div", { class: "faults" });
  const update = () => reconcile(groups, parts(page));
  async function read() {
    atGitHub = await loadGitHubFaults().catch(() => atGitHub);
    page.drawSide();
  }
  read();
  // GitHub sends no change events, so an open panel polls.
  const timer = setInterval(() => (groups.isConnected ? read() : clearInterval(timer)), READ_EVERY);
  return { node: groups, update };
}

function parts(page) {
  const { workspace, trouble } = page;
  const found = [];
  for (const [kind, label] of Object.entries(SLACK)) {
    const fault = slackFault(page, kind);
    const turn = (on) =>
      on ? act("fail", { method: "*", kind, times: null, retry_after: 1 }) : act("clear_faults", { kind });
    found.push(turnable(page, "Slack", kind, label, Boolean(fault), fault?.hits, turn));
  }
  for (const [kind, label] of hasGitHub() ? Object.entries(GITHUB) : []) {
    const fault = gitHubFault(kind);
    const turn = async (on) => {
      const problem = await setGitHubFaults(on ? [kind] : []);
      atGitHub = await loadGitHubFaults().catch(() => atGitHub);
      return problem;
    };
    found.push(turnable(page, "GitHub", kind, label, Boolean(fault), fault?.hits, turn));
  }
  for (const channel of workspace.channels) {
    const turn = (archived) => act("archive", { channel: channel.id, archived });
    found.push(turnable(page, "Channels", channel.id, `#${channel.name} is archived`, channel.is_archived, 0, turn));
  }
  const problem = trouble.problem("faults");
  return [
    ...grouped(found),
    messages(page),
    { key: "problem", signature: problem ?? "", make: () => h("p", { class: "problem", role: "alert" }, problem) },
    calls(workspace.calls),
  ];
}

function turnable(page, group, kind, label, on, hits, turn) {
  const busy = page.trouble.isBusy("faults", kind);
  return { group, kind, label, on, hits: hits ?? 0, busy, turn: () => page.trouble.during("faults", kind, turn(!on)) };
}

// One fieldset per group of switches, in order.
function grouped(switches) {
  return [...new Set(switches.map(({ group }) => group))].map((group) => {
    const inside = switches.filter((each) => each.group === group);
    const make = () => h("fieldset", null, h("legend", null, group), inside.map(switchNode));
    return { key: group, signature: JSON.stringify(inside), make };
  });
}

function switchNode({ kind, label, on, hits, busy, turn }) {
  return h(
    "label",
    { class: "switch" },
    h("input", {
      type: "checkbox",
      role: "switch",
      checked: on,
      disabled: busy,
      "aria-busy": busy ? "true" : null,
      "data-control": kind,
      onchange: turn,
    }),
    h("span", { class: "switch-label" }, label),
    on && hits > 0 && h("small", null, `${hits} ${hits === 1 ? "call" : "calls"} hit`),
  );
}

function messages(page) {
  const all = page.workspace.channels.map(({ id, name, messages: said }) => [id, name, said.slice(-CALLS).reverse()]);
  const shown = all.map(([id, name, said]) => [id, name, said.map(({ ts, text }) => [ts, text.slice(0, 70)])]);
  const make = () => {
    const choice = h(
      "select",
      { class: "field", "aria-label": "Message to delete", "data-control": "doomed" },
      shown.map(([id, name, said]) =>
        h(
          "optgroup",
          { label: `#${name}` },
          said.map(([ts, text]) => h("option", { value: `${id} ${ts}` }, text || "(no text)")),
        ),
      ),
    );
    const remove = () => {
      const [channel, ts] = choice.value.split(" ");
      if (ts) page.trouble.during("faults", "delete", act("delete_message", { channel, ts }));
    };
    const button = h("button", { type: "button", class: "button danger", "data-control": "delete", onclick: remove }, "Delete");
    return h("fieldset", null, h("legend", null, "Messages"), h("div", { class: "row" }, choice, button));
  };
  return { key: "messages", signature: JSON.stringify(shown), make };
}

function calls(made) {
  const latest = made.slice(-CALLS).reverse();
  const make = () =>
    h(
      "section",
      { class: "calls", "aria-label": "Latest calls to Slack" },
      h("h3", null, "Latest calls to Slack"),
      h("ol", null, latest.map(call)),
    );
  return { key: "calls", signature: JSON.stringify(latest.map(({ at, method }) => [at, method])), make };
}

function call({ at, method, status, error }) {
  return h(
    "li",
    { class: error ? "failed" : null },
    h("time", null, clockSeconds(new Date(at * 1000))),
    h("code", null, method),
    h("span", null, error ?? String(status)),
  );
}
