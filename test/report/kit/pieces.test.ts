// The pieces of reports: what stands in them, what is left out, and that all text is escaped.
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { html, type Markup, svgText } from "../../../src/report/kit/markup.ts";
import { writePage } from "../../../src/report/kit/page.ts";
import { facts, fold, keyNumbers, notices, notShown, section } from "../../../src/report/kit/pieces.ts";
import { table } from "../../../src/report/kit/table.ts";

const parse = (content: Markup) => parseHTML(`<main>${content.text}</main>`).document.querySelector("main")!;
const textsOf = (content: Markup, selector: string) =>
  [...parse(content).querySelectorAll(selector)].map(({ textContent }) => textContent);

describe("a table", () => {
  const content = table({
    caption: "a < b",
    className: "bars",
    columns: ["name", { title: html`<i>value</i>`, className: "wrap" }, { className: "bar" }],
    rows: [["<one>", 1, html`<b></b>`], { className: "chosen", cells: [["two", " (chosen)"], 2, undefined] }],
    foot: ["all", 3, ""],
  });
  const main = parse(content);

  test("a table has a caption, a head with scopes, rows named by their first cells, and a foot", () => {
    expect(textsOf(content, "caption")).toEqual(["a < b"]);
    expect(textsOf(content, "thead th[scope=col]")).toEqual(["name", "value"]);
    expect(textsOf(content, "tbody th[scope=row]")).toEqual(["<one>", "two (chosen)"]);
    expect(textsOf(content, "tbody td.wrap")).toEqual(["1", "2"]);
    expect(textsOf(content, "tfoot tr > *")).toEqual(["all", "3", ""]);
    expect(main.querySelectorAll("tr.chosen")).toHaveLength(1);
    expect(main.querySelector("table")!.className).toBe("bars");
    expect(content.text).not.toContain("<one>");
  });

  test("a table hides a column without a title from those who hear the page", () => {
    expect(main.querySelectorAll("tbody td.bar[aria-hidden=true]")).toHaveLength(2);
    expect(main.querySelectorAll("tbody td.wrap[aria-hidden]")).toHaveLength(0);
    expect(main.querySelectorAll("thead td")).toHaveLength(1);
  });

  test("a table without columns has no head", () => {
    const plain = table({ columns: [], rows: [["none"]] });
    expect(parse(plain).querySelectorAll("thead, caption, tfoot")).toHaveLength(0);
    expect(textsOf(plain, "th")).toEqual(["none"]);
  });
});

test("key numbers, facts and notices leave out what is no entry", () => {
  expect(textsOf(keyNumbers([["a", html`<small>1</small>`, "b<"]]), "dt, .value, .detail")).toEqual(["a", "1", "b<"]);
  expect(textsOf(facts([["a", 1], false, undefined, ["b", "<"]]), "dt, dd")).toEqual(["a", "1", "b", "<"]);
  expect(textsOf(html`${notices([false, "a < b", undefined, html`<i>c</i>`])}`, ".notice")).toEqual(["a < b", "c"]);
});

test("a section is named by its heading and stands in the list of contents; a fold is named by its summary", () => {
  const options = { title: "t", kind: "k", lead: "l" };
  const sections = [section("data", "Data <", fold("More", "text")), false as const, section("end", "End", "")];
  const { document } = parseHTML(writePage({ ...options, sections }));
  const named = [...document.querySelectorAll("section")].map((one) => one.getAttribute("aria-labelledby"));
  expect(named).toEqual(["data", "end"]);
  expect(document.querySelector("h2#data")!.textContent).toBe("Data <");
  expect(document.querySelector("section details > summary")!.textContent).toBe("More");
  const links = [...document.querySelectorAll("nav[aria-label=Contents] a")];
  expect(links.map((link) => [link.getAttribute("href"), link.textContent])).toEqual([
    ["#data", "Data <"],
    ["#end", "End"],
  ]);
  const one = parseHTML(writePage({ ...options, sections: [section("data", "Data", "")] })).document;
  expect(one.querySelectorAll("nav")).toHaveLength(0);
});

test("what is not shown is counted, where anything is not", () => {
  expect(textsOf(html`${notShown(1200, "layers")}${notShown(3)}${notShown(0)}${notShown(-4)}`, "p")).toEqual([
    "1,200 more layers are not shown.",
    "3 more are not shown.",
  ]);
});

test("a picture is named and described by elements of its own", () => {
  const { attributes, head } = svgText("matrix Words & <Phones>", "title <", "text &");
  const svg = parse(html`<svg ${attributes}>${head}</svg>`).querySelector("svg")!;
  const ids = svg.getAttribute("aria-labelledby")!.split(" ");
  expect(ids).toEqual(["matrix-words-phones--title", "matrix-words-phones--text"]);
  expect(ids.map((id) => svg.querySelector(`[id="${id}"]`)!.textContent)).toEqual(["title <", "text &"]);
});
