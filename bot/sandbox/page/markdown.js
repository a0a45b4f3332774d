// The part of GitHub's Markdown that the bot's pull requests use: headings, lists, tables, fences, bold, code, links.
// Everything else, HTML included, stays plain text.

import { followable, h, link } from "./dom.js";

export function markdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  while (lines.length > 0) nodes.push(...block(lines));
  return nodes;
}

// Takes the next block from the lines.
function block(lines) {
  const line = lines.shift();
  const fence = /^(`{3,}|~{3,})/.exec(line)?.[1];
  const heading = /^(#{1,6}) +(.*?)(?: +#+)?$/.exec(line);
  if (line.trim() === "") return [];
  if (fence) return [h("pre", { tabindex: "0" }, h("code", null, fenced(lines, fence)))];
  if (heading) return [h(`h${Math.max(3, heading[1].length)}`, null, inline(heading[2]))];
  if (/^\s*\|/.test(line) && /^\s*\|[\s:|-]+\|\s*$/.test(lines[0] ?? "")) return [table(line, lines)];
  if (/^\s*[-*] /.test(line)) return [h("ul", null, taken([line], lines, /^\s*[-*] /).map(item))];
  const paragraph = taken([line], lines, /^(?!\s*$|#{1,6} |`{3}|~{3}|\s*[-*] |\s*\|)/);
  return [h("p", null, inline(paragraph.join("\n")))];
}

function taken(first, lines, pattern) {
  while (lines.length > 0 && pattern.test(lines[0])) first.push(lines.shift());
  return first;
}

function fenced(lines, fence) {
  const end = lines.findIndex((line) => line.startsWith(fence) && !line.slice(fence.length).replaceAll(fence[0], "").trim());
  const inside = lines.splice(0, end < 0 ? lines.length : end + 1);
  return (end < 0 ? inside : inside.slice(0, -1)).join("\n");
}

const item = (line) => h("li", null, inline(line.replace(/^\s*[-*] /, "")));

function table(first, lines) {
  lines.shift();
  const head = cells(first);
  const rows = taken([], lines, /^\s*\|/).map(cells);
  return h(
    "div",
    { class: "table" },
    h(
      "table",
      null,
      head.some(Boolean) && h("thead", null, h("tr", null, head.map((cell) => h("th", null, inline(cell))))),
      h(
        "tbody",
        null,
        rows.map((row) => h("tr", null, row.map((cell) => h("td", null, inline(cell))))),
      ),
    ),
  );
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

// Code first: nothing inside it is markup.
const INLINE = /(`+)(?!`)(.+?)(?<!`)\1(?!`)|\*\*(?=\S)(.+?\S)\*\*|\[([^\]]+)\]\(([^\s()]+)\)/gs;

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    nodes.push(text.slice(from, found.index));
    nodes.push(marked(found));
    from = found.index + found[0].length;
  }
  return [...nodes, text.slice(from)];
}

function marked([whole, ticks, code, bold, label, address]) {
  if (ticks) return h("code", null, spaced(code));
  if (bold) return h("strong", null, inline(bold));
  return followable(address) ? link(address, label) : whole;
}

// A space on both sides of a code span is not part of it.
const spaced = (code) => (/^ .*[^ ].* $/s.test(code) ? code.slice(1, -1) : code);
