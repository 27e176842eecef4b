// The package's public names: which there are is said here, so that a change is a decision, and every type in a signature has one.
import { readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { parseSource, readSources, root, type Source, visitNodes } from "./sources.ts";

/** What each entry exports, values and types, sorted. */
const NAMES: Readonly<Record<string, string>> = {
  stillwave: `
    Classification Conversion convertCheckpoint ConvertOptions ConvLayer distill DistillEvent DistillOptions
    exportOnnx ExportOptions exportRecognizer ExportRecognizerOptions ExportResult ExtractEvent extractFiles
    ExtractFilesOptions Extraction ExtractOptions FileRecognizer FileRecognizerInput FrameLogits HostArray
    HubOptions initStudent LibraryRun loadAudio loadRecognizer LoadRecognizerOptions loadUpstream Model ModelConfig
    ModelFolderContent ModelInfo ModelProfile ModelWeights PaddedWaveforms Parameters profile ProfileOptions
    RecipeSections Recognizer RecognizerExport RecognizerFacts RecognizerInput reuseEvery ReuseSemantics SpeechStream
    StepEvent StillwaveError StreamOptions StreamUpdate studentConv StudentOptions Transcript Transcription UsageError writeModelFolder
  `,
  "stillwave/engine": `
    constant Dim DType gradients HostArray input ops printGraph scalar Shape symbol Value
  `,
  "stillwave/node": `
    createRuntime Device DeviceChoice Executable Feed Feeds listDevices OnnxFile openOnnxFile OpenOnnxOptions
    ProcessGroup Runtime RuntimeOptions
  `,
  "stillwave/data": `
    BadFile Batch closeDecodingThreads Corpus CorpusKind CorpusSource EpochPlanOptions folder KeepOptions KeptSpeech
    librispeech Making manifest OnBadFile openCorpus OpenCorpusOptions openKept planEpoch PlannedBatch PlannedItem prefetchBatches
    PrefetchedBatch PrefetchOptions Rung Segment Utterance
  `,
  "stillwave/superb": `
    BenchmarkScores CompareOptions compareRuns Comparison evaluate EvaluateEvent Evaluation EvaluationOptions
    EvaluationResult openUpstream readEvaluation reportEvaluation rescore Rescored scoreRuns Scores scoreTasks Task
    TaskName TaskResults TASKS Upstream UpstreamOptions
  `,
  "stillwave/hub": `
    exportTransformersJs pushModel PushOptions PushResult TransformersJsExport TransformersJsOptions
  `,
  "stillwave/finetune": `
    finetune FinetuneEvent FinetuneFields FinetuneOptions FinetuneSummary
  `,
  "stillwave/pretrain": `
    pretrain PretrainEvent PretrainFields PretrainOptions PretrainSummary
  `,
  "stillwave/log": `
    LOGGER_NAMES LoggedEnd LoggedRow LoggedRun Logger LoggerChoice LoggerName MetricsRow ObjectiveTerms readMetrics
    TrainRow ValidationRow
  `,
  "stillwave/decode": `
    CtcBatch ctcLoss CtcOptions CtcResult CtcWorkspace framesNeeded greedyDecode GreedyDecoder GreedyOptions
    LexiconBeamDecoder LexiconBeamOptions lexiconBeamSearch LexiconResult LexiconTrie LN_PER_LOG10 logSoftmax
    NgramModel PrefixBeamDecoder PrefixBeamOptions prefixBeamSearch PrefixResult readArpa ReadArpaOptions
    readSpellings smearScores Spelling SpellOptions spellWords TimedSymbol TimedWord
  `,
  "stillwave/metrics": `
    AccuracyComparison accuracyInterval AccuracyReport AlignedPair Alignment AlignmentWeights alignTokens
    bestAssignment bootstrapDifference BootstrapOptions bootstrapRate compareAccuracies compareErrorRates Confusion
    confusionsOf DetectionCosts detectionCurve DetectionPoint DiarizationByOverlap diarizationErrorRate
    diarizationErrors DiarizationErrors diarizationErrorsByOverlap DifferenceInterval editDistance EditKind
    equalErrorInterval equalErrorRate EqualErrorRate ErrorComparison ErrorCounts errorRateInterval ErrorReport
    ErrorUnit formatAlignment Interval matchedPairs MatchedPairs MaximumTermWeightedValue maximumTermWeightedValue
    McNemar mcnemar minimumDetectionCost pairById percentileInterval Prediction QUESST_WEIGHTS RatioSample
    readPredictions scoreAccuracy ScoredTrial scoreErrors scoreSlots SearchTotals SearchTrial signTest SignTest
    SlotReport SlotScore SpeakerTurn TermWeights UtteranceErrors UtteranceSlots writePredictions
  `,
  "stillwave/web": `
    availableThreads Classification createRuntime Executable Extraction ExtractOptions Feed Feeds FrameLogits
    HostArray loadModelFromFiles loadModelFromUrl LoadOptions loadRecognizer LoadRecognizerOptions Model ModelConfig
    ModelFiles OnnxFile OnnxOutput OnnxPort PaddedWaveforms padWaveforms Parameters Recognizer RecognizerFacts
    RecognizerInput resample Resampler Runtime SpeechStream StillwaveError StreamOptions StreamUpdate Transcript Transcription UsageError WebDevice
    WebRuntime WebRuntimeOptions
  `,
};

const MAX_NAMES: Readonly<Record<string, number>> = { stillwave: 59, "stillwave/superb": 30 };

/** Entry of the package -> its file below src/, from package.json. */
function readEntries(): Map<string, string> {
  const { exports: targets } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const files = Object.entries(targets as Record<string, string | { readonly types: string }>)
    .filter(([path]) => path !== "./package.json")
    .map(([path, target]): [string, string] => {
      const file = typeof target === "string" ? target : target.types;
      return [posix.join("stillwave", path), file.replace(/^\.\/(src|dist)\//, "").replace(/(\.d)?\.[jt]s$/, ".ts")];
    });
  return new Map(files);
}

interface Exported {
  /** Where the name is declared: `file#name`. */
  readonly place: string;
  readonly isTypeOnly: boolean;
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  return "name" in statement && statement.name ? [(statement.name as ts.Identifier).text] : [];
}

const hasModifier = (node: ts.Node, kind: ts.SyntaxKind): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false);

/** Parameters, results and bounds of a function, of a constant that holds one, and of a class's public members. */
function signaturesIn(statement: ts.Statement): ts.Node[] {
  const ofFunction = ({ parameters, type, typeParameters }: ts.SignatureDeclaration): ts.Node[] =>
    [...parameters.map((parameter) => parameter.type), type, ...(typeParameters ?? [])].filter((node) => !!node);
  if (ts.isFunctionDeclaration(statement)) return ofFunction(statement);
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ initializer, type }) =>
      initializer && ts.isArrowFunction(initializer) ? ofFunction(initializer) : type ? [type] : [],
    );
  if (!ts.isClassDeclaration(statement)) return [];
  return statement.members
    .filter((member) => !hasModifier(member, ts.SyntaxKind.PrivateKeyword))
    .flatMap((member) => {
      if (ts.isPropertyDeclaration(member)) return member.type ? [member.type] : [];
      return ts.isFunctionLike(member) ? ofFunction(member) : [];
    });
}

