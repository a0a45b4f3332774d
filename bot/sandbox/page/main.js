// The page: who you are, what you look at, and one copy of the stand-ins' state, loaded again after each change.

import { avatar, channelView, newerThan } from "./channel.js";
import { showModal } from "./dialogs.js";
import { h, reconcile } from "./dom.js";
import { countOn, faultsView } from "./faults.js";
import { homeView } from "./home.js";
import { drawPanel, isOpen } from "./panel.js";
import { pullView, stateMark } from "./pull.js";
import { listen, loadPulls, loadSubmitForm, loadWorkspace, pullAt } from "./sandbox.js";
import { submitView } from "./submit.js";

const $ = (id) => document.getElementById(id);
const PULLS_PAUSE = 1_000;

const page = {
  workspace: null,
  pulls: [],
  me: null,
  openThreads: new Set(),
  dismissed: new Set(),
  names: {
    user: (id) => page.workspace.users.find((user) => user.id === id)?.name,
    group: (id) => page.workspace.groups.find((group) => group.id === id)?.handle,
    channel: (id) => page.workspace.channels.find((channel) => channel.id === id)?.name,
    isMe: (id) => id === page.me,
  },
  seen: (channel) => sessionStorage.getItem(`seen/${page.me}/${channel}`) ?? "",
  see: (channel, ts) => document.hidden || sessionStorage.setItem(`seen/${page.me}/${channel}`, ts),
  hear: (text) => {
    $("heard").textContent = text;
  },
  draw,
  drawSide,
  refresh,
};

// What is running and what failed, by place (a message's ts, a view's id) and control.
page.trouble = {
  busy: new Set(),
  problems: new Map(),
  isBusy: (where, what) => page.trouble.busy.has(`${where} ${what}`),
  problem: (where) => page.trouble.problems.get(where),
  of: (where) => [[...page.trouble.busy].filter((each) => each.startsWith(`${where} `)), page.trouble.problem(where)],
  during: async (where, what, doing) => {
    page.trouble.busy.add(`${where} ${what}`);
    page.trouble.problems.delete(where);
    draw();
    const problem = await doing;
    page.trouble.busy.delete(`${where} ${what}`);
    if (problem) page.trouble.problems.set(where, problem);
    await refresh();
    draw();
  },
};

// -- the address: #as=alice&channel=general, #as=alice&home=app or #as=alice&pull=3&repository=owner/name --------

let view = null;
let shown = {};

const address = (where) => `#${new URLSearchParams({ as: name(page.me), ...where })}`;
const name = (id) => page.names.user(id) ?? id;
const people = () => page.workspace.users.filter((user) => !user.is_bot);
const channels = () =>
  page.workspace.channels.filter((channel) => !channel.is_private || channel.members.includes(page.me));

function place() {
  const asked = new URLSearchParams(location.hash.slice(1));
  page.me = (people().find((user) => user.name === asked.get("as")) ?? people()[0])?.id;
  const pull = page.pulls.find(
    (each) => String(each.number) === asked.get("pull") && each.repository === asked.get("repository"),
  );
  if (pull) return { pull };
  if (asked.has("home")) return { home: true };
  return { channel: channels().find((channel) => channel.name === asked.get("channel")) ?? channels()[0] };
}

// -- drawing ------------------------------------------------------------------------------------------------------

function draw() {
  if (!page.workspace) return;
  const { pull, home, channel } = place();
  const wanted = { me: page.me, where: pull?.url ?? (home ? "home" : channel?.id) };
  if (wanted.me !== shown.me || wanted.where !== shown.where) {
    // Another person looks at the same place: keep the scroll position.
    const position = wanted.where === shown.where ? view.position?.() : undefined;
    shown = wanted;
    view = makeView({ pull, home, channel }, position);
    $("main").replaceChildren(view.node);
  }
  view.update(pull);
  drawSide();
  showModal(page);
  const where = pull ? pull.title : home ? "Home" : channel ? `#${channel.name}` : "";
  document.title = `${where} · ${page.workspace.team.name}`;
}

function makeView({ pull, home, channel }, position) {
  if (pull) return pullView(page);
  if (home) return homeView(page);
  return channel ? channelView(page, channel.id, position) : nothing();
}

const nothing = () => ({ node: h("p", { class: "empty" }, "No channel to show."), update: () => {} });

function drawSide() {
  const here = place();
  $("workspace").textContent = page.workspace.team.name;
  reconcile($("people"), people().map((user) => person(user)));
  reconcile($("channels"), channels().map((channel) => channelItem(channel, channel === here.channel)));
  reconcile($("apps"), [appItem(here.home)]);
  $("pulls-nav").hidden = page.pulls.length === 0;
  reconcile($("pulls"), page.pulls.map((pull) => pullItem(pull, pull === here.pull)));
  drawPanel(page, tools);
}

