// One channel as one person sees it: messages with threads, their ephemeral messages, and a box to write in.

import { renderBlocks } from "./blocks.js";
import { confirmed } from "./dialogs.js";
import { h, reconcile, spinner } from "./dom.js";
import { escaped, mrkdwn } from "./mrkdwn.js";
import { act } from "./sandbox.js";
import { clock, day, full, moment } from "./time.js";

const NEAR = 120;

const topLevel = (messages) => messages.filter(({ ts, thread_ts }) => !thread_ts || thread_ts === ts);

// What a person sees in a channel, oldest first: the messages, and the ephemeral ones for this person.
export function shown(page, channel) {
  const whispers = page.workspace.ephemerals.filter(
    ({ reader, channel: where, ts }) => reader === page.me && where === channel.id && !page.dismissed.has(ts),
  );
  return [...channel.messages, ...whispers].sort((one, other) => (one.ts < other.ts ? -1 : 1));
}

export function newerThan(page, channel, ts) {
  return topLevel(shown(page, channel)).filter((message) => message.ts > ts && message.user !== page.me);
}

// `position` comes from another view of the channel; without it the view starts at the unread messages.
export function channelView(page, id, position) {
  const list = h("ol", { class: "messages" });
  const scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Messages" }, list);
  const toEnd = () => restore(list, scroller, END);
  const more = h("button", { type: "button", class: "more", hidden: true, onclick: toEnd });
  const title = h("header", { class: "title" });
  const node = h("div", { class: "channel" }, title, scroller, more, composer(page, id, toEnd));
  const line = page.seen(id);
  const near = nearby(scroller);
  let drawnBefore = null;

  const find = () => page.workspace.channels.find((channel) => channel.id === id);
  const nearEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;

  function update() {
    const channel = find();
    const all = shown(page, channel);
    const stays = nearEnd();
    heading(title, channel);
    reconcile(list, items(page, channel, all, line, near));
    const latest = topLevel(all).at(-1)?.ts ?? "";
    if (drawnBefore === null) requestAnimationFrame(settle);
    else announce(page, channel, drawnBefore, stays ? toEnd : null);
    if (stays || drawnBefore === null) page.see(id, latest);
    drawnBefore = latest;
    offer();
  }

  // Starts at the first unread message. A first visit starts at the top; with nothing unread it starts at the end.
  function settle() {
    const unread = [...list.children].some((each) => each.dataset.key === "unread");
    if (position) restore(list, scroller, position);
    else if (unread) restore(list, scroller, { key: "unread", offset: 0 });
    else if (line) toEnd();
  }

  // Shows how many messages arrived below the visible part.
  function offer() {
    const fresh = newerThan(page, find(), page.seen(id));
    const what = fresh.every(({ reader }) => reader) ? ["only for you"] : [];
    more.hidden = fresh.length === 0;
    more.textContent = `${[`${fresh.length} new ${fresh.length === 1 ? "message" : "messages"}`, ...what].join(", ")} ↓`;
  }

  scroller.addEventListener("scroll", () => {
    if (!nearEnd() || more.hidden) return;
    page.see(id, drawnBefore);
    offer();
    page.drawSide();
  });
  return { node, update, position: () => held(list, scroller) };
}

// Draws a message only when it comes near the screen, so that a channel with hundreds of messages opens quickly. Until
// then its place holds its plain text, for screen readers and the browser's search.
function nearby(scroller) {
  const fills = new WeakMap();
  const draw = (place) => {
    place.classList.remove("waiting");
    place.replaceChildren(fills.get(place)());
    observer.unobserve(place);
  };
  const observer = new IntersectionObserver(
    (seen) => seen.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => draw(target)),
    { root: scroller, rootMargin: "100% 0px" },
  );
  const item = (former, text, fill) => {
    if (former && !former.classList.contains("waiting")) return h("li", null, fill());
    const place = h("li", { class: "waiting" }, h("p", null, text));
    fills.set(place, fill);
    observer.observe(place);
    return place;
  };
  return { item };
}

// The message at the upper edge, and its offset; the heights differ between people.
function held(list, scroller) {
  const edge = scroller.getBoundingClientRect().top;
  const first = [...list.children].find((each) => each.getBoundingClientRect().bottom > edge);
  return first && { key: first.dataset.key, offset: first.getBoundingClientRect().top - edge };
}

const END = { key: null, offset: 0 };

const QUIET = 5;
const MOST_FRAMES = 60;

// Messages get their real heights only near the screen, which moves the others. So this scrolls again until nothing
// moves any more, or until the person scrolls.
function restore(list, scroller, { key, offset }) {
  const hands = new AbortController();
  for (const act of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(act, () => hands.abort(), { signal: hands.signal, passive: true });
  }
  let [quiet, frames] = [0, 0];
  const step = () => {
    if (hands.signal.aborted) return;
    const before = scroller.scrollTop;
    const first = [...list.children].find((each) => each.dataset.key === key);
    if (first) scroller.scrollTop += first.getBoundingClientRect().top - scroller.getBoundingClientRect().top - offset;
    else scroller.scrollTop = scroller.scrollHeight;
    quiet = Math.abs(scroller.scrollTop - before) < 1 ? quiet + 1 : 0;
    frames += 1;
    if (quiet < QUIET && frames < MOST_FRAMES) requestAnimationFrame(step);
    else hands.abort();
  };
  step();
}

function heading(title, channel) {
  const about = [`${channel.members.length} members`, channel.is_private && "private", channel.is_archived && "archived"];
  title.replaceChildren(h("h2", null, `# ${channel.name}`), h("p", null, about.filter(Boolean).join(" · ")));
}

