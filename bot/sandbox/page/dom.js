// Builds nodes. A string only ever becomes a text node: no file of this page parses HTML.

// Makes a node. Attributes named on… are listeners; null and false are left out.
export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  append(node, children);
  return node;
}

export function append(node, children) {
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

// Whether a link may lead to this address: never to a script.
export const followable = (address) => /^(https?:\/\/|mailto:)/i.test(address);

// Makes a link that leaves the page; the address must be followable.
export function link(address, label, attributes) {
  return h("a", { ...attributes, href: address, target: "_blank", rel: "noopener noreferrer" }, label);
}

const signatures = new WeakMap();

// Makes `items` ({key, signature, make(former node)}) the children of a parent. A node whose signature is unchanged
// stays, with its focus and scroll position. Returns the keys of new or changed nodes.
export function reconcile(parent, items) {
  const former = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const drawn = [];
  const wanted = items.map(({ key, signature, make }) => {
    const kept = former.get(key);
    if (kept && signatures.get(kept) === signature) return kept;
    const node = make(kept);
    node.dataset.key = key;
    signatures.set(node, signature);
    drawn.push(key);
    if (kept) replace(kept, node);
    return node;
  });
  const staying = new Set(wanted);
  for (const node of [...parent.children]) if (!staying.has(node)) node.remove();
  wanted.forEach((node, position) => {
    if (parent.children[position] !== node) parent.insertBefore(node, parent.children[position] ?? null);
  });
  return drawn;
}

// Replaces `node` by `next` and keeps the focus on the same control.
function replace(node, next) {
  const control = node.contains(document.activeElement) ? document.activeElement.dataset.control : null;
  node.replaceWith(next);
  if (control) focusIn(next, control);
}

function focusIn(node, control) {
  const found = [...node.querySelectorAll("[data-control]")].find((each) => each.dataset.control === control);
  found?.focus({ preventScroll: true });
}

// Remembers which control has the focus. The returned function restores it, even on a new node.
export function keepFocus() {
  const from = document.activeElement;
  const [key, control] = [from?.closest("[data-key]")?.dataset.key, from?.dataset.control];
  return () => {
    const there = [...document.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key);
    if (there && control && document.activeElement === document.body) focusIn(there, control);
  };
}

export function spinner() {
  return h("span", { class: "spinner", "aria-hidden": "true" });
}
