// The source files as tests of the structure see them: texts, syntax trees, and what each imports.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("..", import.meta.url));

export interface Source {
  /** Below src/, with forward slashes. */
  readonly file: string;
  readonly text: string;
  readonly lines: number;
  readonly tree: ts.SourceFile;
  /** Files below src/ that it imports or exports from, types included. */
  readonly imports: readonly string[];
}

/** The specifier of a relative import in any form: import, export from, import(), import type. */
function specifierOf(node: ts.Node): string | undefined {
  let specifier: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) specifier = node.moduleSpecifier;
  else if (ts.isImportTypeNode(node))
    specifier = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    [specifier] = node.arguments;
  return specifier && ts.isStringLiteralLike(specifier) && specifier.text.startsWith(".") ? specifier.text : undefined;
}

export function parseSource(file: string, text: string): Source {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const imports: string[] = [];
  visitNodes(tree, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push(posix.join(dirname(file), specifier));
  });
  return { file, text, lines: text.split("\n").length - 1, tree, imports };
}

/** Calls `visit` for a node and everything below it. */
export function visitNodes(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => visitNodes(child, visit));
}

export const readSources = (): Source[] =>
  readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.split(sep).join("/"))
    .sort()
    .map((file) => parseSource(file, readFileSync(join(root, "src", file), "utf8")));