/** The file below src/, or the package, that an import or export of `file` names. */
function targetOf(file: string, specifier: ts.Expression): string {
  const module = (specifier as ts.StringLiteral).text;
  return module.startsWith(".") ? posix.join(dirname(file), module) : module;
}

/** Follows names through the imports and exports of `sources`. */
function followNames(sources: ReadonlyMap<string, Source>) {
  const statementsOf = (file: string) => sources.get(file)?.tree.statements ?? [];

  function exportsOf(file: string): Map<string, Exported> {
    const found = new Map<string, Exported>();
    for (const statement of statementsOf(file)) {
      if (ts.isExportDeclaration(statement)) {
        const { exportClause: clause, moduleSpecifier: module } = statement;
        if (!clause) for (const [name, exported] of exportsOf(targetOf(file, module!))) found.set(name, exported);
        else if (ts.isNamespaceExport(clause))
          found.set(clause.name.text, { place: `${targetOf(file, module!)}#*`, isTypeOnly: statement.isTypeOnly });
        else
          for (const { name, propertyName, isTypeOnly } of clause.elements) {
            const place = placeOf((propertyName ?? name).text, file, module);
            found.set(name.text, { place, isTypeOnly: isTypeOnly || statement.isTypeOnly });
          }
      } else if (hasModifier(statement, ts.SyntaxKind.ExportKeyword)) {
        const isTypeOnly = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
        for (const name of declaredNames(statement)) found.set(name, { place: `${file}#${name}`, isTypeOnly });
      }
    }
    return found;
  }

  /** The place of a name that `file` takes from a module, or has itself where there is none. */
  function placeOf(name: string, file: string, specifier?: ts.Expression): string {
    if (!specifier) return `${file}#${name}`;
    const target = targetOf(file, specifier);
    return exportsOf(target).get(name)?.place ?? `${target}#${name}`;
  }

  /** The place of a type that `file` names; undefined for one of the language, of a package, or a type parameter. */
  function placeOfType(name: string, file: string): string | undefined {
    for (const statement of statementsOf(file)) {
      if (declaredNames(statement).includes(name)) return `${file}#${name}`;
      const bindings = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : undefined;
      const elements = bindings && ts.isNamedImports(bindings) ? bindings.elements : [];
      const item = elements.find((element) => element.name.text === name);
      if (!item) continue;
      const place = placeOf(
        (item.propertyName ?? item.name).text,
        file,
        (statement as ts.ImportDeclaration).moduleSpecifier,
      );
      return sources.has(place.split("#")[0]) ? place : undefined;
    }
    return undefined;
  }

  /** Places of the types in the signature of what is declared at `place`, if that is a function or a class. */
  function signatureTypes(place: string): string[] {
    const [file, name] = place.split("#");
    const found: string[] = [];
    for (const statement of statementsOf(file)) {
      if (!declaredNames(statement).includes(name)) continue;
      for (const signature of signaturesIn(statement))
        visitNodes(signature, (node) => {
          if (!ts.isTypeReferenceNode(node) || !ts.isIdentifier(node.typeName)) return;
          const type = placeOfType(node.typeName.text, file);
          if (type !== undefined) found.push(type);
        });
    }
    return found;
  }

  /** Types in signatures of what `entries` (files) export that none of them exports. */
  function namelessTypes(entries: Iterable<string>): string[] {
    const all = [...entries].flatMap((file) => [...exportsOf(file)]);
    const known = new Set(all.map(([, { place }]) => place));
    const nameless = all
      .filter(([, { isTypeOnly }]) => !isTypeOnly)
      .flatMap(([name, { place }]) => signatureTypes(place).map((type) => ({ name, type })))
      .filter(({ type }) => !known.has(type));
    return [...new Set(nameless.map(({ name, type }) => `${name}: ${type}`))].sort();
  }

  return { exportsOf, namelessTypes };
}

