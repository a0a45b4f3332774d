// Slack's mrkdwn as nodes: escapes, styles, code, quotes, links, mentions, dates, emoji. Returns nodes, never markup.

import { followable, h, link } from "./dom.js";
import { emoji } from "./emoji.js";
import { full, slackDate } from "./time.js";

const FENCE = /```\n?([\s\S]+?)\n?```/;
const QUOTED = /^(?:&gt;|>) ?/;

// In this order: `code`, <…>, :emoji:, a bare address, *bold* _italic_ ~strike~. Code and styles need white space or
// punctuation on both sides. A zero-width space inside or before the mark keeps it a plain character.
const TOKENS =
  /(?<=^|[\s\p{P}\p{S}])`([^`\n]*[^`\n\u200b])`(?=$|[\s\p{P}\p{S}])|<([^<>\n]+)>|:([a-z0-9_+'-]+):|(https?:\/\/[^\s<>|]+[^\s<>|.,;:!?)\]'"])|(?<=^|[\s\p{P}\p{S}])([*_~])(?=[^\s\u200b])(.*?[^\s\u200b])\5(?=$|[\s\p{P}\p{S}])/gu;

const STYLES = { "*": "strong", _: "em", "~": "s" };
const ESCAPES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
const BROADCASTS = new Set(["here", "channel", "everyone"]);

const unescaped = (text) => text.replace(/&(?:lt|gt|amp);/g, (escape) => ESCAPES[escape]);
export const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

// `names` gives the name of a user, group or channel by id; `verbatim` keeps bare addresses as text.
export function mrkdwn(text, names, verbatim = false) {
  const nodes = [];
  let rest = text;
  for (let fence = FENCE.exec(rest); fence; fence = FENCE.exec(rest)) {
    nodes.push(...lines(rest.slice(0, fence.index).replace(/\n$/, ""), names, verbatim));
    nodes.push(h("pre", null, unescaped(fence[1])));
    rest = rest.slice(fence.index + fence[0].length).replace(/^\n/, "");
  }
  return [...nodes, ...lines(rest, names, verbatim)];
}

function lines(text, names, verbatim) {
  if (!text) return [];
  const nodes = [];
  let quote = null;
  let first = true;
  for (const line of text.split("\n")) {
    if (QUOTED.test(line)) {
      if (quote) quote.append("\n");
      else nodes.push((quote = h("blockquote")));
      quote.append(...inline(line.replace(QUOTED, ""), names, verbatim));
    } else {
      // A quote is a block, so no line feed is needed after it.
      if (!first && !quote) nodes.push("\n");
      quote = null;
      nodes.push(...inline(line, names, verbatim));
    }
    first = false;
  }
  return nodes;
}

function inline(text, names, verbatim) {
  const nodes = [];
  let from = 0;
  for (const token of text.matchAll(TOKENS)) {
    nodes.push(unescaped(text.slice(from, token.index)));
    nodes.push(...tokenNodes(token, names, verbatim));
    from = token.index + token[0].length;
  }
  nodes.push(unescaped(text.slice(from)));
  return nodes.filter((node) => node !== "");
}

function tokenNodes(token, names, verbatim) {
  const [written, code, angle, emojiName, bare, mark, styled] = token;
  if (code !== undefined) return [h("code", null, unescaped(code))];
  if (angle !== undefined) return [angled(angle, names, token.index === 0)];
  if (emojiName !== undefined) return [emoji(emojiName) ?? written];
  if (bare !== undefined) return [verbatim ? unescaped(bare) : address(bare)];
  return [h(STYLES[mark], null, inline(styled, names, verbatim))];
}

// Renders what is between < and >; `first` means at the start of a line.
function angled(inside, names, first) {
  const [target, label] = split(inside, "|");
  const [sign, id] = [target[0], target.slice(1)];
  if (sign === "@") return mention(`@${names.user(id) ?? label ?? id}`, names.isMe(id));
  if (sign === "#") return mention(`#${names.channel(id) ?? label ?? id}`);
  if (sign !== "!") return address(target, label) ?? document.createTextNode(unescaped(`<${inside}>`));
  const [kind, ...rest] = id.split("^");
  if (kind === "date") return date(rest, label, first);
  if (kind === "subteam") return mention(`@${names.group(rest[0]) ?? label?.replace(/^@/, "") ?? rest[0]}`);
  if (BROADCASTS.has(kind)) return mention(`@${kind}`, true);
  return document.createTextNode(unescaped(label ?? `<${inside}>`));
}

function address(target, label) {
  return followable(target) ? link(unescaped(target), unescaped(label ?? target.replace(/^mailto:/, ""))) : null;
}

function mention(text, forMe = false) {
  return h("span", { class: forMe ? "mention mine" : "mention" }, text);
}

function date([seconds, template, target], fallback, first) {
  const text = slackDate(Number(seconds), template ?? "");
  if (text === null) return document.createTextNode(unescaped(fallback ?? ""));
  const at = new Date(Number(seconds) * 1000);
  const written = first ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  const node = h("time", { datetime: at.toISOString(), title: full(at) }, unescaped(written));
  return target && followable(target) ? link(unescaped(target), node) : node;
}

function split(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
