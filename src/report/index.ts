// The HTML reports, and the kit they are made of.

export { writeRunReport } from "./distillation/page.ts";
export type {
  AttentionComparison,
  AttentionLayer,
  ReportData,
  ReportModel,
  RunReportData,
} from "./distillation/report.types.ts";
export { type ChartOptions, chart, sparkline } from "./kit/chart.ts";
export { fact, keyNumber } from "./kit/facts.ts";
export { type ChartLine, type PreparedLine, prepareLine } from "./kit/line.ts";
export { type Content, escapeText, html, Markup } from "./kit/markup.ts";
export { type PageOptions, writePage } from "./kit/page.ts";
