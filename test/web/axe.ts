// What axe finds wrong with a page as it stands now.
import axe, { type AxeResults, type RunOptions } from "axe-core";
import type { Page } from "playwright-core";

/** Violations with the elements that they are of; none where the page is fine. */
export async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // the rest of what it says, which is long, stays in the page
  return await page.evaluate(async () => {
    const { axe } = globalThis as never as { axe: { run(options: RunOptions): Promise<AxeResults> } };
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
  });
}
