// Calls the control routes of the stand-ins. No other file knows their addresses.

const SLACK = "/slack/control";
const GITHUB = "/github/control";
const SUBMIT = "/submit";
const NO_ANSWER = "The sandbox does not answer. Is it still running?";

async function ask(address, args) {
  const request = args === undefined ? {} : { method: "POST", body: JSON.stringify(args) };
  const answer = await fetch(address, request);
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = { detail: text };
  }
  return { ok: answer.ok, status: answer.status, body };
}

export async function loadWorkspace() {
  const { ok, body } = await ask(`${SLACK}/state`);
  if (!ok) throw new Error(body.detail);
  return body;
}

// Carries out what a person does. Returns null once the app acknowledged it (or nothing had to be sent), else the error.
export async function act(name, args) {
  try {
    const { ok, body } = await ask(`${SLACK}/${name}`, args);
    if (!ok) return body.errors ? "Please check the marked fields." : body.detail;
    return failure(body);
  } catch {
    return NO_ANSWER;
  }
}

function failure(delivery) {
  if (delivery.timed_out) return "The app did not answer within three seconds.";
  if (delivery.sent === false || delivery.status === undefined) return null;
  if (delivery.status === 0) return "The app could not be reached.";
  return delivery.status >= 200 && delivery.status < 300 ? null : `The app answered with an error (${delivery.status}).`;
}

let withoutGitHub = false;

// Every pull request, newest first. Without a GitHub stand-in there are none, and it is asked only once.
export async function loadPulls() {
  if (withoutGitHub) return [];
  const { ok, status, body } = await ask(`${GITHUB}/pulls`);
  withoutGitHub = status === 404;
  return ok ? body.reverse() : [];
}

export const hasGitHub = () => !withoutGitHub;

export async function loadGitHubFaults() {
  if (withoutGitHub) return [];
  const { ok, body } = await ask(`${GITHUB}/faults`);
  return ok ? body : [];
}

// Replaces the faults of GitHub by these kinds; they stay until the next call. Returns null, or the error.
export async function setGitHubFaults(kinds) {
  await fetch(`${GITHUB}/faults`, { method: "DELETE" });
  for (const kind of kinds) {
    const { ok, body } = await ask(`${GITHUB}/faults`, { operation: "*", kind, times: null });
    if (!ok) return body.detail;
  }
  return null;
}

// The form for submitting: {title, hint, samples}. Without a title there is no form.
export async function loadSubmitForm() {
  const { ok, body } = await ask(SUBMIT);
  return ok ? body : { title: null, hint: "", samples: [] };
}

// Submits text or a file to the app. Returns {ok, lines}.
export async function submit(content) {
  try {
    const answer = await fetch(SUBMIT, { method: "POST", body: content });
    return answer.ok ? await answer.json() : { ok: false, lines: [await answer.text()] };
  } catch {
    return { ok: false, lines: [NO_ANSWER] };
  }
}

const one = (pull) => `${GITHUB}/pulls/${pull.number}`;
const within = (pull) => `?repository=${encodeURIComponent(pull.repository)}`;

// The pull request of this sandbox at an address: {repository, number}, or null.
export function pullAt(address) {
  const { origin, pathname } = new URL(address, location.href);
  const [, repository, number] = /^\/github\/([^/]+\/[^/]+)\/pull\/(\d+)$/.exec(pathname) ?? [];
  return origin === location.origin && number ? { repository, number } : null;
}

export async function loadPull(pull) {
  const { ok, body } = await ask(one(pull) + within(pull));
  return ok ? body : null;
}

// Does `merge` or `close` as the repository's maintainer. Returns null, or the error.
export async function decidePull(pull, how) {
  const { ok, body } = await ask(`${one(pull)}/${how}${within(pull)}`, {});
  return ok ? null : body.detail || "GitHub refused this.";
}

// Calls `changed` after each change since a revision, and `linked` with whether the sandbox is reachable. Without a
// revision everything counts as changed.
export function listen(changed, linked, since) {
  const source = new EventSource(`${SLACK}/changes${since === undefined ? "" : `?since=${since}`}`);
  source.onopen = () => {
    linked(true);
    if (since === undefined) changed("everything");
  };
  source.onmessage = ({ data }) => changed(data);
  source.onerror = () => {
    // A restarted sandbox counts from zero again, so the browser must not ask it for changes since the old number.
    source.close();
    linked(false);
    setTimeout(() => listen(changed, linked), 1000);
  };
}
