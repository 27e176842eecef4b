// Tables: the only way in which reports make one.
import { type Content, html, type Markup } from "./markup.ts";

export interface Column {
  /** Left out: the column holds pictures of numbers that stand beside it, for the eyes alone. */
  readonly title?: Content;
  /** Of all cells: `text` and `wrap` break lines. */
  readonly className?: string;
}

export interface Row {
  readonly cells: readonly Content[];
  readonly className?: string | false;
}

export interface TableOptions {
  readonly caption?: Content;
  /** Empty: no head. */
  readonly columns: readonly (string | Column)[];
  /** The first cell names its row. */
  readonly rows: readonly (readonly Content[] | Row)[];
  readonly foot?: readonly Content[];
  readonly className?: string;
}

const classOf = (name: string | false | undefined) => name && html` class="${name}"`;

/** A table that scrolls sideways where the page is too narrow for it. */
export function table({ caption, columns, rows, foot, className }: TableOptions): Markup {
  const known = columns.map((column) => (typeof column === "string" ? { title: column } : column) as Column);
  const head = known.map(({ title, className: name }) =>
    title === undefined || title === "" ? html`<td></td>` : html`<th scope="col"${classOf(name)}>${title}</th>`,
  );
  const line = (cells: readonly Content[], name?: string | false) =>
    html`<tr${classOf(name)}><th scope="row">${cells[0]}</th>${cells.slice(1).map((cell, i) => {
      const { title, className: cellName } = known[i + 1];
      return html`<td${classOf(cellName)}${title === undefined && html` aria-hidden="true"`}>${cell}</td>`;
    })}</tr>`;
  const body = rows.map((row) => ("cells" in row ? line(row.cells, row.className) : line(row)));
  return html`<div class="scroll"><table${classOf(className)}>${caption !== undefined && html`<caption>${caption}</caption>`}${
    head.length > 0 && html`<thead><tr>${head}</tr></thead>`
  }<tbody>${body}</tbody>${foot && html`<tfoot>${line(foot)}</tfoot>`}</table></div>`;
}