function announce(page, channel, since, follow) {
  const fresh = newerThan(page, channel, since);
  if (fresh.length === 0) return;
  if (follow) follow();
  const text = h("p", null, mrkdwn(fresh.at(-1).text, page.names)).textContent;
  page.hear(`New message in ${channel.name}: ${text}`);
}

// All items of the list, as `reconcile` takes them.
function items(page, channel, all, line, near) {
  const found = [];
  let dayBefore = null;
  let lineDrawn = line === "";
  for (const message of topLevel(all)) {
    const today = day(moment(message.ts));
    if (today !== dayBefore) found.push(rule(`day-${today}`, "day-line", today));
    dayBefore = today;
    if (!lineDrawn && message.ts > line && message.user !== page.me) {
      found.push(rule("unread", "unread-line", "New"));
      lineDrawn = true;
    }
    const replies = all.filter((reply) => reply.thread_ts === message.ts && reply.ts !== message.ts);
    const open = page.openThreads.has(message.ts);
    const signature = JSON.stringify([message, replies, open, page.trouble.of(message.ts)]);
    const fill = () => messageNode(page, channel, message, replies);
    found.push({ key: message.ts, signature, make: (former) => near.item(former, message.text, fill) });
  }
  return found;
}

function rule(key, kind, text) {
  return { key, signature: text, make: () => h("li", { class: kind }, h("span", null, text)) };
}

function messageNode(page, channel, message, replies = []) {
  const author = page.workspace.users.find(({ id }) => id === message.user) ?? { name: message.user };
  const name = author.real_name ?? author.name;
  const at = moment(message.ts);
  const label = `author-${message.ts}`;
  const problem = page.trouble.problem(message.ts);
  return h(
    "article",
    { class: message.reader ? "message whisper" : "message", "aria-labelledby": label },
    avatar(author),
    h(
      "div",
      { class: "content" },
      message.reader && whisperNote(page, message),
      h(
        "header",
        { id: label },
        h("span", { class: "author" }, name),
        author.is_bot && h("span", { class: "tag" }, "app"),
        h("time", { datetime: at.toISOString(), title: full(at) }, clock(at)),
        message.edited && h("span", { class: "edited" }, "edited"),
      ),
      h("div", { class: "blocks" }, body(page, channel, message)),
      problem && h("p", { class: "problem", role: "alert" }, problem),
      replies.length > 0 && thread(page, channel, message, replies),
    ),
  );
}

function body(page, channel, message) {
  if (!message.blocks) return h("p", { class: "b-text" }, mrkdwn(message.text, page.names));
  return renderBlocks(message.blocks, {
    names: page.names,
    state: (element) => page.trouble.isBusy(message.ts, element.action_id) && "busy",
    press: (element, option) => press(page, channel, message, element, option),
  });
}

async function press(page, channel, message, element, option) {
  if (element.confirm && !(await confirmed(element.confirm, page.names))) return;
  const args = { user: page.me, channel: channel.id, ts: message.ts, action_id: element.action_id };
  if (element.text) args.text = element.text.text;
  if (option !== undefined) args.option = option;
  // The click is on what the screen shows, even if the message has changed since.
  const doing = act("click", { ...args, blocks: message.blocks });
  await page.trouble.during(message.ts, element.action_id, doing);
}

function thread(page, channel, message, replies) {
  const open = page.openThreads.has(message.ts);
  const last = moment(replies.at(-1).ts);
  const count = `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`;
  const toggle = () => {
    if (open) page.openThreads.delete(message.ts);
    else page.openThreads.add(message.ts);
    page.draw();
  };
  return h(
    "div",
    { class: "thread" },
    h(
      "button",
      { type: "button", class: "replies", "aria-expanded": String(open), "data-control": "thread", onclick: toggle },
      count,
      h("span", null, `last ${day(last)} at ${clock(last)}`),
    ),
    open && h("ol", null, replies.map((reply) => h("li", null, messageNode(page, channel, reply)))),
  );
}

function whisperNote(page, message) {
  const dismiss = () => {
    page.dismissed.add(message.ts);
    page.draw();
  };
  return h(
    "p",
    { class: "only-you" },
    "Only visible to you",
    h("button", { type: "button", class: "quiet", onclick: dismiss }, "Dismiss"),
  );
}

export function avatar({ name, is_bot: isBot }) {
  const hue = [...name].reduce((sum, letter) => (sum * 17 + letter.codePointAt(0)) % 1009, 2) % 12;
  const kind = isBot ? "avatar bot" : `avatar hue-${hue}`;
  return h("span", { class: kind, "aria-hidden": "true" }, name.slice(0, isBot ? 2 : 1).toUpperCase());
}

// After sending, `toEnd` scrolls to the message and its answer.
function composer(page, id, toEnd) {
  const field = h("input", { class: "field", name: "text", autocomplete: "off", "aria-label": "Message or command" });
  const send = h("button", { type: "submit", class: "button" }, "Send");
  const problem = h("p", { class: "problem", role: "alert" });
  field.placeholder = "Write a message, or a command that starts with /";

  async function submit(event) {
    event.preventDefault();
    const text = field.value.trim();
    if (!text || send.disabled) return;
    send.disabled = true;
    send.append(spinner());
    problem.textContent = (await deliver(page, id, text)) ?? "";
    send.disabled = false;
    send.replaceChildren("Send");
    if (!problem.textContent) field.value = "";
    field.focus();
    await page.refresh();
    toEnd();
  }

  return h("form", { class: "composer", onsubmit: submit }, problem, h("div", null, field, send));
}

function deliver(page, channel, text) {
  const place = { user: page.me, channel };
  if (!text.startsWith("/")) return act("say", { ...place, text: escaped(text) });
  const [, command, rest] = /^(\S+)\s*(.*)$/s.exec(text);
  return act("slash", { ...place, command, text: rest });
}
