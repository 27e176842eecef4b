// What axe finds wrong with a page as it stands now.
import axe, { type AxeResults } from "axe-core";
import type { Page } from "playwright-core";

/** Violations with the elements that they are of; none where the page is fine. */
export async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    () => (globalThis as never as { axe: { run(): Promise<AxeResults> } }).axe.run() as Promise<AxeResults>,
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}
