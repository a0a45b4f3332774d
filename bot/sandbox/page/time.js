// Times as people read them, in the reader's own time zone and in the page's language.

const LOCALE = "en-US";
const format = (options) => new Intl.DateTimeFormat(LOCALE, options);
const TIME = format({ hour: "numeric", minute: "2-digit" });
const TIME_SECONDS = format({ hour: "numeric", minute: "2-digit", second: "2-digit" });
const SHORT = format({ month: "short", day: "numeric", year: "numeric" });
const MONTH = format({ month: "long" });
const WEEKDAY = format({ weekday: "long" });
const FULL = format({ dateStyle: "full", timeStyle: "long" });
const AGO = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });

export const clock = (at) => TIME.format(at);
export const clockSeconds = (at) => TIME_SECONDS.format(at);
export const full = (at) => FULL.format(at);
export const moment = (ts) => new Date(Number(ts) * 1000);

export function day(at) {
  return relativeDay(at) ?? SHORT.format(at);
}

// A date with Slack's tokens ({date_short_pretty}, {time} …) filled in; null when a token is unknown.
export function slackDate(seconds, template) {
  const at = new Date(seconds * 1000);
  const unknown = [...template.matchAll(/\{(\w+)\}/g)].some(([, name]) => !Object.hasOwn(TOKENS, name));
  return unknown || Number.isNaN(at.valueOf()) ? null : template.replace(/\{(\w+)\}/g, (_, name) => TOKENS[name](at));
}

const ordinal = (number) => {
  const teen = number % 100 > 10 && number % 100 < 14;
  return `${number}${(teen ? "" : { 1: "st", 2: "nd", 3: "rd" }[number % 10]) || "th"}`;
};
const medium = (at) => `${MONTH.format(at)} ${ordinal(at.getDate())}, ${at.getFullYear()}`;
const long = (at) => `${WEEKDAY.format(at)}, ${medium(at)}`;
const two = (number) => String(number).padStart(2, "0");

const TOKENS = {
  date_num: (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
  date: medium,
  date_short: (at) => SHORT.format(at),
  date_long: long,
  date_pretty: (at) => relativeDay(at) ?? medium(at),
  date_short_pretty: (at) => relativeDay(at) ?? SHORT.format(at),
  date_long_pretty: (at) => relativeDay(at) ?? long(at),
  time: (at) => TIME.format(at),
  time_secs: (at) => TIME_SECONDS.format(at),
  ago: (at) => ago(at),
};

function relativeDay(at) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const days = Math.round((midnight(at) - midnight(new Date())) / 86_400_000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

function ago(at) {
  const minutes = Math.round((at - Date.now()) / 60_000);
  if (Math.abs(minutes) < 60) return AGO.format(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return Math.abs(hours) < 48 ? AGO.format(hours, "hour") : AGO.format(Math.round(hours / 24), "day");
}
