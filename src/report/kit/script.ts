// The one script of a page: values under the pointer and by the arrow keys. It loads nothing; the page is whole without it.
import { createHash } from "node:crypto";

export const SCRIPT = `"use strict";
const SVG = "http://www.w3.org/2000/svg";
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const between = (low, high, value) => Math.min(high, Math.max(low, value));
const toBox = (element, rect = element.getBoundingClientRect()) => ({ x: rect.x, y: rect.y, width: rect.width, height: rect.height });

/** A box for words beside a picture that can be reached by the keyboard. */
function telling(plot, { pointer, key, leave }) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  plot.append(tip);
  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", plot.dataset.name + ": arrow keys read the values");
  const hide = () => { tip.hidden = true; leave(); };
  plot.addEventListener("pointermove", (event) => { if (!tip.contains(event.target)) pointer(event); });
  plot.addEventListener("pointerdown", pointer);
  plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const move = KEYS[event.key] ?? (event.key === "Home" ? [-1e9, 0] : event.key === "End" ? [1e9, 0] : undefined);
    if (!move) return;
    event.preventDefault();
    key(move[0], move[1]);
  });
  return (x, y, head, rows) => {
    tip.replaceChildren();
    const first = document.createElement("b");
    first.textContent = head;
    tip.append(first);
    for (const [tone, label, text] of rows) {
      const row = document.createElement("span");
      row.className = "row " + tone;
      row.textContent = label ? label + ": " + text : text;
      tip.append(row);
    }
    tip.hidden = false;
    const outer = toBox(plot);
    const own = toBox(tip);
    const right = Math.min(outer.width, document.documentElement.clientWidth - outer.x);
    tip.style.left = between(0, Math.max(0, right - own.width), x - outer.x + 14 + own.width > right ? x - outer.x - own.width - 14 : x - outer.x + 14) + "px";
    tip.style.top = between(0, Math.max(0, outer.height - own.height), y - outer.y - own.height - 10) + "px";
  };
}

/** Lines: a rule through the place, a dot on each line. */
function lines(plot) {
  const svg = plot.querySelector("svg");
  const named = plot.dataset.lines.split("\\n").map((line) => line.split("\\t"));
  const stops = plot.dataset.stops.split("\\n").filter(Boolean).map((line) => {
    const [x, name, ...rest] = line.split("\\t");
    const values = [];
    for (let i = 0; i < rest.length; i += 3) values.push({ line: +rest[i], y: +rest[i + 1], text: rest[i + 2] });
    return { x: +x, name, values };
  });
  if (stops.length === 0) return;
  const over = document.createElementNS(SVG, "g");
  over.setAttribute("class", "over");
  svg.append(over);
  let at = -1;
  const view = svg.viewBox.baseVal;
  const [top, bottom] = plot.dataset.frame.split(" ");
  const show = (place) => {
    at = between(0, stops.length - 1, place);
    const { x, name, values } = stops[at];
    over.replaceChildren();
    const rule = document.createElementNS(SVG, "line");
    for (const [key, value] of [["x1", x], ["x2", x], ["y1", top], ["y2", bottom]]) rule.setAttribute(key, value);
    over.append(rule);
    for (const { line, y } of values) {
      const dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("class", named[line][0]);
      for (const [key, value] of [["cx", x], ["cy", y], ["r", 4]]) dot.setAttribute(key, value);
      over.append(dot);
    }
    const box = toBox(svg);
    const scale = box.width / view.width;
    const highest = Math.min(...values.map(({ y }) => y), view.height / 2);
    tell(box.x + x * scale, box.y + highest * scale, name, values.map(({ line, text }) => [named[line][0], named[line][1], text]));
  };
  const tell = telling(plot, {
    pointer(event) {
      const box = toBox(svg);
      const x = ((event.clientX - box.x) / box.width) * view.width;
      let best = 0;
      stops.forEach((stop, i) => { if (Math.abs(stop.x - x) < Math.abs(stops[best].x - x)) best = i; });
      show(best);
    },
    key(x) { show(at < 0 ? (x < 0 ? stops.length - 1 : 0) : at + x); },
    leave() { over.replaceChildren(); at = -1; },
  });
}

/** Parts of a picture that say what they are. */
function parts(plot) {
  const items = [...plot.querySelectorAll("[data-tip]")];
  if (items.length === 0) return;
  let at;
  const mark = (item) => {
    at?.classList.remove("at");
    at = item;
    at?.classList.add("at");
  };
  const middle = (item) => {
    const box = toBox(item);
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const show = (item) => {
    mark(item);
    const [x, y] = middle(item);
    tell(x, y, item.dataset.tip, []);
  };
  const tell = telling(plot, {
    pointer(event) {
      const item = event.target.closest("[data-tip]");
      if (item) show(item);
    },
    key(x, y) {
      if (!at) return show(x < 0 || y < 0 ? items[items.length - 1] : items[0]);
      if (Math.abs(x) > 1) return show(x < 0 ? items[0] : items[items.length - 1]);
      const [fromX, fromY] = middle(at);
      let best;
      let least = Infinity;
      for (const item of items) {
        const [toX, toY] = middle(item);
        const ahead = (toX - fromX) * x + (toY - fromY) * y;
        const aside = Math.abs((toX - fromX) * y) + Math.abs((toY - fromY) * x);
        if (item === at || ahead < 1 || ahead + 8 * aside >= least) continue;
        best = item;
        least = ahead + 8 * aside;
      }
      if (best) show(best);
    },
    leave() { mark(undefined); },
  });
}

/** Attention maps beside each other: the same two times in both. Opacities are the weights, as the bar of colours has them. */
function maps(plot) {
  const panels = [...plot.querySelectorAll("img[data-top]")].map((image) => {
    const cross = document.createElement("i");
    cross.className = "cross";
    image.parentElement.append(cross);
    let levels;
    const read = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, canvas.width, canvas.height).data;
    };
    const levelAt = (row, column) => (levels ??= read())[4 * (row * image.naturalWidth + column) + 3];
    return { image, cross, levelAt, side: image.naturalWidth, top: +image.dataset.top, uniform: +image.dataset.uniform };
  });
  if (panels.length === 0) return;
  const seconds = +plot.dataset.seconds;
  const finest = Math.max(...panels.map(({ side }) => side));
  let at;
  const short = (value) => String(+value.toPrecision(2));
  const show = (down, across, panel = panels[0]) => {
    at = [between(0, finest - 1, down), between(0, finest - 1, across)];
    const shares = at.map((place) => (place + 0.5) / finest);
    const rows = panels.map(({ image, cross, levelAt, side, top, uniform }) => {
      const [row, column] = shares.map((share) => Math.floor(share * side));
      const level = levelAt(row, column);
      const weight = top * (level / 255) ** 2;
      cross.style.left = 100 * shares[1] + "%";
      cross.style.top = 100 * shares[0] + "%";
      cross.hidden = false;
      const text = (level === 255 ? "at least " : "") + short(weight) + ", " + short(weight / uniform) + " × uniform";
      return ["", image.dataset.who, text];
    });
    const box = toBox(panel.image);
    const [from, to] = shares.map((share) => (share * seconds).toFixed(2));
    tell(box.x + shares[1] * box.width, box.y + shares[0] * box.height, "at " + from + " s, to " + to + " s", rows);
  };
  const tell = telling(plot, {
    pointer(event) {
      const panel = panels.find(({ image }) => image.parentElement.contains(event.target));
      if (!panel) return;
      const box = toBox(panel.image);
      show(Math.floor(((event.clientY - box.y) / box.height) * finest), Math.floor(((event.clientX - box.x) / box.width) * finest), panel);
    },
    key(x, y) { if (at) show(at[0] + y, at[1] + x); else show(0, 0); },
    leave() { at = undefined; for (const { cross } of panels) cross.hidden = true; },
  });
  for (const { cross } of panels) cross.hidden = true;
}

// what scrolls sideways can be reached by the keyboard, and nothing else is a stop on the way
const scrolling = new ResizeObserver((entries) => {
  for (const { target } of entries)
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
});
for (const box of document.querySelectorAll(".scroll")) scrolling.observe(box);
for (const plot of document.querySelectorAll(".plot")) {
  if (plot.dataset.stops !== undefined) lines(plot);
  else if (plot.dataset.marks !== undefined) parts(plot);
  else maps(plot);
}
`;

/** What the page's policy allows of scripts: this one alone. */
export const SCRIPT_HASH = `sha256-${createHash("sha256").update(SCRIPT).digest("base64")}`;