function person(user) {
  const about = standing(user);
  const chosen = user.id === page.me;
  const go = () => {
    const { pull, home, channel } = place();
    page.me = user.id;
    if (pull) location.hash = address({ pull: pull.number, repository: pull.repository });
    else location.hash = address(home ? { home: "app" } : { channel: channel?.name ?? "" });
  };
  const make = () =>
    h(
      "label",
      { class: "person" },
      h("input", { type: "radio", name: "me", checked: chosen, "data-control": "me", onchange: go }),
      avatar(user),
      h("span", null, user.name),
      h("small", null, about),
    );
  return { key: user.id, signature: JSON.stringify([user.name, about, chosen]), make };
}

// What the workspace knows about a user that matters to an app.
function standing(user) {
  return marks(user).join(" ") || "no group";
}

function marks(user) {
  const groups = page.workspace.groups.filter(({ members, disabled }) => !disabled && members.includes(user.id));
  return [
    user.deleted && "deactivated",
    user.is_stranger && "other workspace",
    (user.is_restricted || user.is_ultra_restricted) && "guest",
    ...groups.map(({ handle }) => `@${handle}`),
  ].filter(Boolean);
}

function channelItem(channel, here) {
  const unread = here ? 0 : newerThan(page, channel, page.seen(channel.id)).length;
  const target = address({ channel: channel.name });
  const make = () =>
    h(
      "li",
      null,
      h(
        "a",
        { href: target, "aria-current": here ? "page" : null, class: unread ? "unread" : null, "data-control": "go" },
        h("span", null, `# ${channel.name}`),
        unread > 0 && h("b", { class: "count" }, String(unread), h("span", { class: "unseen" }, " unread")),
      ),
    );
  return { key: channel.id, signature: JSON.stringify([target, here, unread]), make };
}

function appItem(here) {
  const app = page.workspace.users.find(({ id }) => id === page.workspace.bot);
  const target = address({ home: "app" });
  const make = () =>
    h(
      "li",
      null,
      h(
        "a",
        { href: target, "aria-current": here ? "page" : null, "data-control": "go" },
        avatar(app),
        h("span", null, app.real_name ?? app.name),
      ),
    );
  return { key: app.id, signature: JSON.stringify([target, here]), make };
}

function pullItem(pull, here) {
  const target = address({ pull: pull.number, repository: pull.repository });
  const make = () =>
    h(
      "li",
      null,
      h(
        "a",
        { href: target, "aria-current": here ? "page" : null, title: pull.title, "data-control": "go" },
        stateMark(pull),
        h("span", null, `#${pull.number} ${pull.title}`),
      ),
    );
  return { key: pull.url, signature: JSON.stringify([target, here, pull.title, pull.state]), make };
}

// -- loading again ------------------------------------------------------------------------------------------------

// Returns a function that runs `work` once at a time, `pause` ms apart. Calls during a run cause one more run.
function coalesced(work, pause) {
  let running = null;
  let again = false;
  return function run() {
    if (running) again = true;
    running ??= (async () => {
      await work();
      if (pause) await new Promise((resume) => setTimeout(resume, pause));
      running = null;
      if (again) {
        again = false;
        run();
      }
    })();
    return running;
  };
}

const readWorkspace = coalesced(async () => {
  const loaded = await loadWorkspace().catch(() => null);
  if (loaded) page.workspace = loaded;
  else linked(false);
  draw();
}, 0);

const readPulls = coalesced(async () => {
  page.pulls = await loadPulls().catch(() => page.pulls);
  draw();
}, PULLS_PAUSE);

function refresh() {
  readPulls();
  return readWorkspace();
}

function linked(on) {
  $("link").textContent = on ? "live" : "reconnecting";
  $("link").classList.toggle("lost", !on);
}

document.querySelector(".skip").addEventListener("click", (event) => {
  // The address holds the person and the place, so it must not change.
  event.preventDefault();
  $("main").focus();
});

// A link to a pull request of this sandbox stays on this page.
document.addEventListener("click", async (event) => {
  const target = event.target.closest?.("a[href]");
  const pull = target && pullAt(target.href);
  if (!pull || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  // It may be newer than the list that was loaded last.
  page.pulls = await loadPulls().catch(() => page.pulls);
  location.hash = address({ pull: pull.number, repository: pull.repository });
});

// -- tools ----------------------------------------------------------------------------------------------------------

const [workspace, pulls, form] = await Promise.all([
  loadWorkspace().catch(() => null),
  loadPulls().catch(() => []),
  loadSubmitForm().catch(() => ({ title: null })),
]);
const tools = [
  ...(form.title ? [{ key: "submit", label: form.title, count: () => 0, view: () => submitView(form, page) }] : []),
  { key: "faults", label: "Faults", count: () => countOn(page), view: () => faultsView(page) },
];

page.workspace = workspace;
page.pulls = pulls;
draw();
// Marks when the first messages are on the screen, for measurements.
requestAnimationFrame(() => setTimeout(() => performance.mark("drawn")));
addEventListener("hashchange", draw);
// A call alone changes only the list of calls.
listen((what) => (what === "call" && !isOpen("faults")) || refresh(), linked, workspace?.revision);