describe("public names", () => {
  const entries = readEntries();
  const names = followNames(new Map(readSources().map((source) => [source.file, source])));

  test("every entry of the package is listed here", () => {
    expect([...entries.keys()].sort()).toEqual(Object.keys(NAMES).sort());
  });

  test.each(Object.entries(NAMES))("%s exports what it is said to export", (entry, list) => {
    const exported = [...names.exportsOf(entries.get(entry)!).keys()];
    expect(exported.sort()).toEqual(list.trim().split(/\s+/).sort());
    expect(exported.length).toBeLessThanOrEqual(MAX_NAMES[entry] ?? Number.POSITIVE_INFINITY);
  });

  test("types in signatures of what is exported have a name in some entry", () => {
    expect(names.namelessTypes(entries.values())).toEqual([]);
  });
});

test("a type without a public name is found, wherever it stands in a signature and whatever way it came", () => {
  const files = {
    "index.ts":
      'export { type A, f, g, K } from "./a.ts"; export { h as other } from "./barrel.ts"; export * from "./all.ts"; export * as all from "./all.ts";',
    "all.ts": "export interface Everything {}",
    "barrel.ts": 'export { h } from "./a.ts";',
    "types.ts": "export interface B {} export type C = B; export interface Inner {}",
    "a.ts": `
      import type { B, C as Renamed } from "./types.ts";
      import type { Outside } from "package";
      export interface A { readonly inner: Inner }
      interface Own {}
      export function f<T extends Own>(a: A, b: readonly B[], o: Outside, t: T): Promise<Map<string, Renamed>> {}
      export const g = (a: A): string => "";
      export const h = (b: B): void => {};
      export class K { private m(own: Own): void {} n(a: A): B {} }`,
  };
  const sources = new Map(Object.entries(files).map(([file, text]) => [file, parseSource(file, text)]));
  const names = followNames(sources);
  expect([...names.exportsOf("index.ts").keys()]).toEqual(["A", "f", "g", "K", "other", "Everything", "all"]);
  expect(names.namelessTypes(["index.ts"])).toEqual([
    "K: types.ts#B",
    "f: a.ts#Own",
    "f: types.ts#B",
    "f: types.ts#C",
    "other: types.ts#B",
  ]);
});
