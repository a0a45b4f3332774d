// Talks to the control routes of the stand-ins; the only file that knows their addresses.

const SLACK = "/slack/control";
const GITHUB = "/github/control";
const FEED = "/feed";

async function ask(address, body) {
  const request = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(address, request);
  const text = await answer.text();
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    told = { detail: text };
  }
  return { ok: answer.ok, status: answer.status, told };
}

export async function loadWorkspace() {
  const { ok, told } = await ask(`${SLACK}/state`);
  if (!ok) throw new Error(told.detail);
  return told;
}

// What a person does. Answers with null once the app acknowledged (or nothing had to be sent), else what went wrong.
export async function act(name, args) {
  try {
    const { ok, told } = await ask(`${SLACK}/${name}`, args);
    if (!ok) return told.errors ? "Some answers need another look." : told.detail;
    return failure(told);
  } catch {
    return "The sandbox does not answer. Is it still running?";
  }
}

function failure(delivery) {
  if (delivery.timed_out) return "The app did not answer within three seconds.";
  if (delivery.sent === false || delivery.status === undefined) return null;
  if (delivery.status === 0) return "The app could not be reached.";
  return delivery.status >= 200 && delivery.status < 300 ? null : `The app answered with an error (${delivery.status}).`;
}

let withoutGitHub = false;

// Every pull request, newest first; none where there is no GitHub beside the workspace, which is asked only once.
export async function loadPulls() {
  if (withoutGitHub) return [];
  const { ok, status, told } = await ask(`${GITHUB}/pulls`);
  withoutGitHub = status === 404;
  return ok ? told.reverse() : [];
}

export const hasGitHub = () => !withoutGitHub;

export async function loadGitHubFaults() {
  if (withoutGitHub) return [];
  const { ok, told } = await ask(`${GITHUB}/faults`);
  return ok ? told : [];
}

// From now on GitHub fails in these ways only, until told otherwise; null, or what went wrong.
export async function setGitHubFaults(kinds) {
  await fetch(`${GITHUB}/faults`, { method: "DELETE" });
  for (const kind of kinds) {
    const { ok, told } = await ask(`${GITHUB}/faults`, { operation: "*", kind, times: null });
    if (!ok) return told.detail;
  }
  return null;
}

// What may be handed to the app: {title, hint, samples}; without a title, nothing.
export async function loadFeed() {
  const { ok, told } = await ask(FEED);
  return ok ? told : { title: null, hint: "", samples: [] };
}

// Hands text or a file to the app: {ok, lines}.
export async function push(content) {
  try {
    const answer = await fetch(FEED, { method: "POST", body: content });
    return answer.ok ? await answer.json() : { ok: false, lines: [await answer.text()] };
  } catch {
    return { ok: false, lines: ["The sandbox does not answer. Is it still running?"] };
  }
}

const one = (pull) => `${GITHUB}/pulls/${pull.number}`;
const within = (pull) => `?repository=${encodeURIComponent(pull.repository)}`;

// Which pull request of this sandbox an address shows: {repository, number}, or null.
export function pullAt(address) {
  const { origin, pathname } = new URL(address, location.href);
  const [, repository, number] = /^\/github\/([^/]+\/[^/]+)\/pull\/(\d+)$/.exec(pathname) ?? [];
  return origin === location.origin && number ? { repository, number } : null;
}

export async function loadPull(pull) {
  const { ok, told } = await ask(one(pull) + within(pull));
  return ok ? told : null;
}

// `merge` or `close`, as the repository's maintainer; null, or what went wrong.
export async function decidePull(pull, how) {
  const { ok, told } = await ask(`${one(pull)}/${how}${within(pull)}`, {});
  return ok ? null : told.detail || "GitHub did not take it.";
}

// Calls `changed` after each change since a revision, and `linked` with whether the sandbox can be reached. Without a
// revision everything counts as changed.
export function listen(changed, linked, since) {
  const source = new EventSource(`${SLACK}/changes${since === undefined ? "" : `?since=${since}`}`);
  source.onopen = () => {
    linked(true);
    if (since === undefined) changed("everything");
  };
  source.onmessage = ({ data }) => changed(data);
  source.onerror = () => {
    // A sandbox that was started anew counts from zero, so the browser must not ask it for "since" the old number.
    source.close();
    linked(false);
    setTimeout(() => listen(changed, linked), 1000);
  };
}
